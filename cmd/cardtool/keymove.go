package main

import "github.com/spf13/cobra"

func (a *app) keyMoveCommand() *cobra.Command {
	var login adminLogin
	cmd := &cobra.Command{
		Use:   "move FROM TO",
		Short: "Move a key to another slot",
		Long: `Move a key to another slot; certificates stay where they are. A key that is in the
other slot is lost: that is asked about first. Cards can do this from YubiKey
firmware 5.7 on.`,
		Example:           "  cardtool key move 9d 82",
		Args:              args(cobra.ExactArgs(2)),
		ValidArgsFunction: a.completeKeys,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			from, err := slotArg(argv[0])
			if err != nil {
				return err
			}
			to, err := slotArg(argv[1])
			if err != nil {
				return err
			}
			if from.Ref == to.Ref {
				return usagef("slot %s twice", from.Ref)
			}
			return a.withCard(ctx, func(c *pivCard) error {
				if _, err := c.mayReplaceKey(ctx, to); err != nil {
					return err
				}
				if err := c.login(ctx, login); err != nil {
					return err
				}
				if err := c.MoveKey(ctx, from.Ref, to.Ref); err != nil {
					return err
				}
				a.message("key moved from slot %s to %s", from.Ref, to.Ref)
				return nil
			})
		},
	}
	a.adminFlags(cmd, &login)
	a.yesFlag(cmd)
	return cmd
}
