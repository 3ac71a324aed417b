package main

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"io"
	"time"

	"github.com/spf13/cobra"

	"cardbridge/card/piv"
	"cardbridge/internal/cli/keyfile"
)

func (a *app) certSelfSignCommand() *cobra.Command {
	var (
		f        certFlags
		login    adminLogin
		out      output
		noStore  bool
		compress bool
		use      keyUse
	)
	cmd := &cobra.Command{
		Use:   "self-sign SLOT",
		Short: "Make a certificate that the slot's key signs itself",
		Long: `Make a certificate for the key of a slot, signed by that key, and store it on the
card. With --output it is written to a file too.`,
		Example: `  cardtool cert self-sign 9a --subject CN=Alice,O=Example --days 365
  cardtool cert self-sign 9c --template cert.json --no-store -o cert.pem`,
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
			tmpl, err := spec.Certificate(time.Now())
			if err != nil {
				return usageError{err}
			}
			use.spendLast = login.spendLast
			if err := a.readPublic(&use); err != nil {
				return err
			}
			if out.path != "" || noStore {
				if err := out.open(false); err != nil {
					return err
				}
			}
			return a.withCard(ctx, func(c *pivCard) error {
				if !noStore {
					if err := c.mayReplaceCert(ctx, slot); err != nil {
						return err
					}
					if err := c.login(ctx, login); err != nil {
						return err
					}
				}
				der, err := c.signWith(ctx, slot, use, func(key crypto.Signer) ([]byte, error) {
					if tmpl.SignatureAlgorithm, err = x509Algorithm(key.Public(), f.hash); err != nil {
						return nil, err
					}
					return x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
				})
				if err != nil {
					return err
				}
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					return err
				}
				if !noStore {
					if err := c.PutCertificate(ctx, slot.Ref, der, piv.PutCertificateOptions{Compress: compress}); err != nil {
						return err
					}
					a.message("certificate of %s stored in slot %s", subjectOf(cert), slot.Ref)
				}
				if out.w != nil && (!a.global.json || !out.toStdout()) {
					if err := out.put(keyfile.CertificatePEM(der)); err != nil {
						return err
					}
				}
				if a.global.json {
					return a.print(reportCert(slot.Ref, cert), func(io.Writer) {})
				}
				return nil
			})
		},
	}
	a.certFlags(cmd, &f)
	cmd.Flags().IntVar(&f.days, "days", 365, "how many `days` it is valid")
	cmd.Flags().StringVar(&f.serial, "serial-number", "", "serial number, in `hex` (default: random)")
	cmd.Flags().BoolVar(&noStore, "no-store", false, "do not store it on the card")
	cmd.Flags().BoolVar(&compress, "compress", false, "store it compressed")
	a.adminFlags(cmd, &login)
	a.publicFlag(cmd, &use)
	a.yesFlag(cmd)
	a.outputFlags(cmd, &out, "certificate")
	return cmd
}
