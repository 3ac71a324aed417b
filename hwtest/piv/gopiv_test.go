package piv_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/go-piv/piv-go/v2/piv"

	"cardbridge/hwtest"
)

// go-piv on every YubiKey: it asks a card for its firmware first.
func TestGoPIV(t *testing.T) {
	hwtest.Each(t, hwtest.Destroys, yubikeys, testGoPIV)
}

func openGoPIV(t *testing.T, r *hwtest.Rig) *piv.YubiKey {
	t.Helper()
	yk, err := piv.Open(r.Reader(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { yk.Close() }) //nolint:errcheck // the rig goes anyway
	return yk
}

func mustHex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testGoPIV(t *testing.T, r *hwtest.Rig, personality string) {
	yk := openGoPIV(t, r)
	pinTries, pukTries := r.Tries(t, 0)
	modern := personality == "yubikey-5.7"
	ca := newAuthority(t)
	key := mustHex(t, factoryKey)

	serial, err := yk.Serial()
	if err != nil || fmt.Sprint(serial) != r.Serial(0) {
		t.Errorf("serial number %d, %v; want %s", serial, err, r.Serial(0))
	}
	if n, err := yk.Retries(); err != nil || n != pinTries {
		t.Errorf("%d tries, %v", n, err)
	}

	retired, _ := piv.RetiredKeyManagementSlot(0x82)
	for _, tt := range []struct {
		slot      piv.Slot
		algorithm piv.Algorithm
		modern    bool
	}{
		{piv.SlotAuthentication, piv.AlgorithmEC256, false},
		{piv.SlotSignature, piv.AlgorithmEC384, false},
		{piv.SlotKeyManagement, piv.AlgorithmRSA2048, false},
		{piv.SlotCardAuthentication, piv.AlgorithmEC256, false},
		{piv.SlotSignature, piv.AlgorithmEd25519, true},
		{retired, piv.AlgorithmX25519, true},
		{retired, piv.AlgorithmRSA3072, true},
	} {
		if tt.modern && !modern {
			continue
		}
		public, err := yk.GenerateKey(key, tt.slot, piv.Key{Algorithm: tt.algorithm, PINPolicy: piv.PINPolicyOnce, TouchPolicy: piv.TouchPolicyNever})
		if err != nil {
			t.Fatalf("%v: %v", tt, err)
		}
		if _, isX := public.(*ecdh.PublicKey); !isX {
			cert := ca.certify(t, "go-piv "+tt.slot.String(), public)
			if err := yk.SetCertificate(key, tt.slot, cert); err != nil {
				t.Fatalf("%v: %v", tt, err)
			}
			if got, err := yk.Certificate(tt.slot); err != nil || !got.Equal(cert) {
				t.Errorf("%v: certificate: %v", tt, err)
			}
		}
		if personality != "yubikey-4" {
			info, err := yk.KeyInfo(tt.slot)
			if err != nil || info.Algorithm != tt.algorithm || info.PINPolicy != piv.PINPolicyOnce || !publicEqual(info.PublicKey, public) {
				t.Errorf("%v: %+v, %v", tt, info, err)
			}
		}
		attestation, err := yk.Attest(tt.slot)
		if err != nil {
			t.Errorf("%v: attest: %v", tt, err)
		} else if _, isX := public.(*ecdh.PublicKey); !isX && !publicEqual(attestation.PublicKey, public) {
			t.Errorf("%v: attestation of another key", tt)
		}
		private, err := yk.PrivateKey(tt.slot, public, piv.KeyAuth{PIN: factoryPIN, PINPolicy: piv.PINPolicyOnce})
		if err != nil {
			t.Fatal(err)
		}
		useKey(t, private, public)
	}
	wantTries(t, r, pinTries, pukTries)

	// Import.
	imported, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := yk.SetPrivateKeyInsecure(key, piv.SlotAuthentication, imported, piv.Key{PINPolicy: piv.PINPolicyNever, TouchPolicy: piv.TouchPolicyNever}); err != nil {
		t.Fatal(err)
	}
	private, err := yk.PrivateKey(piv.SlotAuthentication, imported.Public(), piv.KeyAuth{PINPolicy: piv.PINPolicyNever})
	if err != nil {
		t.Fatal(err)
	}
	useKey(t, private, imported.Public())

	// Secrets.
	pin, puk, pin2 := freshSecret(t, "PIN", 7), freshSecret(t, "PUK", 6), freshSecret(t, "second PIN", 8)
	for what, err := range map[string]error{"PIN": yk.SetPIN(factoryPIN, pin), "PUK": yk.SetPUK(factoryPUK, puk)} {
		if err != nil {
			t.Errorf("change %s: %v", what, err)
		}
	}
	var auth piv.AuthErr
	if err := yk.VerifyPIN("000000"); !errors.As(err, &auth) || auth.Retries != pinTries-1 {
		t.Errorf("wrong PIN: %v", err)
	}
	wantTries(t, r, pinTries-1, pukTries)
	if err := yk.VerifyPIN(pin); err != nil {
		t.Error(err)
	}
	if err := yk.Unblock(puk, pin2); err != nil {
		t.Error(err)
	}
	if err := yk.VerifyPIN(pin2); err != nil {
		t.Error(err)
	}
	wantTries(t, r, pinTries, pukTries)
	newKey := mustHex(t, freshKey(t, 24))
	if err := yk.SetManagementKey(key, newKey); err != nil {
		t.Error(err)
	}
	if err := yk.SetMetadata(newKey, &piv.Metadata{ManagementKey: &newKey}); err != nil {
		t.Error(err)
	}
	if m, err := yk.Metadata(pin2); err != nil || m.ManagementKey == nil || !bytes.Equal(*m.ManagementKey, newKey) {
		t.Errorf("PIN-protected management key: %v", err)
	}
	if err := yk.SetRetries(newKey, pin2, 6, 7); err != nil {
		t.Error(err)
	}
	wantTries(t, r, 6, 7)
	if err := yk.Reset(); err != nil {
		t.Error(err)
	}
	wantTries(t, r, pinTries, pukTries)
}

// useKey does all that a key of its kind can do, and checks the results with
// the standard library.
func useKey(t *testing.T, private crypto.PrivateKey, public crypto.PublicKey) {
	t.Helper()
	message := []byte("message")
	digest := sha256.Sum256(message)
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		signature, err := private.(crypto.Signer).Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		verify(t, k, message, signature)
		peer, want := agreement(t, k)
		x, err := peer.ECDH()
		if err != nil {
			t.Fatal(err)
		}
		got, err := private.(interface {
			ECDH(peer *ecdh.PublicKey) ([]byte, error)
		}).ECDH(x)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("agreed on %x, %v; want %x", got, err, want)
		}
	case *rsa.PublicKey:
		signature, err := private.(crypto.Signer).Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		verify(t, k, message, signature)
		signature, err = private.(crypto.Signer).Sign(rand.Reader, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPSS(k, crypto.SHA256, digest[:], signature, nil); err != nil {
			t.Error(err)
		}
		got, err := private.(crypto.Decrypter).Decrypt(rand.Reader, encrypt(t, k, message), nil)
		if err != nil || !bytes.Equal(got, message) {
			t.Errorf("decrypted %x, %v", got, err)
		}
	case ed25519.PublicKey:
		signature, err := private.(crypto.Signer).Sign(rand.Reader, message, crypto.Hash(0))
		if err != nil || !ed25519.Verify(k, message, signature) {
			t.Errorf("signature %x, %v", signature, err)
		}
	case *ecdh.PublicKey:
		peer, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		want, err := peer.ECDH(k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := private.(interface {
			ECDH(peer *ecdh.PublicKey) ([]byte, error)
		}).ECDH(peer.PublicKey())
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("agreed on %x, %v; want %x", got, err, want)
		}
	default:
		t.Fatalf("a %T", public)
	}
}
