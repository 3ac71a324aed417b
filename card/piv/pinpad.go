package piv

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
)

// PINPad tells whether the reader takes the PIN on its own keys. The card is not
// asked.
func (c *Card) PINPad(ctx context.Context) (bool, error) {
	p, ok := c.conn.(interface {
		PINPad(ctx context.Context) (bool, error)
	})
	if !ok {
		return false, nil
	}
	return p.PINPad(ctx)
}

// LoginOnPad is Login with the PIN typed on the reader's keys (VERIFY, SP
// 800-73-4 part 2 section 3.2.1). Nobody here learns the PIN, so that it cannot
// be verified again: after a reset by another program, or where one selected
// another applet, card.ErrLoginRequired. card.ErrNotEntered where the person gave
// none.
func (c *Card) LoginOnPad(ctx context.Context, o LoginOptions) error {
	_, err := run(ctx, c, need{what: "verify the PIN typed on the reader"}, func(x *tx) (struct{}, error) {
		if _, err := x.serial(); err != nil {
			return struct{}{}, err
		}
		c.pin.drop()
		return struct{}{}, x.verifyOnPad(o.SpendLastTry)
	})
	return err
}

// verifyOnPad is verify with a PIN that stays in the reader.
func (x *tx) verifyOnPad(spendLastTry bool) error {
	pad, ok := x.t.(apdu.PINTransmitter)
	if !ok {
		return apdu.ErrNoPINPad
	}
	if err := x.sameCard(); err != nil {
		return err
	}
	delete(x.c.tries, card.PIN)
	state, err := x.pinState()
	switch {
	case err != nil:
		return err
	case state.Tries == 0:
		return x.blocked(card.PIN, nil)
	case state.Tries == 1 && !spendLastTry:
		return fmt.Errorf("%w (%s)", card.ErrLastTry, card.PIN)
	}
	if err := x.proveGently(); err != nil {
		return err
	}
	ref, err := x.pinReference()
	if err != nil {
		return err
	}
	if !x.ours {
		panic("piv: a PIN for an applet that is not known to be ours")
	}
	command := append([]byte{0, insVerify, 0, ref, 8}, bytes.Repeat([]byte{0xFF}, 8)...)
	x.pinUnanswered = true
	delete(x.c.tries, card.PIN)
	resp, err := pad.TransmitPIN(apdu.PINEntry{Command: command, Least: 6, Greatest: 8})
	if err != nil {
		if errors.Is(err, apdu.ErrNoPINPad) {
			x.pinUnanswered = false
		} else {
			x.broken(wire(err))
		}
		return err
	}
	x.pinUnanswered = false
	return x.padAnswer(resp)
}

// padAnswer says what reader or card thought of the PIN.
func (x *tx) padAnswer(resp []byte) error {
	x.c.state.verified, x.verified = false, false
	data, status, err := apdu.ParseResponse(resp)
	if err != nil || len(data) > 0 {
		return malformed("%d bytes as the answer to VERIFY", len(resp))
	}
	switch status {
	case apdu.OK:
		x.c.refused.forget(card.PIN)
		x.c.state.verified, x.verified, x.c.state.open = true, true, true
		return nil
	case apdu.ErrEntryTimeout, apdu.ErrEntryCancelled:
		return fmt.Errorf("%w: %w", card.ErrNotEntered, status)
	default:
		return x.judge(card.PIN, status, status)
	}
}
