package main

import "github.com/spf13/cobra"

func (a *app) pinVerifyCommand() *cobra.Command {
	var spendLast bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Find out whether a PIN is right",
		Long: `Send the PIN to the card and say whether it is right. The right one gives all its
tries back; a wrong one costs a try. Nothing stays open: other commands want the
PIN for themselves.`,
		Example: "  cardtool pin verify",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withCard(cmd.Context(), func(c *pivCard) error {
				if err := c.loginPIN(cmd.Context(), spendLast); err != nil {
					return err
				}
				a.message("the PIN is right")
				return c.Logout(cmd.Context())
			})
		},
	}
	a.takes(cmd, pinSecret)
	a.anyPINFlag(cmd)
	spendLastFlag(cmd, &spendLast)
	return cmd
}
