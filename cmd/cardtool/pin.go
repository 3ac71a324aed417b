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
	return group("pin", "Show, verify, change and unblock the PIN",
		a.pinStatusCommand(),
		a.pinVerifyCommand(),
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
				var r pinsReport
				err := c.Together(cmd.Context(), func(ctx context.Context) (err error) {
					r.PINs, err = c.pins(ctx)
					return err
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

// pins is what the card tells of PIN and PUK.
func (c *pivCard) pins(ctx context.Context) ([]pinReport, error) {
	out := []pinReport{}
	for _, name := range []card.SecretName{card.PIN, card.PUK} {
		st, err := c.PINState(ctx, name)
		if errors.Is(err, card.ErrUnsupported) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, reportPIN(st))
	}
	return out, nil
}

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
	spendLastFlag(cmd, &spendLast)
	return cmd
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
