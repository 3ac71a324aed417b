package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"
)

func (a *app) pinRetriesCommand() *cobra.Command {
	var login adminLogin
	cmd := &cobra.Command{
		Use:   "retries PIN-TRIES PUK-TRIES",
		Short: "Set how many tries PIN and PUK have",
		Long: `Set how many wrong PINs and PUKs in a row block them, from 1 to 255. The card sets
PIN and PUK to their factory values with it: change them afterwards.`,
		Example: "  cardtool pin retries 5 5",
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			var n [2]int
			for i, s := range argv {
				v, err := strconv.ParseUint(s, 10, 8)
				if err != nil || v == 0 {
					return usagef("%q is not a number of tries from 1 to 255", s)
				}
				n[i] = int(v)
			}
			return a.withCard(ctx, func(c *pivCard) error {
				if err := c.CanSetRetries(ctx); err != nil {
					return err // before anything is asked for
				}
				if err := a.confirm(ctx, "PIN and PUK go back to their factory values, 123456 and 12345678."); err != nil {
					return err
				}
				if err := c.login(ctx, login); err != nil {
					return err
				}
				set := func(ctx context.Context) error { return c.SetRetries(ctx, n[0], n[1]) }
				if err := c.withPIN(ctx, login.spendLast, set); err != nil {
					return err
				}
				a.message("%d tries for the PIN and %d for the PUK; both have their factory values: change them", n[0], n[1])
				return nil
			})
		},
	}
	a.adminFlags(cmd, &login)
	a.yesFlag(cmd)
	return cmd
}
