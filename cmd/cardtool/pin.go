package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"cardbridge/card"
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
