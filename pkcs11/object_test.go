package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"testing"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// One attribute has one row for each class and kind of key.
func TestAttributeTable(t *testing.T) {
	for i, a := range attributeTable {
		for _, b := range attributeTable[:i] {
			if a.typ == b.typ && a.classes&b.classes != 0 && (a.keys == 0 || b.keys == 0 || a.keys&b.keys != 0) {
				t.Errorf("%v: two rows for the same objects", a.typ)
			}
		}
		if a.value != nil && !a.wellFormed(a.value) {
			t.Errorf("%v: the default is malformed", a.typ)
		}
		if a.rules&(onlyTrue|onlyFalse) != 0 && a.kind != boolean {
			t.Errorf("%v: no boolean", a.typ)
		}
	}
}

func with(t Template, more ...Attribute) Template { return append(append(Template{}, t...), more...) }

// ecPrivate is a private key on P-256, of no value to anybody.
func ecPrivate() Template {
	return with(implied(ck.CKO_PRIVATE_KEY, ck.CKK_EC), Attribute{ck.CKA_EC_PARAMS, curves[0].params()}, Attribute{ck.CKA_VALUE, append(make([]byte, 31), 7)})
}

// What C_CreateObject refuses, and how.
func TestCreateRefuses(t *testing.T) {
	m := newModule(t, newFakeCard(), Config{})
	s := open(t, m, ck.CKF_RW_SESSION)
	aes := with(implied(ck.CKO_SECRET_KEY, ck.CKK_AES), Attribute{ck.CKA_VALUE, make([]byte, 16)})
	for _, c := range []struct {
		name string
		t    Template
		code ck.RV
	}{
		{"nothing", nil, ck.CKR_TEMPLATE_INCOMPLETE},
		{"no class", Template{{ck.CKA_KEY_TYPE, encodeULong(uint(ck.CKK_AES))}}, ck.CKR_TEMPLATE_INCOMPLETE},
		{"malformed class", Template{{ck.CKA_CLASS, []byte{1}}}, ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"class of no object", Template{{ck.CKA_CLASS, encodeULong(99)}}, ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a profile", Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_PROFILE))}}, ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"no key type", Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_SECRET_KEY))}}, ck.CKR_TEMPLATE_INCOMPLETE},
		{"a key type of another class", implied(ck.CKO_PUBLIC_KEY, ck.CKK_AES), ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"no value", implied(ck.CKO_SECRET_KEY, ck.CKK_AES), ck.CKR_TEMPLATE_INCOMPLETE},
		{"a value too long", with(implied(ck.CKO_SECRET_KEY, ck.CKK_AES), Attribute{ck.CKA_VALUE, make([]byte, 17)}), ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"an unknown attribute", with(aes, Attribute{0x80001234, no}), ck.CKR_ATTRIBUTE_TYPE_INVALID},
		{"an attribute of another class", with(aes, Attribute{ck.CKA_MODULUS, []byte{1}}), ck.CKR_ATTRIBUTE_TYPE_INVALID},
		{"an attribute nobody sets", with(aes, Attribute{ck.CKA_LOCAL, yes}), ck.CKR_ATTRIBUTE_READ_ONLY},
		{"an attribute of other functions", with(aes, Attribute{ck.CKA_VALUE_LEN, encodeULong(16)}), ck.CKR_TEMPLATE_INCONSISTENT},
		{"trusted, which it is not", with(aes, Attribute{ck.CKA_TRUSTED, no}), ck.CKR_OK},
		{"trusted", with(aes, Attribute{ck.CKA_TRUSTED, yes}), ck.CKR_ATTRIBUTE_READ_ONLY},
		{"a private key that is public and asks for the PIN each time", with(ecPrivate(), Attribute{ck.CKA_ALWAYS_AUTHENTICATE, yes}), ck.CKR_TEMPLATE_INCONSISTENT},
		{"another key's public half", with(ecPrivate(), Attribute{ck.CKA_PUBLIC_KEY_INFO, []byte("other")}), ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"no word of the public half", with(ecPrivate(), Attribute{ck.CKA_PUBLIC_KEY_INFO, blank}), ck.CKR_OK},
		{"a boolean of two bytes", with(aes, Attribute{ck.CKA_SIGN, []byte{1, 0}}), ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"two values", with(aes, Attribute{ck.CKA_SIGN, yes}, Attribute{ck.CKA_SIGN, no}), ck.CKR_TEMPLATE_INCONSISTENT},
		{"the same value twice", with(aes, Attribute{ck.CKA_SIGN, yes}, Attribute{ck.CKA_SIGN, yes}), ck.CKR_OK},
		{"private without login", with(aes, Attribute{ck.CKA_PRIVATE, yes}), ck.CKR_USER_NOT_LOGGED_IN},
		{"a secret key on the card", with(aes, Attribute{ck.CKA_TOKEN, yes}), ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a wrong check value", with(aes, Attribute{ck.CKA_CHECK_VALUE, []byte{1, 2, 3}}), ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a point off the curve", with(implied(ck.CKO_PUBLIC_KEY, ck.CKK_EC), Attribute{ck.CKA_EC_PARAMS, curves[0].params()}, Attribute{ck.CKA_EC_POINT, make([]byte, 65)}), ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a curve that is not known", with(implied(ck.CKO_PUBLIC_KEY, ck.CKK_EC), Attribute{ck.CKA_EC_PARAMS, []byte{6, 1, 42}}, Attribute{ck.CKA_EC_POINT, make([]byte, 65)}), ck.CKR_CURVE_NOT_SUPPORTED},
		{"a modulus too short", with(implied(ck.CKO_PUBLIC_KEY, ck.CKK_RSA), Attribute{ck.CKA_MODULUS, []byte{0xFF, 1}}, Attribute{ck.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}}), ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a certificate that is none", Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_CERTIFICATE))}, {ck.CKA_CERTIFICATE_TYPE, encodeULong(0)}, {ck.CKA_VALUE, []byte("no")}}, ck.CKR_ATTRIBUTE_VALUE_INVALID},
	} {
		_, err := m.CreateObject(s, c.t)
		if got := Code(err); got != c.code {
			t.Errorf("%s: %v, want %v", c.name, got, c.code)
		}
	}
	ro := open(t, m, 0)
	_, err := m.CreateObject(ro, aes)
	must(t, "a session object in a R/O session (S2)", err)
	_, err = m.CreateObject(ro, Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_DATA))}, {ck.CKA_TOKEN, yes}})
	want(t, "a token object in a R/O session (S2)", err, ck.CKR_SESSION_READ_ONLY)
}

// Objects told back as they were made, sensitive ones not.
func TestAttributes(t *testing.T) {
	k := newKeyring(t)
	secret, err := k.m.CreateObject(k.s, with(implied(ck.CKO_SECRET_KEY, ck.CKK_GENERIC_SECRET),
		Attribute{ck.CKA_VALUE, []byte("hidden")}, Attribute{ck.CKA_SENSITIVE, yes}, Attribute{ck.CKA_LABEL, []byte("mine")}))
	must(t, "C_CreateObject", err)
	r := []Request{
		{Type: ck.CKA_LABEL, Out: Out{Null: true}},
		{Type: ck.CKA_VALUE, Out: Out{Room: 100}},
		{Type: ck.CKA_MODULUS, Out: Out{Room: 100}},
		{Type: ck.CKA_LABEL, Out: Out{Room: 3}},
		{Type: ck.CKA_LABEL, Out: Out{Room: 4}},
	}
	err = k.m.GetAttributeValue(k.s, secret, r)
	if c := Code(err); c != ck.CKR_ATTRIBUTE_SENSITIVE && c != ck.CKR_ATTRIBUTE_TYPE_INVALID && c != ck.CKR_BUFFER_TOO_SMALL {
		t.Errorf("C_GetAttributeValue: %v", c)
	}
	for i, n := range []uint{4, ck.Unavailable, ck.Unavailable, ck.Unavailable, 4} {
		if r[i].Out.Len != n {
			t.Errorf("attribute %d: length %d, want %d", i, r[i].Out.Len, n)
		}
	}
	if string(r[4].Out.Data) != "mine" {
		t.Errorf("label %q", r[4].Out.Data)
	}
	want(t, "a search by a sensitive value", find1(k.m, k.s, Template{{ck.CKA_VALUE, []byte("hidden")}}), ck.CKR_OBJECT_HANDLE_INVALID)
	must(t, "a search by label", find1(k.m, k.s, Template{{ck.CKA_LABEL, []byte("mine")}}))
	want(t, "less sensitive", k.m.SetAttributeValue(k.s, secret, Template{{ck.CKA_SENSITIVE, no}}), ck.CKR_ATTRIBUTE_READ_ONLY)
	must(t, "not extractable", k.m.SetAttributeValue(k.s, secret, Template{{ck.CKA_EXTRACTABLE, no}}))
	want(t, "extractable again", k.m.SetAttributeValue(k.s, secret, Template{{ck.CKA_EXTRACTABLE, yes}}), ck.CKR_ATTRIBUTE_READ_ONLY)
	want(t, "another class", k.m.SetAttributeValue(k.s, secret, Template{{ck.CKA_CLASS, encodeULong(2)}}), ck.CKR_ATTRIBUTE_READ_ONLY)
	must(t, "another label", k.m.SetAttributeValue(k.s, secret, Template{{ck.CKA_LABEL, []byte("ours")}}))
	fixed, err := k.m.CopyObject(k.s, secret, Template{{ck.CKA_MODIFIABLE, no}, {ck.CKA_LABEL, []byte("copy")}})
	must(t, "C_CopyObject", err)
	want(t, "a change to it", k.m.SetAttributeValue(k.s, fixed, Template{{ck.CKA_LABEL, []byte("x")}}), ck.CKR_ACTION_PROHIBITED)
	if string(k.value(t, fixed, ck.CKA_LABEL)) != "copy" || string(k.value(t, secret, ck.CKA_LABEL)) != "ours" {
		t.Error("copy and original share a label")
	}
	if bytes.Equal(k.value(t, fixed, ck.CKA_UNIQUE_ID), k.value(t, secret, ck.CKA_UNIQUE_ID)) {
		t.Error("copy and original share a CKA_UNIQUE_ID")
	}
	n, err := k.m.GetObjectSize(k.s, secret)
	if err != nil || n == 0 {
		t.Errorf("C_GetObjectSize: %d, %v", n, err)
	}
	kept, err := k.m.CopyObject(k.s, secret, Template{{ck.CKA_DESTROYABLE, no}})
	must(t, "C_CopyObject", err)
	want(t, "its end", k.m.DestroyObject(k.s, kept), ck.CKR_ACTION_PROHIBITED)
	must(t, "not trusted, as ever", k.m.SetAttributeValue(k.s, secret, Template{{ck.CKA_TRUSTED, no}}))
	want(t, "trusted", k.m.SetAttributeValue(k.s, secret, Template{{ck.CKA_TRUSTED, yes}}), ck.CKR_ATTRIBUTE_READ_ONLY)
	must(t, "C_DestroyObject", k.m.DestroyObject(k.s, secret))
	want(t, "C_DestroyObject again", k.m.DestroyObject(k.s, secret), ck.CKR_OBJECT_HANDLE_INVALID)
}

func find(m *Module, s session.SessionHandle, t Template) ([]session.ObjectHandle, error) {
	if err := m.FindObjectsInit(s, t); err != nil {
		return nil, err
	}
	all, err := m.FindObjects(s, 100)
	if err != nil {
		return nil, err
	}
	return all, m.FindObjectsFinal(s)
}

// find1 is nil if just one object matches.
func find1(m *Module, s session.SessionHandle, t Template) error {
	all, err := find(m, s, t)
	if err == nil && len(all) != 1 {
		return ck.CKR_OBJECT_HANDLE_INVALID
	}
	return err
}

func certificate(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(200), Subject: pkix.Name{CommonName: "somebody"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// RSA and EC private keys brought in as their numbers sign as they should, and
// a certificate tells what is in it.
func TestImportedKeys(t *testing.T) {
	k := newKeyring(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	priv, err := k.m.CreateObject(k.s, with(implied(ck.CKO_PRIVATE_KEY, ck.CKK_RSA),
		Attribute{ck.CKA_MODULUS, key.N.Bytes()}, Attribute{ck.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}}, Attribute{ck.CKA_PRIVATE_EXPONENT, key.D.Bytes()},
		Attribute{ck.CKA_PRIME_1, key.Primes[0].Bytes()}, Attribute{ck.CKA_PRIME_2, key.Primes[1].Bytes()}))
	must(t, "C_CreateObject", err)
	must(t, "C_SignInit", k.m.SignInit(k.s, &Mechanism{Type: ck.CKM_RSA_X_509}, priv))
	block := append([]byte{0}, randomBytes(255)...)
	sig := out(t, "C_Sign", func(o *Out) error { return k.m.Sign(k.s, block, o) })
	if got, err := publicRSA(&key.PublicKey, sig); err != nil || !bytes.Equal(got, block) {
		t.Errorf("raw RSA: %x, %v", got, err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der := certificate(t, ec)
	c, err := k.m.CreateObject(k.s, Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_CERTIFICATE))}, {ck.CKA_CERTIFICATE_TYPE, encodeULong(0)}, {ck.CKA_VALUE, der}})
	must(t, "C_CreateObject", err)
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	for typ, v := range map[ck.AttributeType][]byte{
		ck.CKA_SUBJECT: parsed.RawSubject, ck.CKA_ISSUER: parsed.RawIssuer, ck.CKA_SERIAL_NUMBER: {2, 2, 0, 200}, ck.CKA_PUBLIC_KEY_INFO: parsed.RawSubjectPublicKeyInfo,
	} {
		if got := k.value(t, c, typ); !bytes.Equal(got, v) {
			t.Errorf("%v: %x, want %x", typ, got, v)
		}
	}
}

// Two threads that change one object change both what they want: above all, a
// key that may not leave any more stays so whatever another thread sets.
func TestChangesAtOnce(t *testing.T) {
	k := newKeyring(t)
	other := open(t, k.m, 0)
	for range 300 {
		key, err := k.m.CreateObject(k.s, with(implied(ck.CKO_SECRET_KEY, ck.CKK_GENERIC_SECRET), Attribute{ck.CKA_VALUE, []byte("value")}))
		must(t, "C_CreateObject", err)
		var both sync.WaitGroup
		both.Go(func() {
			if err := k.m.SetAttributeValue(k.s, key, Template{{ck.CKA_EXTRACTABLE, no}}); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			for i := range 8 {
				if err := k.m.SetAttributeValue(other, key, Template{{ck.CKA_LABEL, []byte{byte(i)}}}); err != nil {
					t.Error(err)
				}
			}
		})
		both.Wait()
		if k.value(t, key, ck.CKA_EXTRACTABLE)[0] != 0 || k.value(t, key, ck.CKA_LABEL)[0] != 7 {
			t.Fatal("a change is lost")
		}
	}
}

// Handles fit CK_ULONG, wherever that has 32 bits, however often one is used.
func TestHandlesFit(t *testing.T) {
	m := newModule(t, newFakeCard(), Config{})
	for range 1000 {
		s := open(t, m, 0)
		if n, ok := decodeULong(encodeULong(uint(s))); !ok || session.SessionHandle(n) != s {
			t.Fatalf("session %#x does not fit %d bytes", uint64(s), ck.ULongSize)
		}
		must(t, "C_CloseSession", m.CloseSession(s))
	}
}
