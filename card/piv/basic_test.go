//lint:file-ignore SA1019 the padding that cards are still used with is tested

package piv

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"testing"

	"cardbridge/card"
	"cardbridge/card/softcard"
)

var ctx = context.Background()

// algorithmsOf are what a personality's card makes, slow ones left out.
func algorithmsOf(name string) []card.Algorithm {
	switch name {
	case softcard.DefaultPersonality:
		all := []card.Algorithm{card.RSA1024, card.RSA2048, card.P256, card.P384, card.Ed25519, card.X25519}
		if !testing.Short() {
			all = append(all, card.RSA3072)
		}
		return all
	case "nist":
		return []card.Algorithm{card.RSA2048, card.P256, card.P384}
	}
	return []card.Algorithm{card.RSA2048, card.P256}
}

func TestUseEveryAlgorithm(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		conn := newSoft(t, name)
		c := admin(t, conn)
		ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
		for _, a := range algorithmsOf(name) {
			t.Run(string(a), func(t *testing.T) {
				made := generate(t, c, "9a", a, GenerateOptions{})
				found, err := c.Key(ctx, "9a")
				ok(t, err)
				if found.Algorithm != a {
					t.Fatalf("found %v", found.Algorithm)
				}
				if !made.Public.(interface{ Equal(crypto.PublicKey) bool }).Equal(found.Public) {
					t.Fatal("another key was found than made")
				}
				o := UseOptions{}
				if found.PINPolicy == card.PINAlways {
					o.PIN = sec(factoryPIN)
				}
				useKey(t, c.PrivateKey(ctx, found, o), made.Public)
				useKey(t, c.PrivateKey(ctx, card.KeyInfo{Ref: "9a"}, UseOptions{PIN: sec(factoryPIN)}), made.Public)
			})
		}
	})
}

// useKey does all that a key of its algorithm can do.
func useKey(t *testing.T, k card.PrivateKey, known crypto.PublicKey) {
	t.Helper()
	digest := sha256.Sum256([]byte("hello"))
	switch pub := known.(type) {
	case *rsa.PublicKey:
		sig, err := k.Sign(rand.Reader, digest[:], crypto.SHA256)
		ok(t, err)
		ok(t, rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig))
		sig, err = k.Sign(nil, digest[:10], crypto.Hash(0))
		ok(t, err)
		ok(t, rsa.VerifyPKCS1v15(pub, crypto.Hash(0), digest[:10], sig))
		for _, salt := range []int{rsa.PSSSaltLengthAuto, rsa.PSSSaltLengthEqualsHash, 7} {
			o := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: salt}
			sig, err := k.Sign(rand.Reader, digest[:], o)
			ok(t, err)
			ok(t, rsa.VerifyPSS(pub, crypto.SHA256, digest[:], sig, o))
		}
		secret := []byte("the secret")
		ct, err := rsa.EncryptPKCS1v15(rand.Reader, pub, secret)
		ok(t, err)
		pt, err := k.Decrypt(nil, ct, nil)
		ok(t, err)
		if !bytes.Equal(pt, secret) {
			t.Fatalf("decrypted to %q", pt)
		}
		ct, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, pub, secret, []byte("label"))
		ok(t, err)
		pt, err = k.Decrypt(nil, ct, &rsa.OAEPOptions{Hash: crypto.SHA256, Label: []byte("label")})
		ok(t, err)
		if !bytes.Equal(pt, secret) {
			t.Fatalf("decrypted to %q", pt)
		}
		if _, err := k.Decrypt(nil, ct, &rsa.OAEPOptions{Hash: crypto.SHA256}); !errors.Is(err, rsa.ErrDecryption) {
			t.Fatalf("another label: %v", err)
		}
		if _, err := k.ECDH(nil); !errors.Is(err, card.ErrWrongKey) {
			t.Fatalf("ECDH: %v", err)
		}
	case *ecdsa.PublicKey:
		for _, n := range []int{20, 32} {
			sig, err := k.Sign(nil, digest[:n], crypto.Hash(0))
			ok(t, err)
			if !ecdsa.VerifyASN1(pub, digest[:n], sig) {
				t.Fatal("bad signature")
			}
		}
		long := append(digest[:], digest[:]...)
		sig, err := k.Sign(nil, long, crypto.SHA512)
		ok(t, err)
		if !ecdsa.VerifyASN1(pub, long, sig) {
			t.Fatal("bad signature of a long digest")
		}
		own, err := pub.ECDH()
		ok(t, err)
		agree(t, k, own)
	case ed25519.PublicKey:
		sig, err := k.Sign(nil, []byte("hello"), crypto.Hash(0))
		ok(t, err)
		if !ed25519.Verify(pub, []byte("hello"), sig) {
			t.Fatal("bad signature")
		}
		if _, err := k.Sign(nil, digest[:], crypto.SHA256); !errors.Is(err, card.ErrWrongKey) {
			t.Fatalf("a digest: %v", err)
		}
	case *ecdh.PublicKey:
		agree(t, k, pub)
		if _, err := k.Sign(nil, digest[:], crypto.SHA256); !errors.Is(err, card.ErrWrongKey) {
			t.Fatalf("sign: %v", err)
		}
	default:
		t.Fatalf("public key %T", pub)
	}
}

func agree(t *testing.T, k card.PrivateKey, own *ecdh.PublicKey) {
	t.Helper()
	other, err := own.Curve().GenerateKey(rand.Reader)
	ok(t, err)
	got, err := k.ECDH(other.PublicKey())
	ok(t, err)
	want, err := other.ECDH(own)
	ok(t, err)
	if !bytes.Equal(got, want) {
		t.Fatal("another secret")
	}
}
