package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/internal/cli/keyfile"
)

// A keyReport is one key in JSON.
type keyReport struct {
	Slot      string `json:"slot"` // what commands take
	ID        string `json:"id"`   // CKA_ID of the PKCS #11 module, in hex
	Label     string `json:"label"`
	Algorithm string `json:"algorithm"` // "" where the card does not tell
	PIN       string `json:"pin"`       // "never", "once", "always"; "" where nothing tells
	Touch     string `json:"touch"`     // "never", "always", "cached"; "" where nothing tells
	Origin    string `json:"origin"`    // "generated" on the card, "imported", or "" where the card does not tell
	PublicKey string `json:"publicKey"` // in PEM; "" where the card does not tell
}

type keysReport struct {
	Keys []keyReport `json:"keys"`
}

func reportKey(k card.KeyInfo) keyReport {
	r := keyReport{
		Slot: string(k.Ref), ID: fmt.Sprintf("%02x", k.ID), Label: k.Label, Algorithm: string(k.Algorithm),
		PIN: string(k.PINPolicy), Touch: string(k.TouchPolicy), Origin: string(k.Origin),
	}
	if k.Public != nil {
		if b, err := keyfile.PublicPEM(k.Public); err == nil {
			r.PublicKey = string(b)
		}
	}
	return r
}

func (a *app) keysCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keys",
		Short: "List a card's keys",
		Long: `List the keys of a card: in which slot, of what kind, when they want the PIN or a
touch, and whether they were made on the card, as far as the card tells.
Cards that do not tell of their keys show those that have a certificate.`,
		Example: "  cardtool keys\n  cardtool keys --json",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withCard(cmd.Context(), func(c *pivCard) error {
				keys, err := c.Keys(cmd.Context())
				if err != nil {
					return err
				}
				report := keysReport{Keys: []keyReport{}}
				rows := [][]string{{"SLOT", "KEY", "ALGORITHM", "PIN", "TOUCH", "ORIGIN"}}
				for _, k := range keys {
					r := reportKey(k)
					report.Keys = append(report.Keys, r)
					rows = append(rows, []string{r.Slot, r.Label, orQuestion(r.Algorithm), orQuestion(r.PIN), orQuestion(r.Touch), orQuestion(r.Origin)})
				}
				if len(keys) == 0 {
					a.message("no keys are on the card in %s", c.conn.Reader())
				}
				return a.print(report, func(w io.Writer) {
					if len(keys) > 0 {
						table(w, rows)
					}
				})
			})
		},
	}
}

func orQuestion(s string) string {
	if s == "" {
		return "?"
	}
	return s
}
