package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

// An adminLogin is how a command gets the right to change what is on a card.
type adminLogin struct {
	factory   bool
	spendLast bool
}

// adminFlags adds the management key's sources, and the PIN's where the key
// is kept behind it.
func (a *app) adminFlags(cmd *cobra.Command, l *adminLogin) {
	a.takes(cmd, adminKey, pinSecret)
	a.anyPINFlag(cmd)
	cmd.Flags().BoolVar(&l.factory, "factory-admin-key", false, "the management key is the factory's, which everybody knows: 010203040506070801020304… on most cards")
	spendLastFlag(cmd, &l.spendLast)
	cmd.MarkFlagsMutuallyExclusive("factory-admin-key", "admin-key-file", "admin-key-fd", "admin-key-env")
}

func spendLastFlag(cmd *cobra.Command, v *bool) {
	cmd.Flags().BoolVar(v, "spend-last-try", false, "go on although only one try is left; a wrong PIN then blocks it")
}

// login authenticates with the management key: the one that the command line
// gives, else the one the card keeps behind the PIN, else one that is asked
// for. A default is never tried unless --factory-admin-key says so.
func (c *pivCard) login(ctx context.Context, l adminLogin) error {
	switch {
	case l.factory:
		key, err := c.FactoryManagementKey(ctx)
		if err != nil {
			return err
		}
		defer key.Wipe()
		return c.LoginAdmin(ctx, key)
	case !c.app.source(adminKey).given():
		mk, err := c.ManagementKey(ctx)
		if err != nil && !errors.Is(err, card.ErrUnsupported) {
			return err
		}
		if mk.Protected || mk.Derived {
			if err := c.loginPIN(ctx, l.spendLast); err != nil {
				return err
			}
			return c.LoginAdmin(ctx, nil)
		}
	}
	key, err := c.app.secret(ctx, adminKey, "")
	if err != nil {
		return err
	}
	return c.LoginAdmin(ctx, key)
}

// loginPIN verifies the PIN for the rest of the run.
func (c *pivCard) loginPIN(ctx context.Context, spendLast bool) error {
	return c.withPIN(ctx, spendLast, func(context.Context) error { return nil })
}

// withPIN verifies the PIN and does what wants it, in one transaction: whatever
// the card refuses then, it does not refuse for want of the PIN, which is not
// sent again.
func (c *pivCard) withPIN(ctx context.Context, spendLast bool, f func(context.Context) error) error {
	o := piv.LoginOptions{SpendLastTry: spendLast}
	pin, err := c.pin(ctx, pinSecret, card.PIN, o)
	if err != nil {
		return err
	}
	return c.Together(ctx, func(ctx context.Context) error {
		if err := c.Login(ctx, pin, o); err != nil {
			return err
		}
		return f(ctx)
	})
}
