package piv_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/hwtest"
	"cardbridge/internal/secret"
)

// What a signature may cost, counted at the card. Cold is a whole run of
// cardtool: SELECT, the state of the PIN, the key's type, VERIFY, GENERAL
// AUTHENTICATE. Warm is each further signature on an open connection.
func TestSignBudgets(t *testing.T) {
	for _, tt := range []struct {
		personality string
		algorithm   string
		cold, warm  int
	}{
		{"yubikey-5.7", "p-256", 5, 1},
		{"yubikey-5.7", "ed25519", 5, 1},
		{"yubikey-5.7", "rsa-2048", 5, 1},
		// Without metadata the certificate tells the key's type. A YubiKey has to
		// be asked for metadata to find out that it has none.
		{"yubikey-4", "p-256", 7, 1},
		// The discovery object says which PIN is meant.
		{"nist", "p-256", 6, 1},
		{"nist", "rsa-2048", 6, 1},
		// In short form a certificate comes in parts of 256 bytes, and RSA takes
		// a chain of two commands and a GET RESPONSE.
		{"nist-short", "rsa-2048", 10, 3},
	} {
		t.Run(tt.personality+" "+tt.algorithm, func(t *testing.T) {
			r := hwtest.Start(t, hwtest.Config{Personalities: []string{tt.personality}})
			r.File("message", message)
			c := newCardtool(t, r)
			c.run(t, flags([]string{"key", "generate", "9a", "--algorithm", tt.algorithm, "-o", "public.pem"}, withKey)...)
			c.run(t, flags([]string{"cert", "self-sign", "9a", "--subject", "CN=budget", "--public-key", "public.pem"}, withKey, withPIN)...)

			// Nothing is verified on a card that was just put in.
			r.Remove(0)
			r.Insert(0)
			before := r.Card(0).Count()
			c.run(t, flags([]string{"sign", "9a", "message", "-o", "signature"}, withPIN)...)
			cold := r.Card(0).Count() - before
			if cold > tt.cold {
				t.Errorf("cold: %d APDUs, at most %d", cold, tt.cold)
			}
			warm := warmSignatures(t, r, 10)
			if warm != 10*tt.warm {
				t.Errorf("warm: %d APDUs for 10 signatures, want %d each", warm, tt.warm)
			}
			t.Logf("cold %d, warm %d", cold, warm/10)
		})
	}
}

// warmSignatures counts the APDUs of n signatures after a first one.
func warmSignatures(t *testing.T, r *hwtest.Rig, n int) int {
	t.Helper()
	ctx, c := direct(t, r, hwtest.Patience)
	if err := c.Login(ctx, secret.New([]byte(factoryPIN)), piv.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	info, err := c.Key(ctx, "9a")
	if err != nil {
		t.Fatal(err)
	}
	key := c.PrivateKey(ctx, info, piv.UseOptions{})
	sign := func() {
		t.Helper()
		input, opts := message, crypto.SignerOpts(crypto.Hash(0))
		if info.Algorithm != card.Ed25519 {
			digest := sha256.Sum256(message)
			input, opts = digest[:], crypto.SHA256
		}
		if _, err := key.Sign(rand.Reader, input, opts); err != nil {
			t.Fatal(err)
		}
	}
	sign()
	before := r.Card(0).Count()
	for range n {
		sign()
	}
	return r.Card(0).Count() - before
}
