package piv_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/card/softcard"
	"cardbridge/hwtest"
	"cardbridge/internal/secret"
)

// 300 signatures while another program selects another applet, or resets the
// card, every 100 ms: 300 good ones, with the PIN given once. The card takes
// its time for each command, as real ones do, and we think between two
// signatures: pcscd's clients look only every 100 ms whether another's
// transaction is over, and would hardly ever get in otherwise.
func TestContention(t *testing.T) {
	for _, personality := range []string{"yubikey-5.7", "nist-short"} {
		for _, how := range []hwtest.Disturbance{hwtest.Select, hwtest.Reset} {
			t.Run(personality+" "+string(how), func(t *testing.T) { testContention(t, personality, how) })
		}
	}
}

func testContention(t *testing.T, personality string, how hwtest.Disturbance) {
	const (
		signatures   = 300
		latency      = 10 * time.Millisecond
		thinking     = 15 * time.Millisecond
		disturbances = 50 // at least
	)
	r := hwtest.Start(t, hwtest.Config{
		Personalities: []string{personality},
		Options:       []softcard.Option{softcard.WithLatency(latency)},
	})
	pinTries, pukTries := r.Tries(t, 0)
	ctx, c := direct(t, r, 2*hwtest.Patience)
	if err := c.LoginAdmin(ctx, secret.New(mustHex(t, factoryKey))); err != nil {
		t.Fatal(err)
	}
	info, err := c.Generate(ctx, "9a", piv.GenerateOptions{Algorithm: card.P256})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login(ctx, secret.New([]byte(factoryPIN)), piv.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	stop := r.Disturb(t, 0, how, 100*time.Millisecond)
	key := c.PrivateKey(ctx, info, piv.UseOptions{})
	start := time.Now()
	sign := func(i int) {
		t.Helper()
		message := []byte{byte(i), byte(i >> 8)}
		digest := sha256.Sum256(message)
		signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatalf("signature %d: %v", i, err)
		}
		verify(t, info.Public, message, signature)
		time.Sleep(thinking)
	}
	for i := range signatures {
		sign(i)
	}
	disturbed, signed := stop(), signatures
	// The other program may get less of a busy machine than we do.
	for disturbed < disturbances {
		stop = r.Disturb(t, 0, how, 100*time.Millisecond)
		for range signatures / 10 {
			sign(signed)
			signed++
		}
		disturbed += stop()
	}
	t.Logf("%d signatures, %d disturbances in %v", signed, disturbed, time.Since(start))
	wantTries(t, r, pinTries, pukTries)
}
