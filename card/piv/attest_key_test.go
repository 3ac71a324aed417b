package piv

import (
	"crypto"
	"errors"
	"testing"

	"cardbridge/card"
)

// A key that took the place of another, under the other's certificate: the card
// without metadata tells by its attestation which it is.
func TestAttestedKey(t *testing.T) {
	conn := newSoft(t, "yubikey-4")
	c := admin(t, conn)
	generate(t, c, "9a", card.P384) // with a certificate
	now, err := c.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
	ok(t, err)

	c = bare(t, conn)
	k, err := c.Key(ctx, "9a")
	ok(t, err)
	if k.Algorithm != card.P384 {
		t.Fatalf("the certificate tells of a %s key", k.Algorithm)
	}
	if k, err = c.AttestedKey(ctx, "9a"); err != nil || !now.Public.(interface{ Equal(crypto.PublicKey) bool }).Equal(k.Public) {
		t.Errorf("attested: %v, %v", k, err)
	}
	if k, err = c.Key(ctx, "9a"); err != nil || k.Algorithm != card.P256 {
		t.Errorf("afterwards: %v, %v", k, err)
	}

	if _, err := c.AttestedKey(ctx, "9c"); !errors.Is(err, card.ErrNotFound) {
		t.Errorf("an empty slot: %v", err)
	}
	if _, err := bare(t, newSoft(t, "nist")).AttestedKey(ctx, "9a"); !errors.Is(err, card.ErrUnsupported) {
		t.Errorf("a card that attests nothing: %v", err)
	}
}

// That a slot has no certificate was learned before: the key is asked for all
// the same.
func TestKeyAfterNoCertificate(t *testing.T) {
	conn := newSoft(t, "yubikey-4")
	made, err := admin(t, conn).Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
	ok(t, err)
	c := bare(t, conn)
	if _, err := c.Certificate(ctx, "9a"); !errors.Is(err, card.ErrNotFound) {
		t.Fatal(err)
	}
	if k, err := c.Key(ctx, "9a"); err != nil || k.Algorithm != made.Algorithm {
		t.Errorf("%v, %v", k, err)
	}
	if _, err := c.Certificate(ctx, "9c"); !errors.Is(err, card.ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := c.Key(ctx, "9c"); !errors.Is(err, card.ErrNotFound) {
		t.Errorf("an empty slot: %v", err)
	}
}

// A card whose attestation key was replaced attests nothing; its keys with a
// certificate are found all the same.
func TestKeysWhereNothingAttests(t *testing.T) {
	conn := newSoft(t, "yubikey-4")
	c := admin(t, conn)
	generate(t, c, "9a", card.P256) // with a certificate
	_, err := c.Generate(ctx, "f9", GenerateOptions{Algorithm: card.P256})
	ok(t, err)
	keys, err := bare(t, conn).Keys(ctx)
	if err != nil || len(keys) != 1 || keys[0].Ref != "9a" {
		t.Errorf("%v, %v", keys, err)
	}
}
