package piv

import (
	"crypto"
	"sync/atomic"
	"testing"
	"time"

	"cardbridge/card"
	"cardbridge/card/softcard"
)

// TestTouchIsSaid: that a key wants a touch is said by the time its operation
// is over, however quick the card is.
func TestTouchIsSaid(t *testing.T) {
	var said atomic.Bool
	c := admin(t, newSoft(t, softcard.DefaultPersonality), WithTouch(func(card.KeyInfo) {
		time.Sleep(50 * time.Millisecond) // a slow terminal
		said.Store(true)
	}))
	generate(t, c, "9e", card.P256, GenerateOptions{TouchPolicy: card.TouchAlways})
	k, err := c.Key(ctx, "9e")
	ok(t, err)
	_, err = c.PrivateKey(ctx, k, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256)
	ok(t, err)
	if !said.Load() {
		t.Error("nothing was said")
	}
}
