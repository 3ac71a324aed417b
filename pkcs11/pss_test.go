package pkcs11

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"cardbridge/pkcs11/ck"
)

// Our EMSA-PSS and the standard library's are the same where both do it, for
// moduli whose length in bits is and is not a multiple of eight.
func TestPSSAgainstStandardLibrary(t *testing.T) {
	for _, bits := range []int{1024, 1025, 1031, 2048} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		for _, salt := range []int{1, 20, 32, 40} {
			p := pss{hashByDigest(ck.CKM_SHA256), hashByDigest(ck.CKM_SHA256), salt}
			digest := randomBytes(32)
			opts := &rsa.PSSOptions{SaltLength: salt, Hash: crypto.SHA256}
			block, err := p.encode(&key.PublicKey, digest)
			if err != nil {
				t.Fatal(err)
			}
			sig, err := softKey{key}.RSA(block)
			if err != nil {
				t.Fatal(err)
			}
			if err := rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest, sig, opts); err != nil {
				t.Errorf("%d bits, salt %d: %v", bits, salt, err)
			}
			sig, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest, opts)
			if err != nil {
				t.Fatal(err)
			}
			if !p.verify(&key.PublicKey, digest, sig) {
				t.Errorf("%d bits, salt %d: not verified", bits, salt)
			}
			if wrong := (pss{p.hash, p.hash, salt + 1}); wrong.verify(&key.PublicKey, digest, sig) {
				t.Errorf("%d bits: a salt of %d passes for one of %d", bits, salt, salt+1)
			}
			digest[0] ^= 1
			if p.verify(&key.PublicKey, digest, sig) {
				t.Errorf("%d bits: another digest passes", bits)
			}
		}
	}
}

// What the standard library has not - no salt, two hashes - OpenSSL verifies.
func TestPSSAgainstOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is missing")
	}
	k := newKeyring(t)
	pub, priv := k.key(ck.CKK_RSA)
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	spki := k.value(t, pub, ck.CKA_PUBLIC_KEY_INFO)
	if _, err := x509.ParsePKIXPublicKey(spki); err != nil {
		t.Fatal(err)
	}
	key := file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
	for _, c := range []struct {
		mgf  ck.Generator
		name string
		salt int
	}{{ck.CKG_MGF1_SHA256, "sha256", 0}, {ck.CKG_MGF1_SHA1, "sha1", 32}, {ck.CKG_MGF1_SHA384, "sha384", 0}} {
		mech := &Mechanism{Type: ck.CKM_RSA_PKCS_PSS, Parameter: param(ck.CKM_SHA256, c.mgf, c.salt)}
		digest := randomBytes(32)
		must(t, "C_SignInit", k.m.SignInit(k.s, mech, priv))
		sig := out(t, "C_Sign", func(o *Out) error { return k.m.Sign(k.s, digest, o) })
		must(t, "C_VerifyInit", k.m.VerifyInit(k.s, mech, pub))
		must(t, "C_Verify", k.m.Verify(k.s, digest, sig))
		cmd := exec.Command("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-in", file("digest", digest), "-sigfile", file("sig", sig),
			"-pkeyopt", "digest:sha256", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:"+strconv.Itoa(c.salt), "-pkeyopt", "rsa_mgf1_md:"+c.name)
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("MGF1 %s, salt %d: %s", c.name, c.salt, msg)
		}
	}
}

// What a signature needs to be verified with, and what is no parameter.
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
