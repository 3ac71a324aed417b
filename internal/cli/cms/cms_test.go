package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func selfSigned(t testing.TB, key crypto.Signer) *x509.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Tester"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func signers(t testing.TB) map[string]*Signer {
	t.Helper()
	r, _ := rsa.GenerateKey(rand.Reader, 2048)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	out := map[string]*Signer{}
	for name, key := range map[string]crypto.Signer{"rsa": r, "p256": p256, "p384": p384, "ed25519": ed} {
		hash, err := HashFor(key.Public(), 0)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &Signer{Certificate: selfSigned(t, key), Key: key, Hash: hash, Time: time.Now()}
	}
	return out
}

func digestOf(s *Signer, content []byte) []byte {
	h := s.Hash.New()
	h.Write(content)
	return h.Sum(nil)
}

// TestOpenSSLVerifies lets OpenSSL judge both forms for every kind of key.
func TestOpenSSLVerifies(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl")
	}
	content := bytes.Repeat([]byte("content\n"), 5000)
	for name, s := range signers(t) {
		if name == "ed25519" {
			continue // OpenSSL 3.0 cannot check RFC 8419; see TestVerify
		}
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := func(n string) string { return filepath.Join(dir, n) }
			os.WriteFile(path("content"), content, 0o600)
			os.WriteFile(path("ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate.Raw}), 0o600)
			m, err := s.Sign(digestOf(s, content))
			if err != nil {
				t.Fatal(err)
			}
			os.WriteFile(path("detached"), m.Detached(), 0o600)
			var attached bytes.Buffer
			if err := m.Attach(&attached, bytes.NewReader(content), int64(len(content))); err != nil {
				t.Fatal(err)
			}
			os.WriteFile(path("attached"), attached.Bytes(), 0o600)
			for _, args := range [][]string{
				{"-in", path("detached"), "-content", path("content")},
				{"-in", path("attached")},
			} {
				args = append([]string{"cms", "-verify", "-binary", "-inform", "DER", "-CAfile", path("ca.pem"), "-purpose", "any", "-out", path("out")}, args...)
				if out, err := exec.Command(openssl, args...).CombinedOutput(); err != nil {
					t.Fatalf("openssl %v: %v: %s", args, err, out)
				}
				if got, _ := os.ReadFile(path("out")); !bytes.Equal(got, content) {
					t.Errorf("openssl %v: other content came out", args)
				}
			}
		})
	}
}

// TestOpenSSLSigns checks what OpenSSL made, with and without signed attributes and with PSS.
func TestOpenSSLSigns(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl")
	}
	content := []byte("content\n")
	for name, s := range signers(t) {
		for form, extra := range map[string][]string{"attached": {"-nodetach"}, "detached": nil, "stream": {"-nodetach", "-stream"}, "noattr": {"-noattr"}, "pss": {"-keyopt", "rsa_padding_mode:pss"}} {
			if form == "pss" && name != "rsa" || name == "ed25519" {
				continue
			}
			t.Run(name+"/"+form, func(t *testing.T) {
				dir := t.TempDir()
				path := func(n string) string { return filepath.Join(dir, n) }
				os.WriteFile(path("content"), content, 0o600)
				os.WriteFile(path("cert"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate.Raw}), 0o600)
				key, _ := x509.MarshalPKCS8PrivateKey(s.Key)
				os.WriteFile(path("key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600)
				args := append([]string{"cms", "-sign", "-binary", "-outform", "DER", "-in", path("content"), "-out", path("sig"), "-signer", path("cert"), "-inkey", path("key")}, extra...)
				if out, err := exec.Command(openssl, args...).CombinedOutput(); err != nil {
					t.Fatalf("openssl: %v: %s", err, out)
				}
				der, _ := os.ReadFile(path("sig"))
				sd, err := Read(bytes.NewReader(der), int64(len(der)))
				if err != nil {
					t.Fatal(err)
				}
				var in *bytes.Reader
				if sd.Detached() {
					in = bytes.NewReader(content)
					if _, err := sd.Verify(bytes.NewReader([]byte("other\n"))); !errors.Is(err, ErrSignature) {
						t.Errorf("other content: %v", err)
					}
					_, err = sd.Verify(in)
				} else {
					_, err = sd.Verify(nil)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestVerify(t *testing.T) {
	content := []byte("content")
	for name, s := range signers(t) {
		m, err := s.Sign(digestOf(s, content))
		if err != nil {
			t.Fatal(err)
		}
		sd, err := Parse(m.Detached())
		if err != nil {
			t.Fatal(err)
		}
		got, err := sd.Verify(bytes.NewReader(content))
		if err != nil || len(got) != 1 || !got[0].Certificate.Equal(s.Certificate) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if _, err := sd.Verify(bytes.NewReader([]byte("Content"))); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: other content: %v", name, err)
		}
		if _, err := sd.Verify(nil); !errors.Is(err, ErrNoContent) {
			t.Errorf("%s: no content: %v", name, err)
		}
	}
}

func TestBundle(t *testing.T) {
	s := signers(t)["p256"]
	sd, err := Parse(Bundle([]*x509.Certificate{s.Certificate}))
	if err != nil || len(sd.Certificates) != 1 || !sd.Certificates[0].Equal(s.Certificate) {
		t.Fatalf("%v, %v", sd, err)
	}
	if _, err := sd.Verify(bytes.NewReader(nil)); err == nil {
		t.Error("a bundle is not a signature")
	}
}

func FuzzParse(f *testing.F) {
	s := signers(f)["p256"]
	m, err := s.Sign(digestOf(s, nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.Detached())
	var attached bytes.Buffer
	m.Attach(&attached, bytes.NewReader(nil), 0)
	f.Add(attached.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if sd, err := Parse(b); err == nil {
			sd.Verify(bytes.NewReader(nil))
		}
		if sd, err := Read(bytes.NewReader(b), int64(len(b))); err == nil {
			sd.Verify(nil)
		}
	})
}
