package pkcs11

import (
	"testing"

	"cardbridge/card"
	"cardbridge/pkcs11/ck"
)

func generateAt(m *Module, t testing.TB, id byte, more ...Attribute) error {
	t.Helper()
	s := open(t, m, ck.CKF_RW_SESSION)
	must(t, "login", m.Login(s, ck.CKU_SO, []byte(fakeAdmin)))
	defer func() { _ = m.CloseSession(s) }()
	private := append(Template{{ck.CKA_TOKEN, yes}, {ck.CKA_ID, []byte{id}}}, more...)
	_, _, err := m.GenerateKeyPair(s, &Mechanism{Type: ck.CKM_EC_KEY_PAIR_GEN},
		Template{{ck.CKA_TOKEN, yes}, {ck.CKA_ID, []byte{id}}, {ck.CKA_EC_PARAMS, curves[0].params()}}, private)
	return err
}

// What is hidden cannot be replaced either: F9's key is the factory's.
func TestHiddenSlot(t *testing.T) {
	for _, shown := range []bool{false, true} {
		f := filled(t)
		m := newModule(t, f, Config{ShowHidden: shown})
		s := open(t, m, 0)
		found, err := find(m, s, Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_PUBLIC_KEY))}})
		must(t, "search", err)
		n, code := 3, ck.CKR_ATTRIBUTE_VALUE_INVALID
		if shown {
			n, code = 4, ck.CKR_OK
		}
		if len(found) != n {
			t.Errorf("shown %v: %d public keys, want %d", shown, len(found), n)
		}
		must(t, "close", m.CloseSession(s))
		before := f.infos["z"].Public
		want(t, "generate", generateAt(m, t, 25), code)
		if replaced := !samePublic(before, f.infos["z"].Public); replaced != shown {
			t.Errorf("shown %v: replaced %v", shown, replaced)
		}
	}
}

// Keys that the configuration hides are as if they were not there.
func TestHiddenKeys(t *testing.T) {
	f := filled(t)
	m := newModule(t, f, Config{HideKeys: []card.KeyRef{"b"}})
	s := open(t, m, ck.CKF_RW_SESSION)
	for _, template := range []Template{nil, {{ck.CKA_ID, []byte{2}}}} {
		found, err := find(m, s, template)
		must(t, "search", err)
		for _, h := range found {
			r := []Request{{Type: ck.CKA_ID, Out: Out{Room: 8}}}
			if m.GetAttributeValue(s, h, r) == nil && string(r[0].Out.Data) == "\x02" {
				t.Error("found")
			}
		}
	}
	want(t, "generate", generateAt(m, t, 2), ck.CKR_ATTRIBUTE_VALUE_INVALID)
}

// An application that was told of the last try may change the PIN with it, too.
func TestSetPINLastTry(t *testing.T) {
	f := filled(t)
	f.tries = 1
	m := newModule(t, f, Config{})
	s := open(t, m, ck.CKF_RW_SESSION)
	want(t, "untold", m.SetPIN(s, []byte(fakePIN), []byte("654321")), ck.CKR_FUNCTION_REJECTED)
	info, err := m.GetTokenInfo(0)
	must(t, "token information", err)
	if info.Flags&ck.CKF_USER_PIN_FINAL_TRY == 0 {
		t.Error("not told")
	}
	must(t, "told", m.SetPIN(s, []byte(fakePIN), []byte("654321")))
}

// A context-specific login with the PIN that the user logged in with asks the
// card nothing: the operation does.
func TestContextLoginAsksOnce(t *testing.T) {
	f := filled(t)
	m := newModule(t, f, Config{})
	s := open(t, m, 0)
	must(t, "login", m.Login(s, ck.CKU_USER, []byte(fakePIN)))
	key := only(t, m, s, keyTemplate(ck.CKO_PRIVATE_KEY, 2))
	must(t, "begin", m.SignInit(s, &Mechanism{Type: ck.CKM_ECDSA}, key))
	before := f.count()
	want(t, "wrong", m.Login(s, ck.CKU_CONTEXT_SPECIFIC, []byte("000000")), ck.CKR_PIN_INCORRECT)
	if n := f.count() - before; n != 1 {
		t.Errorf("a wrong PIN: %d questions, want 1", n)
	}
	before = f.count()
	must(t, "right", m.Login(s, ck.CKU_CONTEXT_SPECIFIC, []byte(fakePIN)))
	if n := f.count() - before; n != 0 {
		t.Errorf("the right PIN: %d questions, want none", n)
	}
	out(t, "sign", func(o *Out) error { return m.Sign(s, make([]byte, 32), o) })
}

// What a card cannot keep a promise about is refused.
func TestPromises(t *testing.T) {
	f := filled(t)
	m := newModule(t, f, Config{})
	want(t, "extractable", generateAt(m, t, 5, Attribute{ck.CKA_EXTRACTABLE, yes}), ck.CKR_TEMPLATE_INCONSISTENT)
	must(t, "not sensitive", generateAt(m, t, 5, Attribute{ck.CKA_SENSITIVE, no})) // pkcs11-tool says so, and it becomes better
	s := open(t, m, ck.CKF_RW_SESSION)
	must(t, "login", m.Login(s, ck.CKU_USER, []byte(fakePIN)))
	_, err := m.CreateObject(s, Template{
		{ck.CKA_CLASS, encodeULong(uint(ck.CKO_CERTIFICATE))},
		{ck.CKA_CERTIFICATE_TYPE, encodeULong(uint(ck.CKC_X_509))},
		{ck.CKA_TOKEN, yes},
		{ck.CKA_PRIVATE, yes},
		{ck.CKA_ID, []byte{1}},
		{ck.CKA_VALUE, f.certs["b"]},
	})
	want(t, "private certificate", err, ck.CKR_TEMPLATE_INCONSISTENT)
}

// Keys of a kind that the card does not make.
func TestUnsupportedKeys(t *testing.T) {
	m := newModule(t, filled(t), Config{})
	s := open(t, m, ck.CKF_RW_SESSION)
	must(t, "login", m.Login(s, ck.CKU_SO, []byte(fakeAdmin)))
	on := func(public ...Attribute) Template {
		return append(Template{{ck.CKA_TOKEN, yes}, {ck.CKA_ID, []byte{5}}}, public...)
	}
	_, _, err := m.GenerateKeyPair(s, &Mechanism{Type: ck.CKM_EC_KEY_PAIR_GEN}, on(Attribute{ck.CKA_EC_PARAMS, curves[1].params()}), on())
	want(t, "P-384", err, ck.CKR_CURVE_NOT_SUPPORTED)
	_, _, err = m.GenerateKeyPair(s, &Mechanism{Type: ck.CKM_RSA_PKCS_KEY_PAIR_GEN}, on(Attribute{ck.CKA_MODULUS_BITS, encodeULong(3072)}), on())
	want(t, "RSA-3072", err, ck.CKR_KEY_SIZE_RANGE)
}

// Keys have a subject, if an empty one (tables 4.8 and 4.10).
func TestKeySubject(t *testing.T) {
	m := newModule(t, filled(t), Config{})
	s := open(t, m, 0)
	key := only(t, m, s, keyTemplate(ck.CKO_PUBLIC_KEY, 1))
	r := []Request{{Type: ck.CKA_SUBJECT, Out: Out{Null: true}}}
	must(t, "CKA_SUBJECT", m.GetAttributeValue(s, key, r))
}
