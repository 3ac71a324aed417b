package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"cardbridge/pkcs11/ck"
)

// Wrapping in whole blocks fills a value up with zeros, and unwrapping cuts it to
// what type and CKA_VALUE_LEN say (sections 6.10.4, 6.10.5 and 5.18.4). A length
// that contradicts is refused with every mechanism.
func TestWrapLengths(t *testing.T) {
	k := newKeyring(t)
	by, err := k.m.CreateObject(k.s, with(implied(ck.CKO_SECRET_KEY, ck.CKK_AES), Attribute{ck.CKA_VALUE, make([]byte, 32)}))
	must(t, "C_CreateObject", err)
	ecb := &Mechanism{Type: ck.CKM_AES_ECB}
	cbc := &Mechanism{Type: ck.CKM_AES_CBC, Parameter: Parameter{Bytes: make([]byte, 16)}}
	padded := &Mechanism{Type: ck.CKM_AES_CBC_PAD, Parameter: Parameter{Bytes: make([]byte, 16)}}
	for _, c := range []struct {
		name    string
		mech    *Mechanism
		typ     ck.KeyType
		length  uint // of the key
		valueOf uint // CKA_VALUE_LEN of the template; 0 for none
		wrapped int
		code    ck.RV
		got     uint
	}{
		{"24 bytes", ecb, ck.CKK_AES, 24, 24, 32, ck.CKR_OK, 24},
		{"24 bytes in a chain", cbc, ck.CKK_AES, 24, 24, 32, ck.CKR_OK, 24},
		{"20 bytes", ecb, ck.CKK_GENERIC_SECRET, 20, 20, 32, ck.CKR_OK, 20},
		{"all that came", ecb, ck.CKK_GENERIC_SECRET, 20, 0, 32, ck.CKR_OK, 32},
		{"a type with one length", ecb, ck.CKK_DES3, 24, 0, 32, ck.CKR_OK, 24},
		{"a type with another length", ecb, ck.CKK_DES3, 24, 16, 32, ck.CKR_WRAPPED_KEY_LEN_RANGE, 0},
		{"more than came", ecb, ck.CKK_GENERIC_SECRET, 20, 33, 32, ck.CKR_WRAPPED_KEY_LEN_RANGE, 0},
		{"a block less", ecb, ck.CKK_AES, 32, 16, 32, ck.CKR_WRAPPED_KEY_LEN_RANGE, 0},
		{"padded", padded, ck.CKK_AES, 24, 24, 32, ck.CKR_OK, 24},
		{"padded, no length", padded, ck.CKK_AES, 24, 0, 32, ck.CKR_OK, 24},
		{"padded, another length", padded, ck.CKK_AES, 24, 16, 32, ck.CKR_WRAPPED_KEY_LEN_RANGE, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			value := randomBytes(c.length)
			key, err := k.m.CreateObject(k.s, with(implied(ck.CKO_SECRET_KEY, c.typ), Attribute{ck.CKA_VALUE, value}))
			must(t, "C_CreateObject", err)
			wrapped := out(t, "C_WrapKey", func(o *Out) error { return k.m.WrapKey(k.s, c.mech, by, key, o) })
			if len(wrapped) != c.wrapped {
				t.Fatalf("%d bytes, want %d", len(wrapped), c.wrapped)
			}
			template := with(implied(ck.CKO_SECRET_KEY, c.typ), Attribute{ck.CKA_EXTRACTABLE, yes}, Attribute{ck.CKA_SENSITIVE, no})
			if c.valueOf != 0 {
				template = with(template, Attribute{ck.CKA_VALUE_LEN, encodeULong(c.valueOf)})
			}
			again, err := k.m.UnwrapKey(k.s, c.mech, by, wrapped, template)
			want(t, "C_UnwrapKey", err, c.code)
			if err != nil {
				return
			}
			got := k.value(t, again, ck.CKA_VALUE)
			if uint(len(got)) != c.got || !bytes.Equal(got[:min(c.got, c.length)], value) {
				t.Errorf("%x unwraps to %x", value, got)
			}
		})
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := ec.Bytes()
	priv, err := k.m.CreateObject(k.s, with(implied(ck.CKO_PRIVATE_KEY, ck.CKK_EC), Attribute{ck.CKA_EC_PARAMS, curves[0].params()}, Attribute{ck.CKA_VALUE, d}, Attribute{ck.CKA_EXTRACTABLE, yes}))
	must(t, "C_CreateObject", err)
	want(t, "a private key, which tells no length", k.m.WrapKey(k.s, ecb, by, priv, &Out{Room: 1000}), ck.CKR_KEY_NOT_WRAPPABLE)
	must(t, "a private key, padded", k.m.WrapKey(k.s, padded, by, priv, &Out{Room: 1000}))
}

// C_WrapKeyAuthenticated takes a message's parameter: the IV is made, the tag
// stands beside, and the additional data counts (section 5.18.6 of 3.2).
func TestWrapAuthenticated(t *testing.T) {
	k := newKeyring(t)
	by, _ := k.key(ck.CKK_AES)
	value := randomBytes(20)
	key, err := k.m.CreateObject(k.s, with(implied(ck.CKO_SECRET_KEY, ck.CKK_GENERIC_SECRET), Attribute{ck.CKA_VALUE, value}))
	must(t, "C_CreateObject", err)
	iv, tag, aad := make([]byte, 12), make([]byte, 16), []byte("aad")
	mech := func(generator ck.Generator, bits int) *Mechanism {
		return &Mechanism{Type: ck.CKM_AES_GCM, Parameter: param(iv, 12, 0, uint(generator), tag, bits)}
	}
	ask := &Out{Null: true}
	must(t, "length", k.m.WrapKeyAuthenticated(k.s, mech(ck.CKG_GENERATE, 128), by, key, aad, ask))
	if ask.Len != 20 || !bytes.Equal(iv, make([]byte, 12)) {
		t.Errorf("length %d, IV %x", ask.Len, iv)
	}
	want(t, "a tag of no length", k.m.WrapKeyAuthenticated(k.s, mech(ck.CKG_GENERATE, 1), by, key, aad, &Out{Room: 100}), ck.CKR_MECHANISM_PARAM_INVALID)
	wrapped := out(t, "C_WrapKeyAuthenticated", func(o *Out) error {
		return k.m.WrapKeyAuthenticated(k.s, mech(ck.CKG_GENERATE, 128), by, key, aad, o)
	})
	if len(wrapped) != 20 || bytes.Equal(iv, make([]byte, 12)) || bytes.Equal(tag, make([]byte, 16)) {
		t.Fatalf("wrapped %x, IV %x, tag %x", wrapped, iv, tag)
	}
	template := with(implied(ck.CKO_SECRET_KEY, ck.CKK_GENERIC_SECRET), Attribute{ck.CKA_SENSITIVE, no})
	again, err := k.m.UnwrapKeyAuthenticated(k.s, mech(ck.CKG_NO_GENERATE, 128), by, wrapped, template, aad)
	must(t, "C_UnwrapKeyAuthenticated", err)
	if got := k.value(t, again, ck.CKA_VALUE); !bytes.Equal(got, value) {
		t.Errorf("%x unwraps to %x", value, got)
	}
	_, err = k.m.UnwrapKeyAuthenticated(k.s, mech(ck.CKG_NO_GENERATE, 128), by, wrapped, template, []byte("other"))
	want(t, "other additional data", err, ck.CKR_WRAPPED_KEY_INVALID)
	_, err = k.m.UnwrapKeyAuthenticated(k.s, mech(ck.CKG_NO_GENERATE, 128), by, wrapped, template, nil)
	want(t, "no additional data", err, ck.CKR_WRAPPED_KEY_INVALID)
}
