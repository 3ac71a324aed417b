package main

import (
	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

func (a *app) pukCommand() *cobra.Command {
	return group("puk", "Change the PUK", a.changeCommand("change", "Change the PUK", card.PUK, pukSecret, newPUK))
}

// changeCommand changes the PIN or the PUK.
func (a *app) changeCommand(use, short string, name card.SecretName, old, new secretKind) *cobra.Command {
	var spendLast bool
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
				was, err := c.pin(ctx, old, name, o)
				if err != nil {
					return err
				}
				will, err := a.secret(ctx, new, "")
				if err != nil {
					return err
				}
				if err := c.ChangePIN(ctx, name, was, will, o); err != nil {
					return err
				}
				a.message("%s changed", name)
				return nil
			})
		},
	}
	a.takes(cmd, old, new)
	spendLastFlag(cmd, &spendLast)
	return cmd
}
