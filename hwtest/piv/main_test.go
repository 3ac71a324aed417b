// Package piv_test lets clients that others wrote judge the PIV software card,
// through pcscd, and lets them and cardtool read each other's work.
package piv_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"cardbridge/hwtest"
)

func TestMain(m *testing.M) { hwtest.Main(m) }

// The secrets of a fresh card, as on the cards of the field.
const (
	factoryPIN = "123456"
	factoryPUK = "12345678"
	factoryKey = "010203040506070801020304050607080102030405060708"
)

// Personalities by what clients can do with them.
var (
	yubikeys = []string{"yubikey-5.7", "yubikey-5.4", "yubikey-4", "odd-policy"}
	nists    = []string{"nist", "nist-short", "max255", "no-extended", "global-pin"}
)

// An authority certifies keys that clients have made.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hwtest"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{key, cert}
}

func (a *authority) certify(t testing.TB, name string, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func certPEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func publicDER(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func publicPEM(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER(t, public)})
}

func parsePublic(t testing.TB, text []byte) crypto.PublicKey {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no PEM: %s", text)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func parseCert(t testing.TB, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no PEM: %s", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// verify checks a signature over the SHA-256 of message: PKCS #1 v1.5 or ECDSA
// in DER.
func verify(t testing.TB, public crypto.PublicKey, message, signature []byte) {
	t.Helper()
	digest := sha256.Sum256(message)
	switch k := public.(type) {
	case *rsa.PublicKey:
		if err := rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], signature); err != nil {
			t.Errorf("signature %.20x: %v", signature, err)
		}
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(k, digest[:], signature) {
			t.Errorf("signature %x does not verify", signature)
		}
	default:
		t.Errorf("a %T", public)
	}
}

// encrypt encrypts for an RSA key with PKCS #1 v1.5.
func encrypt(t testing.TB, public crypto.PublicKey, message []byte) []byte {
	t.Helper()
	//lint:ignore SA1019 cards and clients use it all the same
	out, err := rsa.EncryptPKCS1v15(rand.Reader, public.(*rsa.PublicKey), message)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// agreement is the other side of an ECDH with public: its own public key, and
// the secret that both must come to.
func agreement(t testing.TB, public crypto.PublicKey) (peer *ecdsa.PublicKey, secret []byte) {
	t.Helper()
	ours, err := public.(*ecdsa.PublicKey).ECDH()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(public.(*ecdsa.PublicKey).Curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	secret, err = private.ECDH(ours)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey, secret
}

// wantTries compares the card's own counters: no client, and not we, may spend
// a try that a person did not.
func wantTries(t testing.TB, r *hwtest.Rig, pin, puk int) {
	t.Helper()
	if gotPIN, gotPUK := r.Tries(t, 0); gotPIN != pin || gotPUK != puk && gotPUK >= 0 {
		t.Errorf("tries left: PIN %d, PUK %d; want %d, %d", gotPIN, gotPUK, pin, puk)
	}
}

// freshSecret is a number of six to eight digits that is to be a PIN, and that
// the search for secrets knows; so a test that uses it proves that nobody
// prints it.
func freshSecret(t testing.TB, name string, digits int) string {
	t.Helper()
	out := make([]byte, digits)
	for i := range out {
		n, err := rand.Int(rand.Reader, big.NewInt(10))
		if err != nil {
			t.Fatal(err)
		}
		out[i] = '0' + byte(n.Int64())
	}
	hwtest.NoteSecret(t.Name()+" "+name, out)
	return string(out)
}

// freshKey is a management key of n bytes in hex.
func freshKey(t testing.TB, n int) string {
	t.Helper()
	key := make([]byte, n)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	hwtest.NoteSecret(t.Name()+" management key", key)
	return hex.EncodeToString(key)
}
