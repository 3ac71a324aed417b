package piv

import (
	"context"
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
