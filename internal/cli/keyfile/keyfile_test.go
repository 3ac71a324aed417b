package keyfile

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os/exec"
	"testing"

	"golang.org/x/crypto/ssh"
)

func noPassphrase() ([]byte, error) { return nil, errors.New("asked for a passphrase") }

func public(t testing.TB, key crypto.PrivateKey) crypto.PublicKey {
	t.Helper()
	switch k := key.(type) {
	case crypto.Signer:
		return k.Public()
	case *ecdh.PrivateKey:
		return k.PublicKey()
	}
	t.Fatalf("key of type %T", key)
	return nil
}

func keys(t testing.TB) map[string]crypto.PrivateKey {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	x, _ := ecdh.X25519().GenerateKey(rand.Reader)
	return map[string]crypto.PrivateKey{"rsa": r, "p256": p256, "p384": p384, "ed25519": ed, "x25519": x}
}

func armour(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// TestRoundTrips reads each kind of key in each form there is of it.
func TestRoundTrips(t *testing.T) {
	for name, key := range keys(t) {
		pub := public(t, key)
		forms := map[string][]byte{}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		forms["PKCS #8 DER"], forms["PKCS #8 PEM"] = der, armour("PRIVATE KEY", der)
		switch k := key.(type) {
		case *rsa.PrivateKey:
			der := x509.MarshalPKCS1PrivateKey(k)
			forms["PKCS #1 DER"], forms["PKCS #1 PEM"] = der, armour("RSA PRIVATE KEY", der)
		case *ecdsa.PrivateKey:
			der, _ := x509.MarshalECPrivateKey(k)
			forms["SEC 1 DER"], forms["SEC 1 PEM"] = der, armour("EC PRIVATE KEY", der)
			forms["SEC 1 PEM after parameters"] = append(armour("EC PARAMETERS", []byte{5, 0}), armour("EC PRIVATE KEY", der)...)
		}
		if name != "x25519" {
			block, err := ssh.MarshalPrivateKey(key, "")
			if err != nil {
				t.Fatal(err)
			}
			forms["OpenSSH"] = pem.EncodeToMemory(block)
		}
		for form, data := range forms {
			p, err := ReadPrivate(data, noPassphrase)
			if err != nil {
				t.Errorf("%s, %s: %v", name, form, err)
			} else if !Equal(public(t, p.Key), pub) {
				t.Errorf("%s, %s: another key came out", name, form)
			}
		}
		out, err := PublicPEM(pub)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for form, data := range map[string][]byte{"PEM": out, "DER": mustPEM(t, out)} {
			p, err := ReadPublic(data)
			if err != nil || !Equal(p.Key, pub) {
				t.Errorf("%s, public key in %s: %v", name, form, err)
			}
		}
	}
}

func mustPEM(t *testing.T, b []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(b)
	if block == nil {
		t.Fatal("no PEM")
	}
	return block.Bytes
}

// TestOpenSSLEncrypted reads what OpenSSL encrypts, in each way it does.
func TestOpenSSLEncrypted(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl")
	}
	key := keys(t)["p256"]
	der, _ := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	plain := armour("EC PRIVATE KEY", der)
	for form, args := range map[string][]string{
		"PKCS #8, AES":      {"pkcs8", "-topk8", "-v2", "aes-256-cbc"},
		"PKCS #8, scrypt":   {"pkcs8", "-topk8", "-scrypt"},
		"PKCS #8, 3DES":     {"pkcs8", "-topk8", "-v2", "des3"},
		"PKCS #8, DER":      {"pkcs8", "-topk8", "-outform", "DER"},
		"PKCS #8, SHA-512":  {"pkcs8", "-topk8", "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"},
		"PKCS #8, SHA-1":    {"pkcs8", "-topk8", "-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA1"},
		"PKCS #12's 3DES":   {"pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES"},
		"PKCS #12's 2DES":   {"pkcs8", "-topk8", "-v1", "PBE-SHA1-2DES"},
		"PBES1, MD5":        {"pkcs8", "-topk8", "-v1", "PBE-MD5-DES", "-provider", "legacy", "-provider", "default"},
		"PBES1, SHA-1":      {"pkcs8", "-topk8", "-v1", "PBE-SHA1-DES", "-provider", "legacy", "-provider", "default"},
		"PKCS #12":          {"pkcs12", "-export", "-nocerts"},
		"traditional, AES":  {"ec", "-aes128"},
		"traditional, 3DES": {"ec", "-des3"},
	} {
		cmd := exec.Command(openssl, append(args, "-passout", "pass:correct")...)
		if args[0] == "pkcs12" {
			// It reads keys from files only where there is no certificate.
			cmd.Args = append(cmd.Args, "-inkey", "/dev/stdin", "-in", "/dev/null")
		}
		cmd.Stdin = bytes.NewReader(plain)
		data, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: openssl: %v", form, err)
		}
		p, err := ReadPrivate(data, func() ([]byte, error) { return []byte("correct"), nil })
		if err != nil || !Equal(public(t, p.Key), public(t, key)) {
			t.Errorf("%s: %v", form, err)
		}
		if _, err := ReadPrivate(data, func() ([]byte, error) { return []byte("wrong"), nil }); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s, wrong passphrase: %v", form, err)
		}
		asked := errors.New("nobody there")
		if _, err := ReadPrivate(data, func() ([]byte, error) { return nil, asked }); !errors.Is(err, asked) {
			t.Errorf("%s, no passphrase: %v", form, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("text"), "PEM without base64": []byte("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n"),
		"PEM of rubbish": armour("PRIVATE KEY", []byte("rubbish")), "other PEM": armour("CERTIFICATE REQUEST", []byte{5, 0}),
		"half an encrypted key": {0x30, 0x04, 0x30, 0x02, 0x05, 0x00},
	} {
		if _, err := ReadPrivate(data, noPassphrase); err == nil {
			t.Errorf("private key: %s was taken", name)
		}
		if _, err := ReadPublic(data); err == nil {
			t.Errorf("public key: %s was taken", name)
		}
		if _, err := ReadCertificates(data); err == nil {
			t.Errorf("certificate: %s was taken", name)
		}
	}
	two := append(armour("PRIVATE KEY", mustDER(t)), armour("PRIVATE KEY", mustDER(t))...)
	if _, err := ReadPrivate(two, noPassphrase); err == nil {
		t.Error("two keys in a file were taken for one")
	}
}

func mustDER(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(keys(t)["ed25519"])
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func FuzzReadPrivate(f *testing.F) {
	for _, k := range keys(f) {
		der, _ := x509.MarshalPKCS8PrivateKey(k)
		f.Add(der)
		f.Add(armour("PRIVATE KEY", der))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ReadPrivate(b, noPassphrase)
		ReadPublic(b)
		ReadCertificates(b)
	})
}
