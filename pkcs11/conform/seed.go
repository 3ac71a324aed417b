//go:build linux && cgo

package conform

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
)

// The keys every suite expects on the token. On a PIV card the identifiers are those of slots 9A, 9C and 9D.
const (
	RSAKey    byte = 1 // RSA-2048, signs and decrypts
	AlwaysKey byte = 2 // P-256, CKA_ALWAYS_AUTHENTICATE
	ECKey     byte = 3 // P-256, signs and derives
)

var oidP256 = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}

// Seed generates the three keys with a certificate each, through the C interface.
func (tg *Target) Seed(tb testing.TB) {
	tb.Helper()
	user := uint(SO)
	if tg.Store {
		user = User
	}
	a, s := tg.within(tb, user)
	for _, k := range []struct {
		id     byte
		rsa    bool
		always bool
	}{{RSAKey, true, false}, {AlwaysKey, false, true}, {ECKey, false, false}} {
		mech, public := Mech(p11.CKM_EC_KEY_PAIR_GEN), []Attr{A(p11.CKA_EC_PARAMS, oidP256), A(p11.CKA_VERIFY, true)}
		private := []Attr{A(p11.CKA_SIGN, true), A(p11.CKA_DERIVE, true)}
		if k.rsa {
			mech = Mech(p11.CKM_RSA_PKCS_KEY_PAIR_GEN)
			public = []Attr{A(p11.CKA_MODULUS_BITS, 2048), A(p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}), A(p11.CKA_VERIFY, true), A(p11.CKA_ENCRYPT, true)}
			private = []Attr{A(p11.CKA_SIGN, true), A(p11.CKA_DECRYPT, true)}
		}
		id := []byte{k.id}
		public = append(public, A(p11.CKA_TOKEN, true), A(p11.CKA_PRIVATE, false), A(p11.CKA_ID, id))
		private = append(private, A(p11.CKA_TOKEN, true), A(p11.CKA_PRIVATE, true), A(p11.CKA_SENSITIVE, true), A(p11.CKA_ID, id))
		if tg.Store {
			label := fmt.Sprintf("key %d", k.id)
			public, private = append(public, A(p11.CKA_LABEL, label)), append(private, A(p11.CKA_LABEL, label))
			if k.always {
				private = append(private, A(p11.CKA_ALWAYS_AUTHENTICATE, true))
			}
		}
		if _, _, rv := a.GenerateKeyPair(s, mech, public, private); rv != p11.CKR_OK {
			tb.Fatalf("C_GenerateKeyPair for key %d: %v", k.id, rv)
		}
	}
	certificates := map[byte][]byte{}
	if user == SO {
		a.must("C_Logout", a.Logout(s))
		a.must("C_Login", a.Login(s, User, tg.PIN))
	}
	for _, id := range []byte{RSAKey, AlwaysKey, ECKey} {
		signer, err := a.Signer(s, id, tg.PIN)
		if err != nil {
			tb.Fatal(err)
		}
		if certificates[id], err = selfSigned(signer, fmt.Sprintf("conform %d", id)); err != nil {
			tb.Fatal(err)
		}
	}
	if user == SO {
		a.must("C_Logout", a.Logout(s))
		a.must("C_Login", a.Login(s, SO, tg.SOPIN))
	}
	for id, der := range certificates {
		template := certificateTemplate(tb, der, id)
		if tg.Store {
			template = append(template, A(p11.CKA_LABEL, fmt.Sprintf("certificate %d", id)))
		}
		if _, rv := a.Create(s, template...); rv != p11.CKR_OK {
			tb.Fatalf("C_CreateObject of certificate %d: %v", id, rv)
		}
	}
	a.must("C_Finalize", a.Finalize())
}

func certificateTemplate(tb testing.TB, der []byte, id byte) []Attr {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	serial, err := asn1.Marshal(c.SerialNumber)
	if err != nil {
		tb.Fatal(err)
	}
	return []Attr{
		A(p11.CKA_CLASS, uint(p11.CKO_CERTIFICATE)), A(p11.CKA_CERTIFICATE_TYPE, uint(p11.CKC_X_509)), A(p11.CKA_TOKEN, true),
		A(p11.CKA_PRIVATE, false), A(p11.CKA_ID, []byte{id}), A(p11.CKA_SUBJECT, c.RawSubject), A(p11.CKA_ISSUER, c.RawIssuer),
		A(p11.CKA_SERIAL_NUMBER, serial), A(p11.CKA_VALUE, der),
	}
}

func selfSigned(s crypto.Signer, name string) ([]byte, error) {
	t := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"},
	}
	return x509.CreateCertificate(rand.Reader, t, t, s.Public(), s)
}

// GenerateKeyPair is C_GenerateKeyPair.
func (c Caller) GenerateKeyPair(session uint, mechanism Arg, public, private []Attr) (pub, priv uint, rv RV) {
	r := c.Call("C_GenerateKeyPair", N(session), mechanism, Template(public), N(uint(len(public))), Template(private), N(uint(len(private))), InOut(N(0)), InOut(N(0)))
	return r.Outs[0].Words[0], r.Outs[1].Words[0], r.RV
}

// signer is a key on the token as a crypto.Signer, for tests: Go's own crypto then judges its signatures.
type signer struct {
	c       Caller
	session uint
	key     uint
	pin     string
	public  crypto.PublicKey
}

// Signer is the private key with this CKA_ID. pin is for keys that want a login for each operation.
func (c Caller) Signer(session uint, id byte, pin string) (crypto.Signer, error) {
	key := c.Key(session, p11.CKO_PRIVATE_KEY, id)
	if key == 0 {
		return nil, fmt.Errorf("no private key %d", id)
	}
	pub, err := c.PublicKey(session, id)
	return &signer{c, session, key, pin, pub}, err
}

// PublicKey reads the public key object with this CKA_ID.
func (c Caller) PublicKey(session uint, id byte) (crypto.PublicKey, error) {
	h := c.Key(session, p11.CKO_PUBLIC_KEY, id)
	if h == 0 {
		return nil, fmt.Errorf("no public key %d", id)
	}
	if n, rv := c.Get(session, h, p11.CKA_MODULUS); rv == p11.CKR_OK && len(n) > 0 {
		e, rv := c.Get(session, h, p11.CKA_PUBLIC_EXPONENT)
		if rv != p11.CKR_OK {
			return nil, fmt.Errorf("CKA_PUBLIC_EXPONENT: %v", rv)
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
	}
	wrapped, rv := c.Get(session, h, p11.CKA_EC_POINT)
	if rv != p11.CKR_OK {
		return nil, fmt.Errorf("CKA_EC_POINT: %v", rv)
	}
	var point []byte
	if rest, err := asn1.Unmarshal(wrapped, &point); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("CKA_EC_POINT %x is no DER OCTET STRING: %v", wrapped, err)
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

func (s *signer) Public() crypto.PublicKey { return s.public }

var digestInfoSHA256 = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 {
		return nil, errors.New("only SHA-256 here")
	}
	mech, in := Mech(p11.CKM_ECDSA), digest
	_, isRSA := s.public.(*rsa.PublicKey)
	if isRSA {
		mech, in = Mech(p11.CKM_RSA_PKCS), append(append([]byte{}, digestInfoSHA256...), digest...)
	}
	if rv := s.c.begin("C_SignInit", s.session, mech, s.key); rv != p11.CKR_OK {
		return nil, fmt.Errorf("C_SignInit: %v", rv)
	}
	if always, rv := s.c.Get(s.session, s.key, p11.CKA_ALWAYS_AUTHENTICATE); rv == p11.CKR_OK && len(always) == 1 && always[0] == 1 {
		if rv := s.c.Login(s.session, Context, s.pin); rv != p11.CKR_OK {
			return nil, fmt.Errorf("C_Login for the operation: %v", rv)
		}
	}
	sig, rv := s.c.work("C_Sign", s.session, in, 1024)
	if rv != p11.CKR_OK {
		return nil, fmt.Errorf("C_Sign: %v", rv)
	}
	if isRSA {
		return sig, nil
	}
	half := len(sig) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])})
}

// verify judges a signature that Sign gave for raw mechanisms over a SHA-256 digest.
func verify(pub crypto.PublicKey, digest, sig []byte) bool {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, digest, sig) == nil
	case *ecdsa.PublicKey:
		half := len(sig) / 2
		return len(sig) > 0 && ecdsa.Verify(k, digest, new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:]))
	}
	return false
}

// Verify has a signer sign, and Go's own crypto judge the signature.
func Verify(tb testing.TB, s crypto.Signer) {
	tb.Helper()
	digest := sha256.Sum256([]byte("signed"))
	sig, err := s.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		tb.Fatal(err)
	}
	good := false
	switch k := s.Public().(type) {
	case *rsa.PublicKey:
		good = rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], sig) == nil
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(k, digest[:], sig)
	}
	if !good {
		tb.Errorf("a wrong signature: %x", sig)
	}
}
