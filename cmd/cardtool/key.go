package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/cli/keyfile"
)

func (a *app) keyCommand() *cobra.Command {
	return group("key", "Make, import, move, attest and delete keys",
		a.keyGenerateCommand(),
		a.keyImportCommand(),
		a.keyExportCommand(),
		a.keyMoveCommand(),
		a.keyAttestCommand(),
		a.keyDeleteCommand(),
	)
}

// A newKey is how a key comes into a slot.
type newKey struct {
	doing, done string
	put         func() (card.KeyInfo, error)
	certified   bool // put stores a certificate of it too
}

// putKey replaces what is in a slot by a new key, and prints that.
func (c *pivCard) putKey(ctx context.Context, slot piv.Slot, login adminLogin, out *output, k newKey) error {
	certified, err := c.mayReplaceKey(ctx, slot)
	if err != nil {
		return err
	}
	if err := c.login(ctx, login); err != nil {
		return err
	}
	var info card.KeyInfo
	err = c.app.busy(k.doing, func() (err error) {
		info, err = k.put()
		return err
	})
	if err != nil {
		return err
	}
	if certified && !k.certified {
		defer c.app.staleCertificate(slot)
	}
	return c.app.printKey(out, info, k.done)
}

// mayReplaceKey asks before a key that is known to be in a slot is lost, and
// tells whether a certificate of it stays behind. --yes does not even look.
func (c *pivCard) mayReplaceKey(ctx context.Context, slot piv.Slot) (certified bool, err error) {
	if c.app.global.yes {
		return false, nil
	}
	old, err := c.Key(ctx, slot.Ref)
	switch {
	case errors.Is(err, card.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	_, err = c.Certificate(ctx, slot.Ref)
	if err != nil && !errors.Is(err, card.ErrNotFound) && !errors.Is(err, card.ErrInvalidAnswer) {
		return false, err
	}
	certified = err == nil
	loss := keyLoss(old, slot)
	if certified {
		loss += " Its certificate stays, and will fit no more."
	}
	if slot.Attestation {
		loss += " Without the maker's, no key of this card can be attested any more, not even after a reset."
	}
	return certified, c.app.confirm(ctx, loss)
}

// staleCertificate says what to do about the certificate of a former key.
func (a *app) staleCertificate(slot piv.Slot) {
	a.message("the certificate in slot %[1]s is of the former key: cardtool cert self-sign %[1]s or cert import replaces it, cert delete %[1]s deletes it", slot.Ref)
}

// printKey prints a new key: its public half, or with --json all that is known.
func (a *app) printKey(out *output, info card.KeyInfo, done string) error {
	pub, err := keyfile.PublicPEM(info.Public)
	if err != nil {
		return err
	}
	if err := out.putOr(pub, reportKey(info)); err != nil {
		return hinted{
			fmt.Errorf("the %s key is %s in slot %s, but its public half was not written: %w", info.Algorithm, done, info.Ref, err),
			fmt.Sprintf("cardtool key export %s writes it, where the card tells it", info.Ref),
		}
	}
	a.message("%s key %s in slot %s", info.Algorithm, done, info.Ref)
	return nil
}
