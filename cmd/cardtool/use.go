package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/cli/keyfile"
	"cardbridge/internal/secret"
)

// keyUse says how a command uses a private key.
type keyUse struct {
	spendLast  bool
	publicFile string
	public     keyfile.Public // of that file
}

// useFlags adds the PIN's sources and what else a key's use needs.
func (a *app) useFlags(cmd *cobra.Command, use *keyUse) {
	a.takes(cmd, pinSecret)
	spendLastFlag(cmd, &use.spendLast)
	a.publicFlag(cmd, use)
}

func (a *app) publicFlag(cmd *cobra.Command, use *keyUse) {
	cmd.Flags().StringVar(&use.publicFile, "public-key", "", "the key's public half or certificate is in this `file`, for cards that tell of no key without a certificate")
}

// readPublic reads --public-key, before a card is asked for anything.
func (a *app) readPublic(use *keyUse) error {
	if use.publicFile == "" {
		return nil
	}
	data, err := a.readInput(use.publicFile)
	if err != nil {
		return err
	}
	if use.public, err = keyfile.ReadPublic(data); err != nil {
		return inputf("%s: %w", inputName(use.publicFile), err)
	}
	return nil
}

// keyFor is what is known of a slot's key: from --public-key, else from the
// card. What the card tells may come of a certificate of another key: one that
// was in the slot before.
func (c *pivCard) keyFor(ctx context.Context, slot piv.Slot, use keyUse) (card.KeyInfo, error) {
	info, err := c.Key(ctx, slot.Ref)
	if use.public.Key == nil {
		// Cards that tell of keys answer 6A88; the others miss a certificate only.
		if errors.Is(err, card.ErrNotFound) && !errors.Is(err, apdu.ErrReferenceNotFound) {
			err = hinted{err, "if there is a key without a certificate, --public-key gives its public half"}
		}
		return info, err
	}
	if err != nil && !errors.Is(err, card.ErrNotFound) {
		return info, err
	}
	alg, perr := parseAlgorithm(publicKeyText(use.public.Key))
	if perr != nil {
		return info, perr
	}
	if err != nil {
		info = card.KeyInfo{Ref: slot.Ref, ID: slot.ID, Label: slot.Label, PINPolicy: slot.PINPolicy}
	}
	info.Algorithm, info.Public = alg, use.public.Key
	return info, nil
}

// withKey runs op with a key of the card. With a PIN at hand that is one
// transaction; op must not do more in it than use the key.
func (c *pivCard) withKey(ctx context.Context, slot piv.Slot, use keyUse, doing string, op func(card.PrivateKey) error) error {
	inner := op
	op = func(key card.PrivateKey) error { return formerKey(inner(key), key.Info(), use) }
	doing += " with slot " + string(slot.Ref)
	if c.app.source(pinSecret).given() {
		pin, err := c.app.secret(ctx, pinSecret, "")
		if err != nil {
			return err
		}
		return c.app.busy(doing, func() error {
			return c.Together(ctx, func(ctx context.Context) error {
				info, err := c.keyFor(ctx, slot, use)
				if err != nil {
					return err
				}
				return op(c.PrivateKey(ctx, info, usePIN(info, pin, use.spendLast)))
			})
		})
	}
	var info card.KeyInfo
	state := card.PINState{Tries: -1}
	err := c.Together(ctx, func(ctx context.Context) (err error) {
		if info, err = c.keyFor(ctx, slot, use); err != nil || info.PINPolicy == card.PINNever {
			return err
		}
		state, err = c.PINState(ctx, card.PIN)
		return err
	})
	if err != nil {
		return err
	}
	var pin *secret.Secret
	if info.PINPolicy != card.PINNever {
		note, err := tries(state, use.spendLast)
		if err != nil {
			return err
		}
		if pin, err = c.app.secret(ctx, pinSecret, note); err != nil {
			return err
		}
	}
	return c.app.busy(doing, func() error {
		return op(c.PrivateKey(ctx, info, usePIN(info, pin, use.spendLast)))
	})
}

// usePIN keeps the PIN from keys that never want it.
func usePIN(info card.KeyInfo, pin *secret.Secret, spendLast bool) piv.UseOptions {
	if info.PINPolicy == card.PINNever {
		return piv.UseOptions{}
	}
	return piv.UseOptions{PIN: pin, SpendLastTry: spendLast}
}

// formerKey explains a signature that does not fit: on a card that knows its
// key by a certificate, that may be of the key before.
func formerKey(err error, info card.KeyInfo, use keyUse) error {
	if !errors.Is(err, card.ErrInvalidAnswer) || info.Origin != card.OriginUnknown || use.public.Key != nil {
		return err
	}
	return hinted{err, fmt.Sprintf("is the certificate in slot %[1]s of a key that was there before? cardtool cert delete %[1]s deletes it, --public-key gives the public half of the key that is there now", info.Ref)}
}
