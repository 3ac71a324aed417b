package pkcs11

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"

	"cardbridge/pkcs11/ck"
)

// What this package encodes by itself is what crypto/rsa takes, wherever that
// can say the same; moduli whose length is no number of bytes included.
func TestEncodePSS(t *testing.T) {
	for _, bits := range []int{1024, 1025, 1031, 2048} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		row := hashByDigest(ck.CKM_SHA256)
		digest := sha256.Sum256([]byte("text"))
		for _, salt := range []int{1, 20, 32, encodedPSS(&key.PublicKey) - 34} {
			p := pss{row, row, salt}
			sig, err := softKey{key}.RSA(leftPad(p.encode(&key.PublicKey, digest[:], randomBytes(uint(salt))), key.Size()))
			if err != nil {
				t.Fatal(err)
			}
			if err := rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], sig, p.options()); err != nil {
				t.Errorf("%d bits, %d bytes of salt: %v", bits, salt, err)
			}
		}
	}
}

func TestPSSParameters(t *testing.T) {
	f := filled(t)
	m := newModule(t, f, Config{})
	s := open(t, m, 0)
	must(t, "login", m.Login(s, ck.CKU_USER, []byte(fakePIN)))
	private, public := only(t, m, s, keyTemplate(ck.CKO_PRIVATE_KEY, 1)), only(t, m, s, keyTemplate(ck.CKO_PUBLIC_KEY, 1))
	mech := func(typ ck.MechanismType, hash ck.MechanismType, mgf ck.Generator, salt uint) *Mechanism {
		return &Mechanism{Type: typ, Parameter: Parameter{Bytes: encodeULongs([]uint{uint(hash), uint(mgf), salt})}}
	}
	for _, test := range []struct {
		typ, hash ck.MechanismType
		mgf       ck.Generator
		salt      uint
		code      ck.RV
	}{
		{ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_SHA256, ck.CKG_MGF1_SHA256, 32, ck.CKR_OK},
		{ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_SHA256, ck.CKG_MGF1_SHA256, 0, ck.CKR_OK},
		{ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_SHA256, ck.CKG_MGF1_SHA1, 20, ck.CKR_OK},
		{ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_SHA256, ck.CKG_MGF1_SHA1, 0, ck.CKR_OK},
		{ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_SHA256, ck.CKG_MGF1_SHA256, 222, ck.CKR_OK},
		{ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_SHA256, ck.CKG_MGF1_SHA256, 223, ck.CKR_MECHANISM_PARAM_INVALID},
		{ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_SHA512, ck.CKG_MGF1_SHA512, 32, ck.CKR_MECHANISM_PARAM_INVALID},
		{ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_SHA256, 99, 32, ck.CKR_MECHANISM_PARAM_INVALID},
	} {
		with := mech(test.typ, test.hash, test.mgf, test.salt)
		err := m.SignInit(s, with, private)
		want(t, "begin", err, test.code)
		if err != nil {
			continue
		}
		sig := out(t, "sign", func(o *Out) error { return m.Sign(s, []byte("text"), o) })
		check := func(with *Mechanism, text string, sig []byte, code ck.RV) {
			t.Helper()
			must(t, "begin to verify", m.VerifyInit(s, with, public))
			want(t, "verify", m.Verify(s, []byte(text), sig), code)
		}
		check(with, "text", sig, ck.CKR_OK)
		check(with, "test", sig, ck.CKR_SIGNATURE_INVALID)
		check(mech(test.typ, test.hash, test.mgf, test.salt^1), "text", sig, ck.CKR_SIGNATURE_INVALID)
		sig[100] ^= 1
		check(with, "text", sig, ck.CKR_SIGNATURE_INVALID)
	}
}
