package piv

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cardbridge/apdu"
	"cardbridge/card"
)

// Generate makes a key on the card (GENERATE ASYMMETRIC KEY PAIR, SP 800-73-4
// part 2 section 3.3.1), in the place of the one that the slot has. Access
// condition: management key. It may take a minute (RSA-4096). A certificate in
// the slot stays, and no longer fits.
//
// After an interruption the error matches card.ErrInterruptedWrite: the slot
// has the old key, a new one that nobody knows yet, or none, and says which
// where the card can tell.
func (c *Card) Generate(ctx context.Context, ref card.KeyRef, o GenerateOptions) (card.KeyInfo, error) {
	s, err := slotOf(ref)
	if err != nil {
		return card.KeyInfo{}, err
	}
	row, ok := algorithmRow(o.Algorithm)
	if !ok {
		return card.KeyInfo{}, fmt.Errorf("%w: algorithm %q", card.ErrUnsupported, o.Algorithm)
	}
	if row.Weak && !o.AllowWeak {
		return card.KeyInfo{}, errWeak(row)
	}
	k, err := run(ctx, c, need{what: fmt.Sprintf("make a %s key in slot %s", row.Algorithm, s.Ref), admin: true}, func(x *tx) (card.KeyInfo, error) {
		if err := x.canHold(row, true); err != nil {
			return card.KeyInfo{}, err
		}
		policies, err := x.policyFields(o.PINPolicy, o.TouchPolicy)
		if err != nil {
			return card.KeyInfo{}, err
		}
		c.content.forgetKey(s.Ref)
		b, err := x.numbered(row.Algorithm, func(id byte) ([]byte, error) {
			return x.send(apdu.Command{
				INS: insGenerate, P2: s.Key, Le: apdu.LeMax,
				Data: tlv(0xAC, tlv(0x80, []byte{id}), policies),
			})
		})
		if err != nil {
			return card.KeyInfo{}, x.notMade(row, err)
		}
		k := x.effective(s, o.PINPolicy, o.TouchPolicy)
		k.Algorithm, k.Origin = row.Algorithm, card.OriginGenerated
		v, err := only(b, tagPublicKey)
		if err == nil {
			k.Public, err = decodePublic(row, v)
		}
		if err != nil {
			return card.KeyInfo{}, fmt.Errorf("%w: the card says that it made the key, and what it says of it makes no sense: %w", card.ErrInterruptedWrite, err)
		}
		x.remember(k)
		return k, nil
	})
	if errors.Is(err, card.ErrInterruptedWrite) {
		err = c.lookAgain(ctx, s, err)
	}
	return k, err
}

func errWeak(row AlgorithmRow) error {
	return fmt.Errorf("%w: %s keys can be broken; they are made when that is allowed", card.ErrUnsupported, row.Algorithm)
}

// canHold refuses, before anything is sent, what the card is known not to take.
func (x *tx) canHold(row AlgorithmRow, generate bool) error {
	// A card with metadata refuses what it has not, and makes sound keys: its
	// version is not worth a command. Nor is that of another one where every
	// card of its kind can do this.
	everyCard := slices.Contains(algNEO, row.Algorithm) && !(generate && row.Bits > 0)
	if x.hasMetadata() != yes && !everyCard {
		if _, err := x.version(); err != nil {
			return err
		}
	}
	version, r := x.c.facts.version, x.row()
	switch {
	case r.Algorithms != nil && !slices.Contains(r.Algorithms, row.Algorithm):
		return fmt.Errorf("%w: a %s has no %s keys", card.ErrUnsupported, model(r, version), row.Algorithm)
	case generate && r.NoRSAMake && row.Bits > 0:
		return fmt.Errorf("%w: RSA keys made by this %s (firmware %s) can be factored, CVE-2017-15361: import one, or make an EC key", card.ErrUnsupported, r.Model, version)
	}
	return nil
}

func model(r *CardRow, v card.Version) string {
	if !v.Known() {
		return r.Model
	}
	return fmt.Sprintf("%s with firmware %s", r.Model, v)
}

// notMade gives the refusal of GENERATE or IMPORT its meaning.
func (x *tx) notMade(row AlgorithmRow, err error) error {
	if s, _ := apdu.StatusOf(err); x.ours && (s == apdu.ErrIncorrectData || s == apdu.ErrIncorrectP1P2 || s == apdu.ErrFunctionNotSupported) {
		return fmt.Errorf("%w: %s keys in this slot, or one of the policies; the slot is as it was: %w", card.ErrUnsupported, row.Algorithm, err)
	}
	return x.written(err, "the slot is as it was")
}

// remember keeps a new key: a card without metadata does not tell of it later.
// One with metadata is asked, as it also knows the policies that it chose.
func (x *tx) remember(k card.KeyInfo) {
	if !x.mayHaveMetadata() {
		x.c.content.setKey(k.Ref, &k)
	}
}

// lookAgain says what a slot has after an interruption.
func (c *Card) lookAgain(ctx context.Context, s Slot, cause error) error {
	k, err := run(ctx, c, need{what: "look again", again: true}, func(x *tx) (card.KeyInfo, error) {
		c.content.forgetKey(s.Ref)
		if err := x.prove(); err != nil {
			return card.KeyInfo{}, err
		}
		if !x.mayHaveMetadata() {
			return card.KeyInfo{}, errNoMetadata
		}
		return x.metadataOf(s)
	})
	switch {
	case errors.Is(err, card.ErrNotFound):
		return fmt.Errorf("%w; slot %s has no key now", cause, s.Ref)
	case err != nil:
		return fmt.Errorf("%w; whether slot %s has the old key, a new one or none is not known", cause, s.Ref)
	default:
		return fmt.Errorf("%w; slot %s has a %s key now (%s), the old one or a new one", cause, s.Ref, k.Algorithm, k.Origin)
	}
}
