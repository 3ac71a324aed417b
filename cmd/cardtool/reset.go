package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) resetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Make the card's PIV application as it came from the factory",
		Long: `Make the card's PIV application as it came from the factory: all keys,
certificates and objects in it are lost, PIN, PUK and management key get their
factory values. No secret is needed, but where the card wants PIN and PUK to be
blocked first, they are.`,
		Example: "  cardtool reset --serial 12345678",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withCard(ctx, func(c *pivCard) error {
				if !a.global.yes {
					id, err := c.Identity(ctx)
					if err != nil {
						return err
					}
					loss := fmt.Sprintf("All keys, certificates and PINs of the PIV application of %s will be lost for good.", identityText(id))
					if err := a.confirm(ctx, loss); err != nil {
						return err
					}
				}
				if err := a.busy("Resetting", func() error { return c.Reset(ctx) }); err != nil {
					return err
				}
				a.message("the card in %s is as from the factory: PIN 123456, PUK 12345678", c.conn.Reader())
				return nil
			})
		},
	}
	a.yesFlag(cmd)
	return cmd
}
