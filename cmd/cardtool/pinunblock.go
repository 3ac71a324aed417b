package main

import (
	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

func (a *app) pinUnblockCommand() *cobra.Command {
	var spendLast bool
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
				puk, err := c.pin(ctx, pukSecret, card.PUK, o)
				if err != nil {
					return err
				}
				pin, err := a.secret(ctx, newPIN, "")
				if err != nil {
					return err
				}
				if err := c.UnblockPIN(ctx, puk, pin, o); err != nil {
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
	spendLastFlag(cmd, &spendLast)
	return cmd
}
