package piv_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/hwtest"
	"cardbridge/internal/secret"
	"cardbridge/reader"
)

// 300 signatures while another program selects another applet, or resets the
// card, every 100 ms: 300 good ones, with the PIN given once. One in ten
// pretends to think for a while, so that a disturbance falls between any two.
func TestContention(t *testing.T) {
	for _, personality := range []string{"yubikey-5.7", "nist-short"} {
		for _, how := range []hwtest.Disturbance{hwtest.Select, hwtest.Reset} {
			t.Run(personality+" "+string(how), func(t *testing.T) { testContention(t, personality, how) })
		}
	}
}

func testContention(t *testing.T, personality string, how hwtest.Disturbance) {
	const signatures = 300
	r := hwtest.Start(t, hwtest.Config{Personalities: []string{personality}})
	pinTries, pukTries := r.Tries(t, 0)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn := reader.New().Connect(r.Reader(0))
	defer conn.Close() //nolint:errcheck // nothing to lose
	c := piv.Open(conn)
	defer c.Close() //nolint:errcheck // nothing to lose
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
	for i := range signatures {
		message := []byte{byte(i), byte(i >> 8)}
		digest := sha256.Sum256(message)
		signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatalf("signature %d: %v", i, err)
		}
		verify(t, info.Public, message, signature)
		if i%10 == 0 {
			time.Sleep(30 * time.Millisecond)
		}
	}
	took := time.Since(start)
	disturbed := stop()
	t.Logf("%d signatures, %d disturbances in %v", signatures, disturbed, took)
	if disturbed < 5 {
		t.Errorf("disturbed only %d times", disturbed)
	}
	wantTries(t, r, pinTries, pukTries)
}
