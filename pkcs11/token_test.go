package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

func filled(t *testing.T) *fakeCard {
	t.Helper()
	f := newFakeCard()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f.put("a", key, card.PINOnce, card.OriginGenerated)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.put("b", ec, card.PINAlways, card.OriginImported)
	f.certs["b"] = certificate(t, ec)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.put("c", ed, card.PINNever, card.OriginGenerated)
	f.put("z", ed, card.PINNever, card.OriginGenerated)
	return f
}

func keyTemplate(class ck.ObjectClass, id byte) Template {
	return Template{{ck.CKA_CLASS, encodeULong(uint(class))}, {ck.CKA_ID, []byte{id}}}
}

func only(t *testing.T, m *Module, s session.SessionHandle, template Template) session.ObjectHandle {
	t.Helper()
	all, err := find(m, s, template)
	must(t, "search", err)
	if len(all) != 1 {
		t.Fatalf("%d objects, want 1", len(all))
	}
	return all[0]
}

// Calls that the monitor can answer ask the card nothing (DESIGN: lazy), and a
// search reads what it needs and no more.
func TestLazy(t *testing.T) {
	f := filled(t)
	m := newModule(t, f, Config{})
	asked := func(what string, n int) {
		t.Helper()
		if got := f.count(); got != n {
			t.Fatalf("%s: %d questions to the card so far, want %d", what, got, n)
		}
	}
	if got := m.GetSlotList(true); len(got) != 1 || got[0] != 0 {
		t.Fatalf("slots %v", got)
	}
	info, err := m.GetSlotInfo(0)
	must(t, "C_GetSlotInfo", err)
	if info.Flags&ck.CKF_TOKEN_PRESENT == 0 || info.Description != "Reader" {
		t.Errorf("%+v", info)
	}
	_, err = m.GetMechanismList(0)
	must(t, "C_GetMechanismList", err)
	s := open(t, m, ck.CKF_RW_SESSION)
	_, err = m.SessionInfo(s)
	must(t, "C_GetSessionInfo", err)
	_, err = find(m, s, Template{{ck.CKA_TOKEN, no}})
	must(t, "search for session objects", err)
	_, err = find(m, s, Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_DATA))}})
	must(t, "search for data objects", err)
	asked("session calls", 0)
	must(t, "public key by CKA_ID", find1(m, s, keyTemplate(ck.CKO_PUBLIC_KEY, 1)))
	asked("one key", 1)
	must(t, "again", find1(m, s, keyTemplate(ck.CKO_PUBLIC_KEY, 1)))
	want(t, "its certificate", find1(m, s, keyTemplate(ck.CKO_CERTIFICATE, 1)), ck.CKR_OBJECT_HANDLE_INVALID)
	asked("its certificate", 2)
	want(t, "an ID that is no slot's", find1(m, s, keyTemplate(ck.CKO_PUBLIC_KEY, 77)), ck.CKR_OBJECT_HANDLE_INVALID)
	want(t, "a hidden slot", find1(m, s, keyTemplate(ck.CKO_PUBLIC_KEY, 25)), ck.CKR_OBJECT_HANDLE_INVALID)
	must(t, "by label", find1(m, s, Template{{ck.CKA_LABEL, []byte("X.509 Certificate for Second")}}))
	asked("by label", 3)
	_, err = find(m, s, nil)
	must(t, "everything", err)
	asked("everything", 3+1+2) // Keys, and the certificates of the other two main slots
	_, err = find(m, s, nil)
	must(t, "everything again", err)
	asked("everything again", 6)
}

// Private keys are there after login; those that never want a PIN are there
// before, and sign.
func TestVisibility(t *testing.T) {
	f := filled(t)
	m := newModule(t, f, Config{})
	s := open(t, m, 0)
	private := Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_PRIVATE_KEY))}}
	free := only(t, m, s, private)
	k := &keyring{t: t, m: m, s: s}
	if !bytes.Equal(k.value(t, free, ck.CKA_PRIVATE), no) || !bytes.Equal(k.value(t, free, ck.CKA_ID), []byte{3}) {
		t.Error("the key without a PIN is not public")
	}
	must(t, "C_SignInit", m.SignInit(s, &Mechanism{Type: ck.CKM_EDDSA}, free))
	sig := out(t, "C_Sign", func(o *Out) error { return m.Sign(s, []byte("x"), o) })
	must(t, "C_VerifyInit", m.VerifyInit(s, &Mechanism{Type: ck.CKM_EDDSA}, only(t, m, s, keyTemplate(ck.CKO_PUBLIC_KEY, 3))))
	must(t, "C_Verify", m.Verify(s, []byte("x"), sig))
	must(t, "C_Login", m.Login(s, ck.CKU_USER, []byte(fakePIN)))
	all, err := find(m, s, private)
	must(t, "search", err)
	if len(all) != 3 {
		t.Fatalf("%d private keys", len(all))
	}
	if all[2] != free && all[0] != free && all[1] != free {
		t.Error("the key changed its handle with the login (S24)")
	}
	a := only(t, m, s, keyTemplate(ck.CKO_PRIVATE_KEY, 1))
	for typ, v := range map[ck.AttributeType][]byte{
		ck.CKA_SENSITIVE: yes, ck.CKA_ALWAYS_SENSITIVE: yes, ck.CKA_EXTRACTABLE: no, ck.CKA_NEVER_EXTRACTABLE: yes, ck.CKA_LOCAL: yes,
		ck.CKA_KEY_GEN_MECHANISM: encodeULong(uint(ck.CKM_RSA_PKCS_KEY_PAIR_GEN)), ck.CKA_ALWAYS_AUTHENTICATE: no, ck.CKA_TOKEN: yes,
		ck.CKA_MODIFIABLE: no, ck.CKA_SIGN: yes, ck.CKA_DECRYPT: yes, ck.CKA_DERIVE: no,
	} {
		if got := k.value(t, a, typ); !bytes.Equal(got, v) {
			t.Errorf("%v: %x, want %x", typ, got, v)
		}
	}
	r := []Request{{Type: ck.CKA_PRIME_1, Out: Out{Room: 1000}}}
	want(t, "CKA_PRIME_1", m.GetAttributeValue(s, a, r), ck.CKR_ATTRIBUTE_SENSITIVE)
	must(t, "C_Logout", m.Logout(s))
	want(t, "after logout (S19)", m.GetAttributeValue(s, a, r), ck.CKR_OBJECT_HANDLE_INVALID)
}

// What a card withholds from this reader - over its contactless interface it
// gives one key and its certificate - hides nothing else, and is no error.
func TestWithheld(t *testing.T) {
	f := filled(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.certs["c"] = certificate(t, key)
	f.withheld = map[card.KeyRef]bool{"a": true, "b": true, "d": true, "e": true}
	m := newModule(t, f, Config{})
	s := open(t, m, 0)
	certificates := Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_CERTIFICATE))}}
	if got := (&keyring{t: t, m: m, s: s}).value(t, only(t, m, s, certificates), ck.CKA_ID); !bytes.Equal(got, []byte{3}) {
		t.Errorf("the certificate of key %x", got)
	}
	for _, template := range []Template{keyTemplate(ck.CKO_CERTIFICATE, 1), keyTemplate(ck.CKO_PUBLIC_KEY, 4)} {
		if all, err := find(m, s, template); err != nil || len(all) != 0 {
			t.Errorf("%d objects, %v", len(all), err)
		}
	}
}

// A question about the length never touches the key (S27), whatever the
// mechanism; the operation itself does once, even where the buffer was too
// small for what came out.
func TestLengthQueries(t *testing.T) {
	f := filled(t)
	m := newModule(t, f, Config{})
	s := open(t, m, 0)
	must(t, "C_Login", m.Login(s, ck.CKU_USER, []byte(fakePIN)))
	key := only(t, m, s, keyTemplate(ck.CKO_PRIVATE_KEY, 1))
	pub := only(t, m, s, keyTemplate(ck.CKO_PUBLIC_KEY, 1))
	before := f.count()
	must(t, "C_SignInit", m.SignInit(s, &Mechanism{Type: ck.CKM_SHA256_RSA_PKCS}, key))
	o := &Out{Null: true}
	must(t, "C_Sign (length)", m.Sign(s, []byte("x"), o))
	if o.Len != 256 {
		t.Errorf("length %d", o.Len)
	}
	want(t, "C_Sign (255 bytes)", m.Sign(s, []byte("x"), &Out{Room: 255}), ck.CKR_BUFFER_TOO_SMALL)
	if f.count() != before {
		t.Error("a question about the length asked the card")
	}
	must(t, "C_Sign", m.Sign(s, []byte("x"), &Out{Room: 256}))
	if f.uses != 1 {
		t.Errorf("%d uses of the key", f.uses)
	}
	want(t, "C_Sign again", m.Sign(s, []byte("x"), &Out{Room: 256}), ck.CKR_OPERATION_NOT_INITIALIZED)

	must(t, "C_EncryptInit", m.EncryptInit(s, &Mechanism{Type: ck.CKM_RSA_PKCS}, pub))
	sealed := out(t, "C_Encrypt", func(o *Out) error { return m.Encrypt(s, []byte("secret"), o) })
	must(t, "C_DecryptInit", m.DecryptInit(s, &Mechanism{Type: ck.CKM_RSA_PKCS}, key))
	o = &Out{Null: true}
	must(t, "C_Decrypt (length)", m.Decrypt(s, sealed, o))
	if o.Len < 6 || f.uses != 1 {
		t.Errorf("length %d, %d uses of the key", o.Len, f.uses)
	}
	o = &Out{Room: 3}
	want(t, "C_Decrypt (3 bytes)", m.Decrypt(s, sealed, o), ck.CKR_BUFFER_TOO_SMALL)
	o = &Out{Room: 6}
	must(t, "C_Decrypt (6 bytes)", m.Decrypt(s, sealed, o))
	if string(o.Data) != "secret" || f.uses != 2 {
		t.Errorf("%q, %d uses of the key", o.Data, f.uses)
	}
}

// A key that asks each time gets its own login, for one operation (S14).
func TestAlwaysAuthenticate(t *testing.T) {
	f := filled(t)
	m := newModule(t, f, Config{})
	s := open(t, m, 0)
	must(t, "C_Login", m.Login(s, ck.CKU_USER, []byte(fakePIN)))
	key := only(t, m, s, keyTemplate(ck.CKO_PRIVATE_KEY, 2))
	digest := make([]byte, 32)
	want(t, "context-specific login for nothing", m.Login(s, ck.CKU_CONTEXT_SPECIFIC, []byte(fakePIN)), ck.CKR_OPERATION_NOT_INITIALIZED)
	for range 2 {
		must(t, "C_SignInit", m.SignInit(s, &Mechanism{Type: ck.CKM_ECDSA}, key))
		must(t, "length", m.Sign(s, digest, &Out{Null: true}))
		want(t, "wrong PIN", m.Login(s, ck.CKU_CONTEXT_SPECIFIC, []byte("999999")), ck.CKR_PIN_INCORRECT)
		must(t, "context-specific login", m.Login(s, ck.CKU_CONTEXT_SPECIFIC, []byte(fakePIN)))
		must(t, "C_Sign", m.Sign(s, digest, &Out{Room: 64}))
	}
	must(t, "C_SignInit", m.SignInit(s, &Mechanism{Type: ck.CKM_ECDSA}, key))
	want(t, "C_Sign without it", m.Sign(s, digest, &Out{Room: 64}), ck.CKR_USER_NOT_LOGGED_IN)
	peer := point(f.infos["b"].Public)
	_, err := m.DeriveKey(s, &Mechanism{Type: ck.CKM_ECDH1_DERIVE, Parameter: param(uint(ck.CKD_NULL), 0, 0, len(peer), peer)}, key, nil)
	want(t, "C_DeriveKey, which has no operation to log in for", err, ck.CKR_USER_NOT_LOGGED_IN)
}

// CK_TOKEN_INFO, and the last try: spent only by who was told that it is the
// last.
func TestTokenInfoAndLastTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := filled(t)
		m := newModule(t, f, Config{})
		s := open(t, m, 0)
		flags := func() ck.Flags {
			info, err := m.GetTokenInfo(0)
			must(t, "C_GetTokenInfo", err)
			return info.Flags & (ck.CKF_USER_PIN_COUNT_LOW | ck.CKF_USER_PIN_FINAL_TRY | ck.CKF_USER_PIN_LOCKED)
		}
		info, err := m.GetTokenInfo(0)
		must(t, "C_GetTokenInfo", err)
		if info.Label != "Fake #42" || info.Serial != "42" || info.Manufacturer != "Nobody" || info.Firmware != (Version{1, 23}) || info.Sessions != 1 || info.RWSessions != 0 {
			t.Errorf("%+v", info)
		}
		if flags() != 0 {
			t.Error("PIN flags on a fresh card")
		}
		m.lib.config.Label = "{applet} {serial} in {reader}"
		if info, err := m.GetTokenInfo(0); err != nil || info.Label != "PIV 42 in Reader" {
			t.Errorf("configured label %q, %v", info.Label, err)
		}
		wrong := []byte("000000")
		want(t, "wrong PIN", m.Login(s, ck.CKU_USER, wrong), ck.CKR_PIN_INCORRECT)
		if flags() != ck.CKF_USER_PIN_COUNT_LOW {
			t.Error("COUNT_LOW is missing")
		}
		want(t, "wrong PIN", m.Login(s, ck.CKU_USER, wrong), ck.CKR_PIN_INCORRECT)
		want(t, "the last try, unasked", m.Login(s, ck.CKU_USER, wrong), ck.CKR_FUNCTION_REJECTED)
		if f.tries != 1 {
			t.Fatal("the last try was spent")
		}
		if flags() != ck.CKF_USER_PIN_COUNT_LOW|ck.CKF_USER_PIN_FINAL_TRY {
			t.Error("FINAL_TRY is missing")
		}
		must(t, "the last try, told", m.Login(s, ck.CKU_USER, []byte(fakePIN)))
		must(t, "C_Logout", m.Logout(s))
		f.tries = 0 // another program's doing
		time.Sleep(2 * fresh)
		if flags() != ck.CKF_USER_PIN_COUNT_LOW|ck.CKF_USER_PIN_LOCKED {
			t.Error("LOCKED is missing")
		}
		want(t, "blocked", m.Login(s, ck.CKU_USER, []byte(fakePIN)), ck.CKR_PIN_LOCKED)
	})
}

// What the SO does: make and import keys, write certificates and data, delete
// them, set PINs.
func TestAdministration(t *testing.T) {
	f := newFakeCard()
	m := newModule(t, f, Config{})
	s := open(t, m, ck.CKF_RW_SESSION)
	pub := Template{{ck.CKA_TOKEN, yes}, {ck.CKA_EC_PARAMS, curves[0].params()}}
	priv := Template{{ck.CKA_TOKEN, yes}, {ck.CKA_PRIVATE, yes}, {ck.CKA_ID, []byte{1}}}
	mech := &Mechanism{Type: ck.CKM_EC_KEY_PAIR_GEN}
	_, _, err := m.GenerateKeyPair(s, mech, pub, priv)
	want(t, "generate without login", err, ck.CKR_USER_NOT_LOGGED_IN)
	must(t, "SO login", m.Login(s, ck.CKU_SO, []byte(fakeAdmin)))
	_, _, err = m.GenerateKeyPair(s, mech, pub, Template{{ck.CKA_TOKEN, yes}})
	want(t, "generate anywhere", err, ck.CKR_TEMPLATE_INCOMPLETE)
	p, q, err := m.GenerateKeyPair(s, mech, pub, priv)
	must(t, "C_GenerateKeyPair", err)
	k := &keyring{t: t, m: m, s: s}
	if !bytes.Equal(k.value(t, p, ck.CKA_EC_POINT), ecPoint(f.infos["a"].Public)) || !bytes.Equal(k.value(t, q, ck.CKA_ID), []byte{1}) {
		t.Error("the handles are not the new key's")
	}
	der := certificate(t, f.keys["a"].(*ecdsa.PrivateKey))
	cert := Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_CERTIFICATE))}, {ck.CKA_CERTIFICATE_TYPE, encodeULong(0)}, {ck.CKA_TOKEN, yes}, {ck.CKA_VALUE, der}, {ck.CKA_ID, []byte{1}}}
	c, err := m.CreateObject(s, cert)
	must(t, "certificate", err)
	if !bytes.Equal(f.certs["a"], der) || c != only(t, m, s, keyTemplate(ck.CKO_CERTIFICATE, 1)) {
		t.Error("the certificate is not on the card")
	}
	d, err := m.CreateObject(s, Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_DATA))}, {ck.CKA_TOKEN, yes}, {ck.CKA_LABEL, []byte("Open")}, {ck.CKA_VALUE, []byte("v")}})
	must(t, "data", err)
	if string(f.data["Open"]) != "v" || string(k.value(t, d, ck.CKA_VALUE)) != "v" {
		t.Error("the data is not on the card")
	}
	must(t, "delete the certificate", m.DestroyObject(s, c))
	want(t, "search for it", find1(m, s, keyTemplate(ck.CKO_CERTIFICATE, 1)), ck.CKR_OBJECT_HANDLE_INVALID)
	want(t, "delete a public key", m.DestroyObject(s, p), ck.CKR_ACTION_PROHIBITED)
	must(t, "C_InitPIN", m.InitPIN(s, []byte("777777")))
	must(t, "C_SetPIN of the SO", m.SetPIN(s, []byte(fakeAdmin), []byte("040506")))
	must(t, "C_Logout", m.Logout(s))
	if f.pin != "777777" || f.admin != "040506" {
		t.Errorf("PIN %s, SO %s", f.pin, f.admin)
	}
	want(t, "C_SetPIN, wrong", m.SetPIN(s, []byte("1"), []byte("654321")), ck.CKR_PIN_INCORRECT)
	must(t, "C_SetPIN", m.SetPIN(s, []byte("777777"), []byte("654321")))
	must(t, "C_Login", m.Login(s, ck.CKU_USER, []byte("654321")))
	want(t, "the user generates, no PIN-protected secret", func() error { _, _, err := m.GenerateKeyPair(s, mech, pub, priv); return err }(), ck.CKR_USER_NOT_LOGGED_IN)
	must(t, "C_CloseAllSessions", m.CloseAllSessions(0))
	want(t, "C_InitToken, not allowed", m.InitToken(0, []byte("040506"), ""), ck.CKR_TOKEN_WRITE_PROTECTED)
	m.lib.config.AllowReset = true
	want(t, "C_InitToken, wrong", m.InitToken(0, []byte("1"), ""), ck.CKR_PIN_INCORRECT)
	must(t, "C_InitToken", m.InitToken(0, []byte("040506"), ""))
	if len(f.keys) != 0 {
		t.Error("keys left")
	}
}

// Removal ends sessions and wakes waiters; a card that comes back is a new one
// (S20).
func TestHotplug(t *testing.T) {
	f := filled(t)
	source := make(fakeSource, 8)
	source <- SlotEvent{Slot: fakeSlot, Token: f}
	source <- SlotEvent{}
	l := New(source, Config{})
	defer l.Close()
	m := l.Module()
	s := open(t, m, 0)
	h := only(t, m, s, keyTemplate(ck.CKO_PUBLIC_KEY, 1))
	_, err := m.WaitForSlotEvent(ck.CKF_DONT_BLOCK)
	want(t, "no event", err, ck.CKR_NO_EVENT)
	var wg sync.WaitGroup
	wg.Go(func() {
		id, err := m.WaitForSlotEvent(0)
		if id != 0 || err != nil {
			t.Errorf("slot %d, %v", id, err)
		}
	})
	source <- SlotEvent{Slot: fakeSlot}
	wg.Wait()
	for m.GetSlotList(true) != nil {
		time.Sleep(time.Millisecond)
	}
	want(t, "its session", m.GetAttributeValue(s, h, nil), ck.CKR_SESSION_HANDLE_INVALID)
	_, err = m.GetTokenInfo(0)
	want(t, "C_GetTokenInfo", err, ck.CKR_TOKEN_NOT_PRESENT)
	source <- SlotEvent{Slot: fakeSlot, Token: f}
	if _, err := m.WaitForSlotEvent(0); err != nil {
		t.Error(err)
	}
	s2 := open(t, m, 0)
	if s2 == s || only(t, m, s2, keyTemplate(ck.CKO_PUBLIC_KEY, 1)) == h {
		t.Error("an old handle names something new (S23)")
	}
	wg.Go(func() {
		_, err := m.WaitForSlotEvent(0)
		want(t, "woken by C_Finalize", err, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	})
	time.Sleep(10 * time.Millisecond)
	must(t, "C_Finalize", m.Close())
	wg.Wait()
}

// Who was told that the card is gone finds the sessions closed, though the
// monitor is a moment late (S20).
func TestRemovalIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := filled(t)
		source := make(fakeSource, 8)
		source <- SlotEvent{Slot: fakeSlot, Token: f}
		source <- SlotEvent{}
		l := New(source, Config{})
		defer l.Close()
		m := l.Module()
		s := open(t, m, 0)
		key := only(t, m, s, keyTemplate(ck.CKO_PRIVATE_KEY, 3))
		must(t, "C_SignInit", m.SignInit(s, &Mechanism{Type: ck.CKM_EDDSA}, key))
		f.gone = fmt.Errorf("sign: %w", apdu.ErrRemoved)
		time.AfterFunc(20*time.Millisecond, func() { source <- SlotEvent{Slot: fakeSlot} })
		err := m.Sign(s, []byte("x"), &Out{Room: 64})
		if c := Code(err); c != ck.CKR_DEVICE_REMOVED && c != ck.CKR_SESSION_HANDLE_INVALID {
			t.Errorf("C_Sign: %v", c)
		}
		_, err = m.SessionInfo(s)
		want(t, "the session", err, ck.CKR_SESSION_HANDLE_INVALID)
	})
}

// A digest goes on in another session from its saved state.
func TestOperationState(t *testing.T) {
	k := newKeyring(t)
	for _, typ := range []ck.MechanismType{ck.CKM_SHA_1, ck.CKM_SHA256, ck.CKM_SHA512, ck.CKM_SHA3_256} {
		must(t, "C_DigestInit", k.m.DigestInit(k.s, &Mechanism{Type: typ}))
		must(t, "C_DigestUpdate", k.m.DigestUpdate(k.s, []byte("one ")))
		state := out(t, "C_GetOperationState", func(o *Out) error { return k.m.GetOperationState(k.s, o) })
		must(t, "C_DigestUpdate", k.m.DigestUpdate(k.s, []byte("two")))
		first := out(t, "C_DigestFinal", func(o *Out) error { return k.m.DigestFinal(k.s, o) })
		other := open(t, k.m, 0)
		must(t, "C_SetOperationState", k.m.SetOperationState(other, state, 0, 0))
		must(t, "C_DigestUpdate", k.m.DigestUpdate(other, []byte("two")))
		if got := out(t, "C_DigestFinal", func(o *Out) error { return k.m.DigestFinal(other, o) }); !bytes.Equal(got, first) {
			t.Errorf("%v: the digests differ", typ)
		}
		for _, bad := range [][]byte{nil, state[:9], append([]byte("x"), state...)} {
			want(t, "a bad state", k.m.SetOperationState(other, bad, 0, 0), ck.CKR_SAVED_STATE_INVALID)
		}
	}
	_, aes := k.key(ck.CKK_AES)
	must(t, "C_EncryptInit", k.m.EncryptInit(k.s, &Mechanism{Type: ck.CKM_AES_ECB}, aes))
	want(t, "C_GetOperationState", k.m.GetOperationState(k.s, &Out{Null: true}), ck.CKR_STATE_UNSAVEABLE)
}

// The four dual-function calls give what the two operations give apart.
func TestDual(t *testing.T) {
	k := newKeyring(t)
	_, aes := k.key(ck.CKK_AES)
	_, mac := k.key(ck.CKK_GENERIC_SECRET)
	data := randomBytes(160)
	enc, dig, sgn := &Mechanism{Type: ck.CKM_AES_ECB}, &Mechanism{Type: ck.CKM_SHA256}, &Mechanism{Type: ck.CKM_SHA256_HMAC}
	part := func(f func(session.SessionHandle, []byte, *Out) error, b []byte) (all []byte) {
		for _, p := range [][]byte{b[:48], b[48:]} {
			all = append(all, out(t, "dual", func(o *Out) error { return f(k.s, p, o) })...)
		}
		return all
	}
	want(t, "none active", k.m.DigestEncryptUpdate(k.s, data, &Out{Room: 1000}), ck.CKR_OPERATION_NOT_INITIALIZED)
	must(t, "digest", k.m.DigestInit(k.s, dig))
	must(t, "encrypt", k.m.EncryptInit(k.s, enc, aes))
	sealed := part(k.m.DigestEncryptUpdate, data)
	sum := out(t, "C_DigestFinal", func(o *Out) error { return k.m.DigestFinal(k.s, o) })
	must(t, "C_EncryptFinal", k.m.EncryptFinal(k.s, &Out{Room: 100}))

	must(t, "decrypt", k.m.DecryptInit(k.s, enc, aes))
	must(t, "digest", k.m.DigestInit(k.s, dig))
	if got := part(k.m.DecryptDigestUpdate, sealed); !bytes.Equal(got, data) {
		t.Error("decrypts to something else")
	}
	if got := out(t, "C_DigestFinal", func(o *Out) error { return k.m.DigestFinal(k.s, o) }); !bytes.Equal(got, sum) {
		t.Error("another digest")
	}
	must(t, "C_DecryptFinal", k.m.DecryptFinal(k.s, &Out{Room: 100}))

	must(t, "sign", k.m.SignInit(k.s, sgn, mac))
	must(t, "encrypt", k.m.EncryptInit(k.s, enc, aes))
	sealed = part(k.m.SignEncryptUpdate, data)
	tag := out(t, "C_SignFinal", func(o *Out) error { return k.m.SignFinal(k.s, o) })
	must(t, "C_EncryptFinal", k.m.EncryptFinal(k.s, &Out{Room: 100}))
	must(t, "decrypt", k.m.DecryptInit(k.s, enc, aes))
	must(t, "verify", k.m.VerifyInit(k.s, sgn, mac))
	if got := part(k.m.DecryptVerifyUpdate, sealed); !bytes.Equal(got, data) {
		t.Error("decrypts to something else")
	}
	must(t, "C_VerifyFinal", k.m.VerifyFinal(k.s, tag))
	must(t, "C_DecryptFinal", k.m.DecryptFinal(k.s, &Out{Room: 100}))
}

// A context-specific login that blocks the PIN logs the user out (section 4.10).
func TestBlockedInOperation(t *testing.T) {
	f := filled(t)
	m := newModule(t, f, Config{SpendLastTry: true})
	s := open(t, m, 0)
	must(t, "C_Login", m.Login(s, ck.CKU_USER, []byte(fakePIN)))
	key := only(t, m, s, keyTemplate(ck.CKO_PRIVATE_KEY, 2))
	must(t, "C_SignInit", m.SignInit(s, &Mechanism{Type: ck.CKM_ECDSA}, key))
	for i, code := range []ck.RV{ck.CKR_PIN_INCORRECT, ck.CKR_PIN_INCORRECT, ck.CKR_PIN_LOCKED} {
		want(t, "wrong PIN", m.Login(s, ck.CKU_CONTEXT_SPECIFIC, []byte{'0', '0', '0', '0', '0', byte('0' + i)}), code)
	}
	info, err := m.SessionInfo(s)
	must(t, "C_GetSessionInfo", err)
	if info.State != session.CKS_RO_PUBLIC_SESSION {
		t.Errorf("state %v", info.State)
	}
	want(t, "C_Sign", m.Sign(s, make([]byte, 32), &Out{Room: 64}), ck.CKR_OPERATION_NOT_INITIALIZED)
}

// A card keeps no public key without its private half.
func TestHalfAPairOnToken(t *testing.T) {
	f := newFakeCard()
	m := newModule(t, f, Config{})
	s := open(t, m, ck.CKF_RW_SESSION)
	must(t, "C_Login", m.Login(s, ck.CKU_SO, []byte(fakeAdmin)))
	pub := Template{{ck.CKA_EC_PARAMS, curves[0].params()}, {ck.CKA_TOKEN, yes}, {ck.CKA_ID, []byte{1}}}
	_, _, err := m.GenerateKeyPair(s, &Mechanism{Type: ck.CKM_EC_KEY_PAIR_GEN}, pub, Template{{ck.CKA_TOKEN, no}, {ck.CKA_ID, []byte{1}}})
	want(t, "C_GenerateKeyPair", err, ck.CKR_TEMPLATE_INCONSISTENT)
	if len(f.keys) != 0 {
		t.Error("the card has a key")
	}
	_, _, err = m.GenerateKeyPair(s, &Mechanism{Type: ck.CKM_EC_KEY_PAIR_GEN}, pub[:1], Template{{ck.CKA_TOKEN, yes}, {ck.CKA_ID, []byte{1}}})
	must(t, "C_GenerateKeyPair", err)
}

// A search by value reads the data objects that it may find, and no others: NSS
// looks for certificates so.
func TestSearchByValue(t *testing.T) {
	f := filled(t)
	f.data["Open"] = []byte("seen")
	m := newModule(t, f, Config{})
	s := open(t, m, 0)
	cert := keyTemplate(ck.CKO_CERTIFICATE, 2)
	only(t, m, s, cert)
	asked := f.count()
	only(t, m, s, with(cert, Attribute{ck.CKA_VALUE, f.certs["b"]}))
	if n := f.count() - asked; n != 0 {
		t.Errorf("%d questions to the card", n)
	}
	only(t, m, s, Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_DATA))}, {ck.CKA_VALUE, []byte("seen")}})
}

// While one thread waits for the card's answer, a search that needs nothing of
// the card does not wait with it.
func TestSearchBesideSlowCard(t *testing.T) {
	f := filled(t)
	m := newModule(t, f, Config{})
	s := open(t, m, 0)
	key := keyTemplate(ck.CKO_PUBLIC_KEY, 1)
	only(t, m, s, key)
	asked, release := make(chan struct{}), make(chan struct{})
	f.answered = func() { close(asked); <-release }
	told := make(chan error, 1)
	go func() {
		_, err := m.GetTokenInfo(0)
		told <- err
	}()
	<-asked
	found := make(chan error, 1)
	go func() { found <- find1(m, s, key) }()
	select {
	case err := <-found:
		must(t, "search", err)
	case <-time.After(20 * time.Second):
		t.Error("the search waits for the card")
	}
	close(release)
	must(t, "C_GetTokenInfo", <-told)
}

// The value of a private data object is not kept beyond the user's logout.
func TestPrivateDataIsForgotten(t *testing.T) {
	f := filled(t)
	f.data["Closed"] = []byte("first")
	m := newModule(t, f, Config{})
	s := open(t, m, 0)
	for _, want := range []string{"first", "second"} {
		f.data["Closed"] = []byte(want)
		must(t, "C_Login", m.Login(s, ck.CKU_USER, []byte(fakePIN)))
		data := only(t, m, s, Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_DATA))}, {ck.CKA_LABEL, []byte("Closed")}})
		r := []Request{{Type: ck.CKA_VALUE, Out: Out{Room: 10}}}
		must(t, "C_GetAttributeValue", m.GetAttributeValue(s, data, r))
		if string(r[0].Out.Data) != want {
			t.Errorf("%q, want %q", r[0].Out.Data, want)
		}
		must(t, "C_Logout", m.Logout(s))
	}
}
