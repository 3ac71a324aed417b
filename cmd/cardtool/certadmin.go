package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
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
			default:
				return err
			}
		}
		return nil
	})
	c.warnWithheld(withheld, "certificates")
	return found, err
}

// A requestReport is a certificate request in JSON.
type requestReport struct {
	Slot    string `json:"slot"`
	Subject string `json:"subject"`
	Request string `json:"request"` // PKCS #10 in PEM
}

func (a *app) certRequestCommand() *cobra.Command {
	var (
		f   certFlags
		out output
		use keyUse
		der bool
	)
	cmd := &cobra.Command{
		Use:   "request SLOT",
		Short: "Make a certificate request (PKCS #10) for a CA",
		Long:  "Make a certificate request for the key of a slot, signed by that key, for a CA to make a certificate of.",
		Example: `  cardtool cert request 9a --subject CN=Alice --san email:alice@example.org -o alice.csr
  cardtool cert request 9c --template request.json`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeKeys,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			slot, err := slotArg(argv[0])
			if err != nil {
				return err
			}
			spec, err := a.spec(cmd, &f)
			if err != nil {
				return err
			}
			tmpl, err := spec.Request()
			if err != nil {
				return usageError{err}
			}
			if err := a.readPublic(&use); err != nil {
				return err
			}
			if err := out.open(der); err != nil {
				return err
			}
			return a.withCard(ctx, func(c *pivCard) error {
				req, err := c.signWith(ctx, slot, use, func(key crypto.Signer) ([]byte, error) {
					if tmpl.SignatureAlgorithm, err = x509Algorithm(key.Public(), f.hash); err != nil {
						return nil, err
					}
					return x509.CreateCertificateRequest(rand.Reader, tmpl, key)
				})
				if err != nil {
					return err
				}
				armoured := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: req})
				if a.global.json && out.toStdout() {
					return a.print(requestReport{string(slot.Ref), spec.Subject, string(armoured)}, nil)
				}
				if der {
					return out.put(req)
				}
				return out.put(armoured)
			})
		},
	}
	a.certFlags(cmd, &f)
	cmd.Flags().BoolVar(&der, "der", false, "write DER rather than PEM")
	a.useFlags(cmd, &use)
	a.outputFlags(cmd, &out, "request")
	return cmd
}
