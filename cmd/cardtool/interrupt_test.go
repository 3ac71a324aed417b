package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cardbridge/card"
)

// TestInterrupted: what state the card is in is told to the one who pressed
// Ctrl-C, too.
func TestInterrupted(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("sign: %w", context.Canceled), "interrupted"},
		{errInterrupted, "interrupted"},
		{fmt.Errorf("reset: %w; some tries are spent: %w", card.ErrInterruptedWrite, context.Canceled), "interrupted: reset: the write was interrupted; some tries are spent"},
		{errors.New("disk full"), "interrupted: disk full"},
	} {
		got := interrupted(c.err)
		if !strings.HasPrefix(got.Error(), c.want) || exitCodeOf(got).code != 130 {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
