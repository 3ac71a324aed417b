package main

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/x509"
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
	a.anyPINFlag(cmd)
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

// presentKey is the key that is in a slot now, for those who want its public
// half and do not use it, which would show a certificate of a former key.
func (c *pivCard) presentKey(ctx context.Context, slot piv.Slot) (info card.KeyInfo, err error) {
	err = c.Together(ctx, func(ctx context.Context) error {
		info, err = c.Key(ctx, slot.Ref)
		if err != nil || info.Origin != card.OriginUnknown {
			return err
		}
		now, err := c.AttestedKey(ctx, slot.Ref)
		switch {
		case err == nil:
			info = now
		case !errors.Is(err, card.ErrNotFound) && !errors.Is(err, card.ErrUnsupported):
			return err
		}
		return nil
	})
	return info, err
}

// withKey runs op with a key of the card. With a PIN at hand that is one
// transaction; op must not do more in it than use the key.
func (c *pivCard) withKey(ctx context.Context, slot piv.Slot, use keyUse, doing string, op func(card.PrivateKey) error) error {
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
				return c.useKey(ctx, info, pin, use, op)
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
	if info.PINPolicy == card.PINNever {
		err = c.app.busy(doing, func() error { return c.useKey(ctx, info, nil, use, op) })
		if !errors.Is(err, card.ErrLoginRequired) {
			return err
		}
		// It wants the PIN all the same: cards without metadata do not tell.
		if state, err = c.PINState(ctx, card.PIN); err != nil {
			return err
		}
	}
	note, err := tries(state, use.spendLast)
	if err != nil {
		return err
	}
	pin, err := c.app.secret(ctx, pinSecret, note)
	if err != nil {
		return err
	}
	return c.app.busy(doing, func() error { return c.useKey(ctx, info, pin, use, op) })
}

// useKey runs op with a key. On a card that knows its key by a certificate only,
// that may be of the key that was there before: then what the card makes does
// not fit, or it refuses. Where the card can attest which key it has, op runs
// again with that one; the PIN is known to be right by then.
func (c *pivCard) useKey(ctx context.Context, info card.KeyInfo, pin *secret.Secret, use keyUse, op func(card.PrivateKey) error) error {
	err := op(c.PrivateKey(ctx, info, piv.UseOptions{PIN: pin, SpendLastTry: use.spendLast}))
	if !ofFormerKey(err, info, use) {
		return err
	}
	now, aerr := c.AttestedKey(ctx, info.Ref)
	if aerr == nil && keyfile.Equal(now.Public, info.Public) {
		return err
	}
	if aerr == nil {
		return op(c.PrivateKey(ctx, now, piv.UseOptions{PIN: pin, SpendLastTry: use.spendLast}))
	}
	next := fmt.Sprintf("--public-key gives the public half of the present key, cardtool cert delete %s deletes the certificate", info.Ref)
	if !errors.Is(err, card.ErrInvalidAnswer) {
		// Refused: there may as well be no key at all.
		return hinted{err, "the certificate in the slot may be of a key that was there before; " + next}
	}
	return hinted{inputf("the certificate in slot %s is not of the key that is there now, but of one that was there before: %w", info.Ref, err), next}
}

// ofFormerKey tells whether err is what comes of a certificate of another key
// than the one in its slot.
func ofFormerKey(err error, info card.KeyInfo, use keyUse) bool {
	if info.Public == nil || info.Origin != card.OriginUnknown || use.public.Key != nil {
		return false // not from a certificate
	}
	// A key of another kind is refused: as wrong data, or as not there.
	return errors.Is(err, card.ErrInvalidAnswer) || errors.Is(err, card.ErrNotFound) || errors.Is(err, apdu.ErrIncorrectData)
}

// fits refuses to sign for a certificate of another key: one that was in the
// slot before.
func fits(key card.PrivateKey, cert *x509.Certificate, slot piv.Slot) error {
	if key.Public() == nil || keyfile.Equal(key.Public(), cert.PublicKey) {
		return nil
	}
	return hinted{
		inputf("the certificate of %s in slot %s is not of the %s key that is there now", subjectOf(cert), slot.Ref, key.Info().Algorithm),
		"cardtool cert self-sign makes a new one, cert import stores one",
	}
}

// canSign refuses keys that only agree on keys.
func canSign(slot piv.Slot, key card.PrivateKey) error {
	if _, ok := key.Public().(*ecdh.PublicKey); ok || key.Public() == nil {
		return fmt.Errorf("the %s key in slot %s cannot sign: %w", orQuestion(string(key.Info().Algorithm)), slot.Ref, card.ErrWrongKey)
	}
	return nil
}

// signWith has make sign something with a slot's key.
func (c *pivCard) signWith(ctx context.Context, slot piv.Slot, use keyUse, make func(crypto.Signer) ([]byte, error)) (made []byte, err error) {
	err = c.withKey(ctx, slot, use, "Signing", func(key card.PrivateKey) error {
		if err := canSign(slot, key); err != nil {
			return err
		}
		made, err = make(key)
		return err
	})
	return made, err
}
