package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

func (a *app) objectWriteCommand() *cobra.Command {
	var (
		fresh bool
		login adminLogin
	)
	cmd := &cobra.Command{
		Use:   "write OBJECT [FILE]",
		Short: "Store a data object",
		Long: `Store a data object from a file or standard input, as it is: what goes inside its tag
53. With --generate, a CHUID with a fresh GUID or a CCC is made, as a new card needs.`,
		Example:           "  cardtool object write chuid --generate\n  cardtool object write 5F0001 notes.bin",
		Args:              args(cobra.RangeArgs(1, 2)),
		ValidArgsFunction: a.completeObjects,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			o, err := objectArg(argv[0])
			if err != nil {
				return err
			}
			var value []byte
			switch {
			case fresh && len(argv) == 2:
				return usagef("--generate and a file at once")
			case fresh:
				make := generated[o.Name]
				if make == nil {
					return usagef("--generate makes a chuid or a ccc")
				}
				value = make()
			default:
				file := ""
				if len(argv) == 2 {
					file = argv[1]
				}
				if value, err = a.readInput(file); err != nil {
					return err
				}
				if len(value) == 0 {
					return hinted{inputf("%s is empty", inputName(file)), "cardtool object delete deletes an object"}
				}
			}
			return a.withCard(ctx, func(c *pivCard) error {
				if err := c.mayReplaceObject(ctx, o); err != nil {
					return err
				}
				if err := c.login(ctx, login); err != nil {
					return err
				}
				if err := c.WriteObject(ctx, o.Tag, value); err != nil {
					return err
				}
				a.message("%s stored, %d bytes", o.Label, len(value))
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&fresh, "generate", false, "make a new chuid or ccc")
	a.adminFlags(cmd, &login)
	a.yesFlag(cmd)
	return cmd
}

// generated are the objects that cardtool makes for fresh cards.
var generated = map[string]func() []byte{
	"chuid": func() []byte { return piv.NewCHUID(time.Now().AddDate(20, 0, 0)).Encode() },
	"ccc":   func() []byte { return piv.NewCCC().Encode() },
}

// mayReplaceObject asks before an object that is seen on the card is lost.
func (c *pivCard) mayReplaceObject(ctx context.Context, o piv.Object) error {
	if c.app.global.yes {
		return nil
	}
	old, err := c.ReadObject(ctx, o.Tag)
	switch {
	case errors.Is(err, card.ErrNotFound):
		return nil
	case errors.Is(err, card.ErrLoginRequired):
		return c.app.confirm(ctx, fmt.Sprintf("The %s may be on the card, which only the PIN tells; what it holds will be lost, be it the management key that is kept there.", o.Label))
	case err != nil:
		return err
	}
	return c.app.confirm(ctx, fmt.Sprintf("The %s on the card, %d bytes, will be lost.", o.Label, len(old)))
}
