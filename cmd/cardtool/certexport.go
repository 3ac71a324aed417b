package main

import (
	"crypto/x509"
	"fmt"

	"github.com/spf13/cobra"

	"cardbridge/internal/cli/cms"
	"cardbridge/internal/cli/keyfile"
)

var certFormats = []string{"pem", "der", "p7b"}

func (a *app) certExportCommand() *cobra.Command {
	var (
		format, chain string
		out           output
	)
	cmd := &cobra.Command{
		Use:   "export SLOT",
		Short: "Write a slot's certificate to a file",
		Long: `Write a slot's certificate to a file or standard output: in PEM, DER, or as
PKCS #7 (.p7b) together with the certificates of a chain file.`,
		Example: `  cardtool cert export 9a -o cert.pem
  cardtool cert export 9a --format p7b --chain ca.pem -o chain.p7b`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeSlots,
		RunE: func(cmd *cobra.Command, argv []string) error {
			slot, err := slotArg(argv[0])
			if err != nil {
				return err
			}
			format, err := oneOf("format", format, certFormats)
			if err != nil {
				return err
			}
			var others []*x509.Certificate
			if chain != "" {
				if format != "p7b" {
					return usagef("--chain goes with --format p7b")
				}
				if others, err = a.readCertificates(chain); err != nil {
					return err
				}
			}
			if err := out.open(format != "pem" && !a.global.json); err != nil {
				return err
			}
			return a.withCard(cmd.Context(), func(c *pivCard) error {
				// As it is on the card: what a strict parser refuses is exported, too.
				der, err := c.Certificate(cmd.Context(), slot.Ref)
				if err != nil {
					return err
				}
				if !a.global.json && format == "pem" {
					return out.put(keyfile.CertificatePEM(der))
				}
				if !a.global.json && format == "der" {
					return out.put(der)
				}
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					return fmt.Errorf("the certificate in slot %s: %w", slot.Ref, err)
				}
				return out.putOr(encodeCertificate(cert, format, others), reportCert(slot.Ref, cert))
			})
		},
	}
	a.wordFlag(cmd, &format, "format", "f", "pem", "`form`: %s", certFormats)
	cmd.Flags().StringVar(&chain, "chain", "", "put the certificates of this `file` in as well (p7b)")
	a.outputFlags(cmd, &out, "certificate")
	return cmd
}

func encodeCertificate(c *x509.Certificate, format string, others []*x509.Certificate) []byte {
	switch format {
	case "p7b":
		return cms.Bundle(append([]*x509.Certificate{c}, others...))
	case "der":
		return c.Raw
	default:
		return keyfile.CertificatePEM(c.Raw)
	}
}
