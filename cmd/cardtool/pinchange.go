package main

import (
	"context"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

func (a *app) pukCommand() *cobra.Command {
	return group("puk", "Change the PUK", a.changeCommand("change", "Change the PUK", card.PUK, pukSecret, newPUK))
}

// changeCommand changes the PIN or the PUK.
func (a *app) changeCommand(use, short string, name card.SecretName, old, new secretKind) *cobra.Command {
	var spendLast, pad bool
	cmd := &cobra.Command{
		Use:     use,
		Short:   short,
		Long:    short + ". A wrong old one costs a try; a new one that the card would not take costs none.",
		Example: "  cardtool " + old.flag + " change\n  cardtool " + old.flag + " change --" + old.flag + "-file old.txt --" + new.flag + "-file new.txt",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withCard(ctx, func(c *pivCard) error {
				o := piv.LoginOptions{SpendLastTry: spendLast}
				change := c.change
				if pad {
					change = c.changeOnPad
				}
				if err := change(ctx, name, old, new, o); err != nil {
					return err
				}
				a.message("%s changed", name)
				return nil
			})
		},
	}
	a.takes(cmd, old, new)
	if name == card.PIN {
		a.anyPINFlag(cmd)
	}
	padFlag(cmd, &pad, old, new)
	spendLastFlag(cmd, &spendLast)
	return cmd
}

func (c *pivCard) change(ctx context.Context, name card.SecretName, old, new secretKind, o piv.LoginOptions) error {
	was, err := c.pin(ctx, old, name, o)
	if err != nil {
		return err
	}
	will, err := c.app.secret(ctx, new, "")
	if err != nil {
		return err
	}
	return c.ChangePIN(ctx, name, was, will, o)
}
