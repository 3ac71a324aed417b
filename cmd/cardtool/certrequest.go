package main

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"

	"github.com/spf13/cobra"
)

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
				report := requestReport{string(slot.Ref), spec.Subject, string(armoured)}
				if der {
					return out.putOr(req, report)
				}
				return out.putOr(armoured, report)
			})
		},
	}
	a.certFlags(cmd, &f)
	cmd.Flags().BoolVar(&der, "der", false, "write DER rather than PEM")
	a.useFlags(cmd, &use)
	a.outputFlags(cmd, &out, "request")
	return cmd
}
