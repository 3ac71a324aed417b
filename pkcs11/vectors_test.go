package pkcs11

import (
	"bytes"
	"encoding/hex"
	"testing"

	"cardbridge/pkcs11/ck"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Key wrapping against the vectors of RFC 3394 (sections 4.1, 4.6) and RFC 5649
// (section 6).
func TestKeyWrapVectors(t *testing.T) {
	k := newKeyring(t)
	for _, v := range []struct {
		mech             ck.MechanismType
		kek, in, wrapped string
	}{
		{ck.CKM_AES_KEY_WRAP, "000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF", "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"},
		{ck.CKM_AES_KEY_WRAP, "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F", "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"},
		{ck.CKM_AES_KEY_WRAP_KWP, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "c37b7e6492584340bed12207808941155068f738", "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
		{ck.CKM_AES_KEY_WRAP_KWP, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
	} {
		free := Template{{ck.CKA_EXTRACTABLE, yes}, {ck.CKA_SENSITIVE, no}}
		kek, err := k.m.CreateObject(k.s, append(append(implied(ck.CKO_SECRET_KEY, ck.CKK_AES), free...), Attribute{ck.CKA_VALUE, unhex(t, v.kek)}))
		must(t, "KEK", err)
		key, err := k.m.CreateObject(k.s, append(append(implied(ck.CKO_SECRET_KEY, ck.CKK_GENERIC_SECRET), free...), Attribute{ck.CKA_VALUE, unhex(t, v.in)}))
		must(t, "key", err)
		got := out(t, "C_WrapKey", func(o *Out) error { return k.m.WrapKey(k.s, &Mechanism{Type: v.mech}, kek, key, o) })
		if !bytes.Equal(got, unhex(t, v.wrapped)) {
			t.Errorf("%v: %x, want %s", v.mech, got, v.wrapped)
		}
		h, err := k.m.UnwrapKey(k.s, &Mechanism{Type: v.mech}, kek, got, append(implied(ck.CKO_SECRET_KEY, ck.CKK_GENERIC_SECRET), free...))
		must(t, "C_UnwrapKey", err)
		if back := k.value(t, h, ck.CKA_VALUE); !bytes.Equal(back, unhex(t, v.in)) {
			t.Errorf("%v: unwraps to %x", v.mech, back)
		}
	}
}

// X25519 against RFC 7748 section 6.1, and the value readable because the
// template says so.
func TestX25519Vector(t *testing.T) {
	k := newKeyring(t)
	bob, err := k.m.CreateObject(k.s, append(implied(ck.CKO_PRIVATE_KEY, ck.CKK_EC_MONTGOMERY),
		Attribute{ck.CKA_EC_PARAMS, curves[4].params()},
		Attribute{ck.CKA_VALUE, unhex(t, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")}))
	must(t, "C_CreateObject", err)
	alice := unhex(t, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
	h, err := k.m.DeriveKey(k.s, &Mechanism{Type: ck.CKM_ECDH1_DERIVE, Parameter: param(uint(ck.CKD_NULL), 0, 0, len(alice), alice)}, bob,
		append(implied(ck.CKO_SECRET_KEY, ck.CKK_GENERIC_SECRET), Attribute{ck.CKA_SENSITIVE, no}, Attribute{ck.CKA_EXTRACTABLE, yes}))
	must(t, "C_DeriveKey", err)
	const shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
	if got := k.value(t, h, ck.CKA_VALUE); !bytes.Equal(got, unhex(t, shared)) {
		t.Errorf("%x", got)
	}
}
