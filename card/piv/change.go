package piv

import (
	"context"
	"errors"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/internal/secret"
)

// ChangePIN changes the PIN or the PUK (CHANGE REFERENCE DATA, SP 800-73-4 part
// 2 section 3.2.2). Access condition: the old one, which a wrong value of costs
// a try of; the rules of Login hold for it. After an interruption the error
// matches card.ErrInterruptedWrite: the card has the old value or the new one.
//
// A management key derived from the PIN, as ykman once made them, is derived
// anew from the new one.
func (c *Card) ChangePIN(ctx context.Context, name card.SecretName, old, new *secret.Secret, o LoginOptions) error {
	if name != card.PIN && name != card.PUK {
		return fmt.Errorf("%w: PIV has no %s to change this way", card.ErrUnsupported, name)
	}
	_, err := run(ctx, c, need{what: fmt.Sprintf("change the %s", name)}, func(x *tx) (struct{}, error) {
		ref := byte(refPUK)
		if name == card.PIN {
			var err error
			if ref, err = x.pinRefProven(); err != nil {
				return struct{}{}, err
			}
		} else if err := x.proveGently(); err != nil {
			return struct{}{}, err
		}
		derived, err := x.derivedKey(name, old)
		if err != nil {
			return struct{}{}, err
		}
		defer derived.Wipe()
		cmd := apdu.Command{INS: insChangeReference, P2: ref}
		if err := x.replace(name, old, name, new, cmd, o); err != nil {
			return struct{}{}, err
		}
		if name == card.PIN && c.pin.held() {
			c.pin.keep(new, c.epoch)
		}
		if derived != nil {
			return struct{}{}, x.rederive(derived, new)
		}
		return struct{}{}, nil
	})
	return err
}

// UnblockPIN sets a new PIN with the PUK (RESET RETRY COUNTER, SP 800-73-4 part
// 2 section 3.2.3). Access condition: the PUK, under the rules that Login has
// for the PIN. It ends a login.
//
// The PIN is the application's. Where a card has its global one for users
// (card.PINState.Global), that stays as it was, blocked or not: its issuer alone
// can unblock it. A card that has only that one is card.ErrUnsupported.
func (c *Card) UnblockPIN(ctx context.Context, puk, newPIN *secret.Secret, o LoginOptions) error {
	_, err := run(ctx, c, need{what: "unblock the PIN"}, func(x *tx) (struct{}, error) {
		if err := x.pukUnblocks(); err != nil {
			return struct{}{}, err
		}
		cmd := apdu.Command{INS: insResetRetry, P2: refPIN}
		if err := x.replace(card.PUK, puk, card.PIN, newPIN, cmd, o); err != nil {
			return struct{}{}, err
		}
		c.pin.drop()
		delete(c.tries, card.PIN)
		return struct{}{}, nil
	})
	return err
}

// pukUnblocks tells whether the card has a PIN that the PUK is for.
func (x *tx) pukUnblocks() error {
	ref, err := x.pinRefProven()
	if err == nil && ref == refGlobalPIN && !x.c.facts.discovery.ApplicationPIN {
		err = fmt.Errorf("%w: its PIN is the global one, which the PUK is not for; whoever issued the card can unblock it", card.ErrUnsupported)
	}
	return err
}

func (x *tx) pinRefProven() (byte, error) {
	if err := x.proveGently(); err != nil {
		return 0, err
	}
	return x.pinReference()
}

// replace sends a command with two secrets: one that is to be right, and one to
// be.
func (x *tx) replace(name card.SecretName, old *secret.Secret, newName card.SecretName, new *secret.Secret, cmd apdu.Command, o LoginOptions) error {
	if err := x.sameCard(); err != nil {
		return err
	}
	return x.padPIN(name, old, func(a []byte) error {
		fits := false
		err := x.padPIN(newName, new, func(b []byte) error {
			fits = true
			if err := x.mayTry(name, old, o.SpendLastTry); err != nil {
				return err
			}
			var both [16]byte
			defer clear(both[:])
			copy(both[:8], a)
			copy(both[8:], b)
			cmd.Data = both[:]
			err := x.present(name, old, cmd)
			_, answered := apdu.StatusOf(err)
			switch {
			case err == nil:
				x.c.refused.forget(newName)
				delete(x.c.tries, newName)
				x.c.state.verified, x.verified = false, false
				if cmd.INS == insChangeReference && name == card.PIN {
					x.openedByPIN() // by the standard, part 2 section 3.2.2
				}
				return nil
			case errors.Is(err, errNotThisFormat):
				// Some cards compare first: then the try of a wrong old value
				// counted. The next operation asks.
				return &card.NotTaken{Name: newName, Err: err}
			case !answered:
				if name == card.PIN || newName == card.PIN {
					x.c.pin.drop()
				}
				return fmt.Errorf("%w: the card has the old %s or the new one: %w", card.ErrInterruptedWrite, newName, err)
			}
			return err
		})
		if !fits {
			return fmt.Errorf("the new %s %w", newName, err)
		}
		return err
	})
}

// CanSetRetries is card.ErrUnsupported where SetRetries would be: to be asked
// before PIN and management key are. Access condition: always.
func (c *Card) CanSetRetries(ctx context.Context) error {
	_, err := run(ctx, c, need{what: "set the retry counters", again: true}, func(x *tx) (struct{}, error) {
		return struct{}{}, x.canSetRetries()
	})
	return err
}

func (x *tx) canSetRetries() error {
	if !x.row().HasRetries {
		return fmt.Errorf("%w: setting retry counters is not part of the standard", card.ErrUnsupported)
	}
	return nil
}

// SetRetries sets how many tries the PIN and the PUK have (SET PIN RETRIES,
// Yubico), 1 to 255 each, and with that gives both their factory values: PIN
// 123456, PUK 12345678. Access condition: management key and PIN. It ends the
// login.
func (c *Card) SetRetries(ctx context.Context, pin, puk int) error {
	if pin < 1 || pin > 255 || puk < 1 || puk > 255 {
		return fmt.Errorf("tries are 1 to 255, not %d and %d", pin, puk)
	}
	_, err := run(ctx, c, need{what: "set the retry counters", login: true, admin: true}, func(x *tx) (struct{}, error) {
		if err := x.canSetRetries(); err != nil {
			return struct{}{}, err
		}
		_, err := x.send(apdu.Command{INS: insSetRetries, P1: byte(pin), P2: byte(puk)})
		if err == nil || !answered(err) {
			c.pin.drop()
			c.refused.forget(card.PIN, card.PUK)
			clear(c.tries)
			c.state.verified = false
		}
		if s, _ := apdu.StatusOf(err); s == apdu.ErrSecurityStatus && !c.pin.held() {
			return struct{}{}, fmt.Errorf("%w and management key; nothing was changed: %w", card.ErrLoginRequired, err)
		}
		return struct{}{}, x.written(err, "the counters are as they were")
	})
	return err
}
