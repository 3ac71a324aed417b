//go:build linux && cgo

package pkcs11_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"cardbridge/hwtest"
)

// TestMiekg uses the module from Go by way of github.com/miekg/pkcs11, within
// this process: a Go program and a Go module, two runtimes in one.
func TestMiekg(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	tg := target(t, r)
	t.Setenv("CARDBRIDGE_READERS", "pcsc")
	m := p11.New(tg.Module)
	if m == nil {
		t.Fatal("the module does not load")
	}
	defer m.Destroy()
	if err := m.Initialize(); err != nil {
		t.Fatal(err)
	}
	defer m.Finalize() //nolint:errcheck // the test is over
	slots, err := m.GetSlotList(true)
	if err != nil || len(slots) != 1 {
		t.Fatalf("slots %v, %v", slots, err)
	}
	session, err := m.OpenSession(slots[0], p11.CKF_SERIAL_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Login(session, p11.CKU_USER, factoryPIN); err != nil {
		t.Fatal(err)
	}
	text := []byte("from Go")
	digest := sha256.Sum256(text)
	for id, mechanism := range map[byte]uint{1: p11.CKM_SHA256_RSA_PKCS, 3: p11.CKM_ECDSA_SHA256} {
		cert := certificateOf(t, m, session, id)
		key := one(t, m, session, p11.CKO_PRIVATE_KEY, id)
		if err := m.SignInit(session, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, key); err != nil {
			t.Fatal(err)
		}
		sig, err := m.Sign(session, text)
		if err != nil {
			t.Fatal(err)
		}
		switch k := cert.PublicKey.(type) {
		case *rsa.PublicKey:
			if err := rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], sig); err != nil {
				t.Error(err)
			}
		case *ecdsa.PublicKey:
			if !ecdsa.Verify(k, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
				t.Error("the signature is wrong")
			}
		}
	}
	if err := m.Logout(session); err != nil {
		t.Error(err)
	}
	wantTries(t, r)
}

func one(t *testing.T, m *p11.Ctx, session p11.SessionHandle, class uint, id byte) p11.ObjectHandle {
	t.Helper()
	if err := m.FindObjectsInit(session, []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, class), p11.NewAttribute(p11.CKA_ID, []byte{id})}); err != nil {
		t.Fatal(err)
	}
	found, _, err := m.FindObjects(session, 2)
	if err != nil || len(found) != 1 {
		t.Fatalf("objects of class %d with ID %d: %v, %v", class, id, found, err)
	}
	if err := m.FindObjectsFinal(session); err != nil {
		t.Fatal(err)
	}
	return found[0]
}

func certificateOf(t *testing.T, m *p11.Ctx, session p11.SessionHandle, id byte) *x509.Certificate {
	t.Helper()
	object := one(t, m, session, p11.CKO_CERTIFICATE, id)
	attrs, err := m.GetAttributeValue(session, object, []*p11.Attribute{p11.NewAttribute(p11.CKA_VALUE, nil)})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(attrs[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
