package main

import (
	"context"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

func (a *app) pinUnblockCommand() *cobra.Command {
	var spendLast, pad bool
	cmd := &cobra.Command{
		Use:   "unblock",
		Short: "Set a new PIN with the PUK",
		Long: `Set a new PIN with the PUK, whether or not the PIN is blocked; all its tries are
left then. A wrong PUK costs one of the PUK's tries.

The PIN is that of the PIV application. Where a card has a global PIN for users,
the PUK does nothing for that one.`,
		Example: "  cardtool pin unblock\n  cardtool pin unblock --puk-file puk.txt --new-pin-file pin.txt",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withCard(ctx, func(c *pivCard) error {
				o := piv.LoginOptions{SpendLastTry: spendLast}
				before, err := c.PINState(ctx, card.PIN)
				if err != nil {
					return err
				}
				unblock := c.unblock
				if pad {
					unblock = c.unblockOnPad
				}
				if err := unblock(ctx, o); err != nil {
					return err
				}
				if before.Global {
					a.warn("the PIN of the PIV application is set; the card's global PIN, which its users have, is as it was; %s", globalUnblock)
					return nil
				}
				a.message("PIN set")
				return nil
			})
		},
	}
	a.takes(cmd, pukSecret, newPIN)
	a.anyPINFlag(cmd)
	padFlag(cmd, &pad, pukSecret, newPIN)
	spendLastFlag(cmd, &spendLast)
	return cmd
}

func (c *pivCard) unblock(ctx context.Context, o piv.LoginOptions) error {
	puk, err := c.pin(ctx, pukSecret, card.PUK, o)
	if err != nil {
		return err
	}
	pin, err := c.app.secret(ctx, newPIN, "")
	if err != nil {
		return err
	}
	return c.UnblockPIN(ctx, puk, pin, o)
}
