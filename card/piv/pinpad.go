package piv

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/internal/secret"
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

// ChangePINOnPad is ChangePIN with the old PIN or PUK and the new one typed on the
// reader's keys (CHANGE REFERENCE DATA, SP 800-73-4 part 2 section 3.2.2). Errors
// are those of ChangePIN and LoginOnPad. A PIN that Login kept is forgotten, as it
// may be right no longer. A management key that is derived from the PIN could not
// be derived anew: card.ErrUnsupported.
func (c *Card) ChangePINOnPad(ctx context.Context, name card.SecretName, o LoginOptions) error {
	if name != card.PIN && name != card.PUK {
		return fmt.Errorf("%w: PIV has no %s to change this way", card.ErrUnsupported, name)
	}
	_, err := run(ctx, c, need{what: fmt.Sprintf("change the %s with what is typed on the reader", name)}, func(x *tx) (struct{}, error) {
		if err := x.proveGently(); err != nil {
			return struct{}{}, err
		}
		derived, err := x.pinDerived(name)
		if err != nil {
			return struct{}{}, err
		}
		if derived {
			return struct{}{}, fmt.Errorf("%w: the management key is derived from the PIN, and has to be made anew with the new one: change the PIN without the reader's keys", card.ErrUnsupported)
		}
		ref := byte(refPUK)
		if name == card.PIN {
			if ref, err = x.pinReference(); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, x.onPad(padWork{asks: name, sets: name, ins: insChangeReference, ref: ref, typed: apdu.TypedOldAndNew}, o.SpendLastTry)
	})
	return err
}

// UnblockPINOnPad is UnblockPIN with the new PIN typed on the reader's keys, and
// the PUK as well where puk is nil (RESET RETRY COUNTER, SP 800-73-4 part 2 section
// 3.2.3). Errors are those of UnblockPIN and LoginOnPad.
func (c *Card) UnblockPINOnPad(ctx context.Context, puk *secret.Secret, o LoginOptions) error {
	_, err := run(ctx, c, need{what: "unblock the PIN with what is typed on the reader"}, func(x *tx) (struct{}, error) {
		if err := x.pukUnblocks(); err != nil {
			return struct{}{}, err
		}
		w := padWork{asks: card.PUK, sets: card.PIN, ins: insResetRetry, ref: refPIN, typed: apdu.TypedOldAndNew}
		if puk == nil {
			return struct{}{}, x.onPad(w, o.SpendLastTry)
		}
		w.typed, w.given = apdu.TypedNew, puk
		return struct{}{}, x.padPIN(card.PUK, puk, func(padded []byte) error {
			w.padded = padded
			return x.onPad(w, o.SpendLastTry)
		})
	})
	return err
}

// padWork is a command with PINs that are typed on the reader.
type padWork struct {
	asks, sets card.SecretName // what the card compares, and what it changes; the latter empty for VERIFY
	ins, ref   byte
	typed      apdu.PINsTyped
	given      *secret.Secret // what the card compares, where that is known here,
	padded     []byte         // and as it is sent
}

// command is the APDU, with padding where the person's PINs belong.
func (w padWork) command() []byte {
	n := 8
	if w.sets != "" {
		n = 16
	}
	b := append([]byte{0, w.ins, 0, w.ref, byte(n)}, bytes.Repeat([]byte{0xFF}, n)...)
	copy(b[5:], w.padded)
	return b
}

// verifyOnPad is verify with a PIN that stays in the reader.
func (x *tx) verifyOnPad(spendLastTry bool) error {
	if err := x.proveGently(); err != nil {
		return err
	}
	ref, err := x.pinReference()
	if err != nil {
		return err
	}
	return x.onPad(padWork{asks: card.PIN, ins: insVerify, ref: ref}, spendLastTry)
}

// onPad has the PINs typed, once, if a try can be spared.
func (x *tx) onPad(w padWork, spendLastTry bool) error {
	pad, ok := x.t.(apdu.PINTransmitter)
	if !ok {
		return apdu.ErrNoPINPad
	}
	if err := x.sameCard(); err != nil {
		return err
	}
	delete(x.c.tries, w.asks)
	if err := x.mayType(w, spendLastTry); err != nil {
		return err
	}
	if err := x.proveGently(); err != nil {
		return err
	}
	if !x.ours {
		panic("piv: a PIN for an applet that is not known to be ours")
	}
	command := w.command()
	defer clear(command)
	x.pinUnanswered = true
	delete(x.c.tries, w.asks)
	resp, err := pad.TransmitPIN(apdu.PINEntry{Command: command, Least: 6, Greatest: 8, Typed: w.typed})
	if err != nil {
		if errors.Is(err, apdu.ErrNoPINPad) {
			x.pinUnanswered = false
			return err
		}
		x.broken(wire(err))
		if w.sets == "" {
			return err
		}
		if w.sets == card.PIN {
			x.c.pin.drop()
		}
		return fmt.Errorf("%w: the card has the old %s or the new one: %w", card.ErrInterruptedWrite, w.sets, err)
	}
	x.pinUnanswered = false
	return x.padAnswer(w, resp)
}

// mayType is mayTry for a secret that nobody here knows, if it is such a one.
func (x *tx) mayType(w padWork, spendLastTry bool) error {
	if w.given != nil {
		return x.mayTry(w.asks, w.given, spendLastTry)
	}
	state, err := x.stateFor(w.asks)
	switch {
	case err != nil:
		return err
	case state.Tries == 0:
		return x.blocked(w.asks, nil)
	case state.Tries == 1 && !spendLastTry:
		return fmt.Errorf("%w (%s)", card.ErrLastTry, w.asks)
	}
	return nil
}

// notEntered are the readers' own answers: the card was not asked.
var notEntered = map[apdu.Status]string{
	apdu.ErrEntryTimeout:   "the time was up",
	apdu.ErrEntryCancelled: "it was cancelled",
	apdu.ErrEntryMismatch:  "the new one was not typed twice alike",
	apdu.ErrEntryLength:    "it has 6 to 8 digits",
}

// padAnswer says what reader or card thought of what was typed.
func (x *tx) padAnswer(w padWork, resp []byte) error {
	if w.asks == card.PIN {
		x.c.state.verified, x.verified = false, false
	}
	data, status, err := apdu.ParseResponse(resp)
	if err != nil || len(data) > 0 {
		return malformed("%d bytes as the answer to a PIN typed on the reader", len(resp))
	}
	why, noEntry := notEntered[status]
	switch {
	case status == apdu.OK:
		x.c.refused.forget(w.asks)
		x.typedRight(w)
		return nil
	case noEntry:
		return fmt.Errorf("%w: %s: %w", card.ErrNotEntered, why, status)
	case status == apdu.ErrIncorrectData && w.sets != "":
		return &card.NotTaken{Name: w.sets, Err: status}
	}
	err = x.judge(w.asks, status, status)
	var wrong *card.WrongPIN
	if w.given != nil && errors.As(err, &wrong) {
		x.c.refused.add(w.asks, w.given, wrong.Tries)
	}
	return err
}

// typedRight notes what the card did.
func (x *tx) typedRight(w padWork) {
	if w.sets == "" {
		x.c.state.verified, x.verified = true, true
		x.openedByPIN()
		return
	}
	x.c.refused.forget(w.sets)
	delete(x.c.tries, w.sets)
	if w.sets != card.PIN {
		return
	}
	// Whatever PIN was kept is the old one. Whether the login outlives the change
	// is the card's to say.
	x.c.pin.drop()
	_, err := x.send(apdu.Command{INS: insVerify, P2: w.ref})
	x.c.state.verified, x.verified = err == nil, err == nil
	x.openedByPIN() // by the standard, part 2 section 3.2.2
}
