package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

type certsReport struct {
	Certificates []certReport `json:"certificates"`
}

func (a *app) certShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show [SLOT]",
		Short:             "Show a certificate, or all of them",
		Long:              "Show what is in the certificate of a slot, or in the certificates of all slots.",
		Example:           "  cardtool cert show 9a\n  cardtool cert show --json",
		Args:              args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: a.completeSlots,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			slots := piv.Slots()
			if len(argv) == 1 {
				slot, err := slotArg(argv[0])
				if err != nil {
					return err
				}
				slots = []piv.Slot{slot}
			}
			return a.withCard(ctx, func(c *pivCard) error {
				var (
					report certsReport
					err    error
				)
				if report.Certificates, err = c.certificates(ctx, slots, len(argv) == 0); err != nil {
					return err
				}
				if len(report.Certificates) == 0 {
					a.message("no certificates are on the card in %s", c.conn.Reader())
				}
				return a.print(report, func(w io.Writer) {
					for i, r := range report.Certificates {
						if i > 0 {
							fmt.Fprintln(w)
						}
						r.human(w)
					}
				})
			})
		},
	}
}

// certificates are those of the slots; with all, those that are there.
func (c *pivCard) certificates(ctx context.Context, slots []piv.Slot, all bool) ([]certReport, error) {
	found, withheld := []certReport{}, 0
	err := c.Together(ctx, func(ctx context.Context) error {
		for _, slot := range slots {
			cert, err := c.x509Cert(ctx, slot)
			switch {
			case err == nil:
				found = append(found, reportCert(slot.Ref, cert))
			case all && errors.Is(err, card.ErrNotFound):
			case all && errors.Is(err, card.ErrWithheld):
				withheld++
			case all && errors.Is(err, card.ErrInvalidAnswer):
				c.app.warn("%v", err) // and the others are shown
			default:
				return err
			}
		}
		return nil
	})
	c.warnWithheld(withheld, "certificates")
	return found, err
}
