package pkcs11

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"testing"

	"cardbridge/pkcs11/ck"
)

// AES-GCM with IVs and tags of all lengths, beside the standard library's: a short
// tag is the beginning of the whole one.
func TestGCM(t *testing.T) {
	k := newKeyring(t)
	value := make([]byte, 16)
	key, err := k.m.CreateObject(k.s, with(implied(ck.CKO_SECRET_KEY, ck.CKK_AES), Attribute{ck.CKA_VALUE, value}))
	must(t, "C_CreateObject", err)
	block, err := aes.NewCipher(value)
	if err != nil {
		t.Fatal(err)
	}
	plain, aad := []byte("some text that is longer than a block"), []byte("aad")
	for _, ivLen := range []int{1, 8, 12, 16, 60} {
		iv := randomBytes(uint(ivLen))
		theirs, err := cipher.NewGCMWithNonceSize(block, ivLen)
		if err != nil {
			t.Fatal(err)
		}
		whole := theirs.Seal(nil, iv, plain, aad)
		for bits := 0; bits <= 144; bits += 4 {
			t.Run(fmt.Sprintf("IV %d tag %d", ivLen, bits), func(t *testing.T) {
				mech := &Mechanism{Type: ck.CKM_AES_GCM, Parameter: param(iv, ivLen, 8*ivLen, aad, len(aad), bits)}
				err := k.m.EncryptInit(k.s, mech, key)
				if n := bits / 8; bits%8 != 0 || n != 4 && n != 8 && (n < 12 || n > 16) {
					want(t, "C_EncryptInit", err, ck.CKR_MECHANISM_PARAM_INVALID)
					return
				}
				must(t, "C_EncryptInit", err)
				sealed := out(t, "C_Encrypt", func(o *Out) error { return k.m.Encrypt(k.s, plain, o) })
				if !bytes.Equal(sealed, whole[:len(plain)+bits/8]) {
					t.Errorf("%x, not the beginning of %x", sealed, whole)
				}
				must(t, "C_DecryptInit", k.m.DecryptInit(k.s, mech, key))
				if got := out(t, "C_Decrypt", func(o *Out) error { return k.m.Decrypt(k.s, sealed, o) }); !bytes.Equal(got, plain) {
					t.Errorf("decrypts to %q", got)
				}
				for _, at := range []int{0, len(sealed) - 1} {
					bad := bytes.Clone(sealed)
					bad[at] ^= 1
					must(t, "C_DecryptInit", k.m.DecryptInit(k.s, mech, key))
					want(t, "a changed one", k.m.Decrypt(k.s, bad, &Out{Room: 100}), ck.CKR_ENCRYPTED_DATA_INVALID)
				}
			})
		}
	}
}

// An IV that the token makes is there after C_EncryptMessageBegin, and is the
// message's, whatever becomes of the memory it was told in; the tag may have its
// place told with the last part.
func TestMessageIV(t *testing.T) {
	k := newKeyring(t)
	key, _ := k.key(ck.CKK_AES)
	iv, tag := make([]byte, 12), make([]byte, 16)
	p := param(iv, 12, 0, ck.CKG_GENERATE_RANDOM, tag, 128)
	must(t, "C_MessageEncryptInit", k.m.MessageEncryptInit(k.s, &Mechanism{Type: ck.CKM_AES_GCM}, key))
	must(t, "C_EncryptMessageBegin", k.m.EncryptMessageBegin(k.s, p, nil))
	made := bytes.Clone(iv)
	if bytes.Equal(made, make([]byte, 12)) {
		t.Fatal("no IV")
	}
	must(t, "C_EncryptMessageNext", k.m.EncryptMessageNext(k.s, p, []byte("plain "), &Out{Room: 100}, 0))
	o := &Out{Room: 100}
	must(t, "C_EncryptMessageNext", k.m.EncryptMessageNext(k.s, p, []byte("text"), o, ck.CKF_END_OF_MESSAGE))
	if !bytes.Equal(iv, made) {
		t.Error("another IV with the last part")
	}
	must(t, "C_MessageEncryptFinal", k.m.MessageEncryptFinal(k.s))

	late := func(place bool) Parameter {
		p := param(made, 12, 0, uint(ck.CKG_NO_GENERATE), tag, 128)
		if !place {
			binary.NativeEndian.PutUint64(p.Bytes[4*ck.ULongSize:], 0)
		}
		return p
	}
	must(t, "C_MessageDecryptInit", k.m.MessageDecryptInit(k.s, &Mechanism{Type: ck.CKM_AES_GCM}, key))
	want(t, "no place for a tag", k.m.DecryptMessage(k.s, late(false), nil, o.Data, &Out{Room: 100}), ck.CKR_MECHANISM_PARAM_INVALID)
	must(t, "C_MessageDecryptInit", k.m.MessageDecryptInit(k.s, &Mechanism{Type: ck.CKM_AES_GCM}, key))
	must(t, "C_DecryptMessageBegin", k.m.DecryptMessageBegin(k.s, late(false), nil))
	got := &Out{Room: 100}
	must(t, "C_DecryptMessageNext", k.m.DecryptMessageNext(k.s, late(true), o.Data, got, ck.CKF_END_OF_MESSAGE))
	if string(got.Data) != "plain text" {
		t.Errorf("decrypts to %q", got.Data)
	}
}
