package piv

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
)

// nowhere is the slot that MOVE KEY deletes to.
const nowhere = 0xFF

// DeleteKey destroys a key (DELETE KEY: MOVE KEY to FF, Yubico firmware 5.7).
// Access condition: management key. Its certificate stays. card.ErrNotFound
// where there is none.
func (c *Card) DeleteKey(ctx context.Context, ref card.KeyRef) error {
	s, err := slotOf(ref)
	if err != nil {
		return err
	}
	return c.move(ctx, "delete key "+string(s.Ref), nowhere, s, nil)
}

// MoveKey moves a key to another slot, over the one that is there (MOVE KEY,
// Yubico firmware 5.7). Access condition: management key. Certificates stay
// where they are; policies move along.
func (c *Card) MoveKey(ctx context.Context, from, to card.KeyRef) error {
	s, err := slotOf(from)
	if err != nil {
		return err
	}
	d, err := slotOf(to)
	if err != nil {
		return err
	}
	if s.Attestation || d.Attestation || s.Ref == d.Ref {
		return fmt.Errorf("%w: moving key %s to slot %s", card.ErrUnsupported, s.Ref, d.Ref)
	}
	return c.move(ctx, fmt.Sprintf("move key %s to slot %s", s.Ref, d.Ref), d.Key, s, &d)
}

func (c *Card) move(ctx context.Context, what string, to byte, s Slot, d *Slot) error {
	_, err := run(ctx, c, need{what: what, admin: true}, func(x *tx) (struct{}, error) {
		if x.hasMetadata() != yes {
			if _, err := x.version(); err != nil {
				return struct{}{}, err
			}
		}
		if !x.row().HasMove {
			return struct{}{}, fmt.Errorf("%w: keys are not moved or deleted; a new one takes the place of the old", card.ErrUnsupported)
		}
		c.content.forgetKey(s.Ref)
		if d != nil {
			c.content.forgetKey(d.Ref)
		}
		_, err := x.send(apdu.Command{INS: insMoveKey, P1: to, P2: s.Key})
		if x.ours && absent(err) {
			return struct{}{}, fmt.Errorf("%w: slot %s has no key: %w", card.ErrNotFound, s.Ref, err)
		}
		if x.ours && d != nil && isStatus(err, apdu.ErrIncorrectData) { // CanoKey
			return struct{}{}, fmt.Errorf("%w: slot %s has a key, which this card moves no other over: %w", card.ErrUnsupported, d.Ref, err)
		}
		return struct{}{}, x.written(err, "the slots are as they were")
	})
	if errors.Is(err, card.ErrInterruptedWrite) {
		err = c.lookAgain(ctx, s, err)
	}
	return err
}

// Random returns n bytes of the card's random numbers: the challenges of the
// management key's authentication (GENERAL AUTHENTICATE, SP 800-73-4 part 2,
// appendix A.1), which are never answered. Access condition: always. They are
// good to mix with the system's own, not instead of them: nothing proves how a
// card makes them.
func (c *Card) Random(ctx context.Context, n int) ([]byte, error) {
	if n < 0 || n > maxRandom {
		return nil, fmt.Errorf("random numbers of %d bytes; at most %d at a time", n, maxRandom)
	}
	return run(ctx, c, need{what: "get random numbers", again: true}, func(x *tx) ([]byte, error) {
		out := make([]byte, 0, n+16)
		if err := x.prove(); err != nil {
			return nil, err
		}
		for len(out) < n {
			b, err := x.challenge()
			if err != nil {
				return nil, err
			}
			out = append(out, b...)
		}
		return out[:n], nil
	})
}

const maxRandom = 4096

// challenge is a challenge of the management key. Asking for one forgets an
// authentication on some cards.
func (x *tx) challenge() ([]byte, error) {
	kinds := managementTable
	if x.mayHaveMetadata() {
		k, err := x.adminMetadata()
		if err == nil {
			kinds = []managementRow{k.row}
		} else if !errors.Is(err, errNoMetadata) {
			return nil, err
		}
	}
	var err error
	for _, row := range kinds {
		var b []byte
		b, err = x.send(apdu.Command{INS: insAuthenticate, P1: row.id, P2: refAdminKey, Data: tlv(tagTemplate, tlv(tagChallenge)), Le: apdu.MaxShortLe})
		if err == nil {
			x.c.state.admin, x.admin = false, false
			block := 16
			if row.algorithm == TripleDES {
				block = 8
			}
			return step(b, tagChallenge, block)
		}
		if !errors.Is(refusedForm(err, errOtherForm), errOtherForm) && !withheld(err) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: random numbers: %w", card.ErrUnsupported, err)
}

// Reset makes the applet as from the factory (RESET, Yubico): all keys but the
// attestation key, all certificates and objects are lost; PIN, PUK and
// management key have their factory values again. Access condition: PIN and PUK
// blocked, the PIN alone or nothing on some cards. So this spends all tries of both, on values that are no PIN anyone
// has: only here, and it stops where a counter does not move. An error after
// the first try leaves a card with a blocked PIN; Reset can be called again.
func (c *Card) Reset(ctx context.Context) error {
	_, err := run(ctx, c, need{what: "reset the card"}, func(x *tx) (struct{}, error) {
		if err := x.prove(); err != nil {
			return struct{}{}, err
		}
		if !x.row().HasReset {
			return struct{}{}, fmt.Errorf("%w: a factory reset is not part of the standard", card.ErrUnsupported)
		}
		if err := x.sameCard(); err != nil {
			return struct{}{}, err
		}
		c.forgetSecrets()
		c.content, c.state.verified, c.state.admin = content{}, false, false
		defer clear(c.tries)
		// Before all, as it costs the PIN: a card that has no such command is left
		// as it is. Some do it at once, Token2 PIN+; Nitrokey 3 with the PIN blocked.
		_, err := x.send(apdu.Command{INS: insReset})
		if s, _ := apdu.StatusOf(err); s == apdu.ErrInstruction || s == apdu.ErrClass || s == apdu.ErrFunctionNotSupported {
			return struct{}{}, fmt.Errorf("%w: a factory reset; nothing was changed: %w", card.ErrUnsupported, err)
		}
		if answered(err) {
			if err := x.block("PIN", apdu.Command{INS: insVerify, P2: refPIN}, 8); err != nil {
				return struct{}{}, err
			}
			_, err = x.send(apdu.Command{INS: insReset})
		}
		if answered(err) {
			if err := x.block("PUK", apdu.Command{INS: insResetRetry, P2: refPIN}, 16); err != nil {
				return struct{}{}, err
			}
			_, err = x.send(apdu.Command{INS: insReset})
		}
		if err == nil || !answered(err) {
			c.refused.forget(card.PIN, card.PUK)
			c.facts = nothingKnown(c.conn)
			x.forgetState()
			if c.owner.source != vendorSerial { // its name is lost with the CHUID
				c.owner = fingerprint{}
			}
		}
		return struct{}{}, x.written(err, "PIN and PUK are blocked, all else is as it was")
	})
	return err
}

// block spends the tries of a PIN or PUK: on what no PIN may be made of, or on
// random digits where the card looks at that before it counts.
func (x *tx) block(name card.SecretName, cmd apdu.Command, size int) error {
	x.pinUnanswered = true
	defer func() { x.pinUnanswered = false }()
	digits := x.row().DigitsOnly
	for range 256 {
		cmd.Data = bytes.Repeat([]byte{0xFF}, size)
		cmd.Data[0] = 0x00
		if digits {
			_, _ = rand.Read(cmd.Data) // never fails
			for i := range cmd.Data {
				cmd.Data[i] = '0' + cmd.Data[i]%10
			}
		}
		cmd.Secret = true
		_, err := x.send(cmd)
		status, ok := apdu.StatusOf(err)
		tries, counted := x.triesOf(status)
		switch {
		case err == nil && digits: // by chance
		case err == nil:
			return fmt.Errorf("the card took a wrong %s for right: %w", name, card.ErrInvalidAnswer)
		case !ok:
			return fmt.Errorf("%w; some tries of the %s are spent, the rest is as it was: %w", card.ErrInterruptedWrite, name, err)
		case status == apdu.ErrAuthMethodBlocked, counted && tries == 0:
			return nil
		case status == apdu.ErrWarningNoInformation: // wrong, and it does not count aloud
		case status == apdu.ErrIncorrectData && !digits:
			digits = true
		case !counted:
			return fmt.Errorf("blocking the %s, which a reset takes: %w", name, err)
		}
	}
	return fmt.Errorf("blocking the %s: its counter does not go down", name)
}
