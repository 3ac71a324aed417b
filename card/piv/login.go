package piv

import (
	"context"
	"errors"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/internal/secret"
)

// Login verifies the PIN now (VERIFY, SP 800-73-4 part 2 section 3.2.1) and
// keeps a copy, in locked memory, to verify it again when another program reset
// the card or selected another applet - until Logout, Close, or the card's
// removal; never on another card, nor once it was refused. Access condition:
// always.
//
// The PIN is sent once, and not at all when it cannot be one
// (card.ErrWrongSecretFormat), was refused before (card.ErrRefusedBefore) or
// would spend the last try unasked (card.ErrLastTry). A wrong one is a
// *card.WrongPIN with the tries left; *card.Blocked says that none is.
func (c *Card) Login(ctx context.Context, pin *secret.Secret, o LoginOptions) error {
	_, err := run(ctx, c, need{what: "verify the PIN", again: true}, func(x *tx) (struct{}, error) {
		// Before the PIN, so that VERIFY is the last command before the next
		// operation's: keys with PIN policy "always" want that.
		if _, err := x.serial(); err != nil {
			return struct{}{}, err
		}
		// The state first, and fresh: tries may have been spent by others while
		// the user was typing.
		delete(x.c.tries, card.PIN)
		if err := x.verify(pin, o.SpendLastTry); err != nil {
			return struct{}{}, err
		}
		c.pin.keep(pin, c.epoch)
		return struct{}{}, nil
	})
	return err
}

// Confirm is Login for where a PIN is asked for again: one that Login verified
// and that is still kept is known to be right, and is not sent. Access condition
// and errors are Login's.
func (c *Card) Confirm(ctx context.Context, pin *secret.Secret, o LoginOptions) error {
	if c.keeps(ctx, pin) {
		return nil
	}
	return c.Login(ctx, pin, o)
}

// keeps tells whether pin is the one of Login, once a running operation is over.
func (c *Card) keeps(ctx context.Context, pin *secret.Secret) bool {
	if ctx.Value(heldKey{c}) == nil {
		if c.take(ctx) != nil {
			return false
		}
		defer c.give()
	}
	return c.pin.held() && c.pin.Equal(pin)
}

// Logout forgets the PIN, here and on the card: VERIFY with P1 FF (SP 800-73-4
// part 2 section 3.2.1), or SELECT on cards that it logs out or that do not know
// the former. Access condition: always. Without a login nothing is sent.
func (c *Card) Logout(ctx context.Context) error {
	_, err := run(ctx, c, need{what: "log out", again: true, lazy: true}, func(x *tx) (struct{}, error) {
		c.pin.drop()
		if !c.state.open {
			return struct{}{}, nil
		}
		c.state.verified, x.verified, c.state.open = false, false, false
		if !x.row().selectForgets() {
			if out, err := x.logoutByVerify(); out || err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, x.selectApplet()
	})
	return err
}

// logoutByVerify tells whether VERIFY with P1 FF logged the PIN out. The standard's
// word is taken for it; beyond the standard, one card answered it and did nothing
// (PivApplet before 0.9), so that others are asked.
func (x *tx) logoutByVerify() (out bool, err error) {
	ref, err := x.pinReference()
	if err != nil {
		return false, err
	}
	_, err = x.send(apdu.Command{INS: insVerify, P1: 0xFF, P2: ref})
	out = err == nil
	if out && !x.row().HasDiscovery {
		_, err = x.send(apdu.Command{INS: insVerify, P2: ref})
		out = answered(err) // with the tries left, and not that it is verified
	}
	if err != nil && !answered(err) {
		return false, err
	}
	if out {
		x.c.unlocked.pin = false
	}
	return out, nil
}

// relogin verifies the PIN of Login again where that was lost.
func (x *tx) relogin() error {
	c := x.c
	if !c.pin.held() || c.state.verified {
		return nil
	}
	err := x.verify(c.pin.Secret, false)
	var wrong *card.WrongPIN
	var blocked *card.Blocked
	if errors.As(err, &wrong) || errors.As(err, &blocked) || errors.Is(err, card.ErrRefusedBefore) {
		// The PIN was changed by somebody else: this one is of no use any more.
		c.pin.drop()
		return fmt.Errorf("%w: the PIN of the login is no longer right: %w", card.ErrLoginRequired, err)
	}
	return err
}

// sameCard makes sure that the card is the one that all before was about: a
// reader may hold another one since. It costs nothing in the same epoch.
func (x *tx) sameCard() error {
	c := x.c
	if c.owner.source == notAsked {
		return nil
	}
	now, err := x.serial()
	if err != nil || now == c.owner {
		return err
	}
	// A card that was nameless may have been given a CHUID since; one that did
	// not tell its serial number the first time is known by its GUID.
	same := c.owner.source == nameless
	if c.owner.source == chuidGUID && now.source == vendorSerial {
		guid, err := x.askGUID()
		if err != nil {
			return err
		}
		same = guid == c.owner
	}
	if same {
		c.owner = now
		return nil
	}
	c.forgetSecrets()
	c.owner = fingerprint{}
	c.refused.forget(card.PIN, card.PUK)
	return fmt.Errorf("%w: another card was put in the reader", apdu.ErrRemoved)
}
