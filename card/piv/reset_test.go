package piv

import (
	"errors"
	"strings"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/card/softcard"
)

// TestResetInterrupted: a reset that ends while it blocks the PIN says so.
func TestResetInterrupted(t *testing.T) {
	conn := newSoft(t, softcard.DefaultPersonality)
	c := bare(t, conn)
	_, err := c.Identity(ctx)
	ok(t, err)
	conn.between = func(command []byte) {
		if len(command) > 5 && command[1] == insVerify {
			conn.soft.SetFaults(softcard.Plan{1: {Remove: true}})
		}
	}
	err = c.Reset(ctx)
	if !errors.Is(err, card.ErrInterruptedWrite) || !errors.Is(err, apdu.ErrRemoved) || !strings.Contains(err.Error(), "tries of the PIN are spent") {
		t.Error(err)
	}
}
