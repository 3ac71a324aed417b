package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

func (a *app) pinCommand() *cobra.Command {
	return group("pin", "Show, change and unblock the PIN",
		a.pinStatusCommand(),
		a.changeCommand("change", "Change the PIN", card.PIN, pinSecret, newPIN),
		a.pinUnblockCommand(),
		a.pinRetriesCommand(),
	)
}

type pinsReport struct {
	PINs []pinReport `json:"pins"`
}

func (a *app) pinStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show how many tries are left",
		Long:    "Show how many tries PIN and PUK have left, as far as the card tells. No try is spent.",
		Example: "  cardtool pin status",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withCard(cmd.Context(), func(c *pivCard) error {
				r := pinsReport{PINs: []pinReport{}}
				err := c.Together(cmd.Context(), func(ctx context.Context) error {
					for _, name := range []card.SecretName{card.PIN, card.PUK} {
						st, err := c.PINState(ctx, name)
						if errors.Is(err, card.ErrUnsupported) {
							continue
						}
						if err != nil {
							return err
						}
						r.PINs = append(r.PINs, reportPIN(st))
					}
					return nil
				})
				if err != nil {
					return err
				}
				return a.print(r, func(w io.Writer) {
					var pairs []string
					for _, p := range r.PINs {
						pairs = append(pairs, p.Name, p.text())
					}
					facts(w, pairs...)
				})
			})
		},
	}
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
				if pad {
					if err := c.changeOnPad(ctx, name, old, new, o); err != nil {
						return err
					}
					a.message("%s changed", name)
					return nil
				}
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
	padFlag(cmd, &pad, old, new)
	spendLastFlag(cmd, &spendLast)
	return cmd
}
