package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/cli/certspec"
	"cardbridge/internal/cli/cms"
	"cardbridge/internal/cli/keyfile"
)

func (a *app) certCommand() *cobra.Command {
	return group("cert", "Show, make, import and export certificates",
		a.certShowCommand(),
		a.certExportCommand(),
		a.certImportCommand(),
		a.certSelfSignCommand(),
		a.certRequestCommand(),
		a.certDeleteCommand(),
	)
}

// A certReport is a certificate in JSON.
type certReport struct {
	Slot        string   `json:"slot"` // "" when it is not on a card
	Subject     string   `json:"subject"`
	Issuer      string   `json:"issuer"`
	Serial      string   `json:"serial"`    // in hex
	NotBefore   string   `json:"notBefore"` // RFC 3339
	NotAfter    string   `json:"notAfter"`  // RFC 3339
	Algorithm   string   `json:"algorithm"` // of the key
	Signature   string   `json:"signature"` // algorithm
	Names       []string `json:"names"`     // alternative names
	SHA256      string   `json:"sha256"`    // fingerprint, in hex
	Certificate string   `json:"certificate"`
}

func reportCert(slot card.KeyRef, c *x509.Certificate) certReport {
	sum := sha256.Sum256(c.Raw)
	r := certReport{
		Slot: string(slot), Subject: certspec.FormatName(c.RawSubject), Issuer: certspec.FormatName(c.RawIssuer), Serial: fmt.Sprintf("%x", c.SerialNumber),
		NotBefore: c.NotBefore.UTC().Format(time.RFC3339), NotAfter: c.NotAfter.UTC().Format(time.RFC3339),
		Algorithm: publicKeyText(c.PublicKey), Signature: c.SignatureAlgorithm.String(), Names: certspec.Names(c),
		SHA256: fmt.Sprintf("%x", sum), Certificate: string(keyfile.CertificatePEM(c.Raw)),
	}
	return r
}

func subjectOf(c *x509.Certificate) string { return certspec.FormatName(c.RawSubject) }

func (r certReport) human(w io.Writer) {
	facts(w, "Slot", r.Slot, "Subject", r.Subject, "Issuer", r.Issuer, "Serial number", r.Serial,
		"Valid", r.NotBefore+" to "+r.NotAfter, "Key", r.Algorithm, "Signature", r.Signature,
		"Names", strings.Join(r.Names, " "), "SHA-256", r.SHA256)
}

// x509Cert is the certificate of a slot.
func (c *pivCard) x509Cert(ctx context.Context, slot piv.Slot) (*x509.Certificate, error) {
	der, err := c.Certificate(ctx, slot.Ref)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("the certificate in slot %s: %w", slot.Ref, err)
	}
	return cert, nil
}

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
				switch {
				case a.global.json && out.toStdout(), format == "p7b":
				case format == "pem":
					return out.put(keyfile.CertificatePEM(der))
				default:
					return out.put(der)
				}
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					return fmt.Errorf("the certificate in slot %s: %w", slot.Ref, err)
				}
				if a.global.json && out.toStdout() {
					return a.print(reportCert(slot.Ref, cert), nil)
				}
				return out.put(cms.Bundle(append([]*x509.Certificate{cert}, others...)))
			})
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "pem", "`form`: "+strings.Join(certFormats, ", "))
	a.completeWords(cmd, "format", certFormats...)
	cmd.Flags().StringVar(&chain, "chain", "", "put the certificates of this `file` in as well (p7b)")
	a.outputFlags(cmd, &out, "certificate")
	return cmd
}

// readCertificates reads a file of certificates.
func (a *app) readCertificates(name string) ([]*x509.Certificate, error) {
	data, err := a.readInput(name)
	if err != nil {
		return nil, err
	}
	return certificatesIn(name, data)
}

func certificatesIn(name string, data []byte) ([]*x509.Certificate, error) {
	certs, err := keyfile.ReadCertificates(data)
	if err != nil {
		return nil, inputf("%s: %w", inputName(name), err)
	}
	return certs, nil
}

func (a *app) certImportCommand() *cobra.Command {
	var (
		compress, anyKey bool
		login            adminLogin
	)
	cmd := &cobra.Command{
		Use:   "import SLOT FILE",
		Short: "Store a certificate on the card",
		Long: `Store a certificate beside the key of a slot, from PEM, DER, PKCS #7 (.p7b) or
PKCS #12; it replaces the one that is there. Of several certificates in the file
the one of the slot's key is taken, or, where the card does not tell its key, the
one that issued none of the others. A certificate of another key is refused,
where the card tells of its key.`,
		Example: `  cardtool cert import 9a cert.pem
  cardtool cert import 9c large.pem --compress`,
		Args:              args(cobra.ExactArgs(2)),
		ValidArgsFunction: a.completeSlots,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			slot, err := slotArg(argv[0])
			if err != nil {
				return err
			}
			certs, err := a.readBundle(ctx, argv[1])
			if err != nil {
				return err
			}
			return a.withCard(ctx, func(c *pivCard) error {
				cert, err := c.fitting(ctx, slot, certs, anyKey)
				if err != nil {
					return err
				}
				if err := c.mayReplaceCert(ctx, slot); err != nil {
					return err
				}
				if err := c.login(ctx, login); err != nil {
					return err
				}
				if err := c.PutCertificate(ctx, slot.Ref, cert.Raw, piv.PutCertificateOptions{Compress: compress}); err != nil {
					return err
				}
				a.message("certificate of %s stored in slot %s", subjectOf(cert), slot.Ref)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&compress, "compress", false, "store it compressed, for certificates that are too large otherwise")
	cmd.Flags().BoolVar(&anyKey, "any-key", false, "store it even if it is not of the key in the slot")
	a.takes(cmd, passphrase)
	a.adminFlags(cmd, &login)
	a.yesFlag(cmd)
	return cmd
}

// mayReplaceCert asks before a certificate is lost; --yes does not even look.
func (c *pivCard) mayReplaceCert(ctx context.Context, slot piv.Slot) error {
	if c.app.global.yes {
		return nil
	}
	der, err := c.Certificate(ctx, slot.Ref)
	switch {
	case errors.Is(err, card.ErrNotFound):
		return nil
	case err != nil && !errors.Is(err, card.ErrInvalidAnswer):
		return err
	}
	return c.app.confirm(ctx, certLoss(der, slot, "replaced"))
}

// readBundle reads the certificates of a file, which may be PKCS #12: then the
// passphrase is asked for.
func (a *app) readBundle(ctx context.Context, name string) ([]*x509.Certificate, error) {
	data, err := a.readInput(name)
	if err != nil {
		return nil, err
	}
	defer clear(data) // it may have a key too
	if !keyfile.IsPKCS12(data) {
		return certificatesIn(name, data)
	}
	p, err := a.privateIn(ctx, name, data)
	if err == nil && len(p.Certificates) == 0 {
		err = inputf("%s has no certificate in it", inputName(name))
	}
	if err != nil {
		return nil, err
	}
	return p.Certificates, nil
}

// fitting picks the certificate of the slot's key; with anyKey, or where the card
// does not tell its key, the one that issued none of the others. A card that
// does not tell where its key came from knows it by the certificate that is to
// be replaced, which may be of a former key: there is nothing to compare with.
func (c *pivCard) fitting(ctx context.Context, slot piv.Slot, certs []*x509.Certificate, anyKey bool) (*x509.Certificate, error) {
	var info card.KeyInfo
	if !anyKey {
		var err error
		if info, err = c.presentKey(ctx, slot); err != nil && !errors.Is(err, card.ErrNotFound) {
			return nil, err
		}
	}
	if info.Public == nil || info.Origin == card.OriginUnknown {
		if leaf := keyfile.Leaf(certs); leaf != nil {
			return leaf, nil
		}
		return nil, hinted{
			inputf("of %d certificates none is plainly the one of the key in slot %s, which the card does not tell", len(certs), slot.Ref),
			"put that one into a file of its own",
		}
	}
	for _, cert := range certs {
		if keyfile.Equal(info.Public, cert.PublicKey) {
			return cert, nil
		}
	}
	return nil, hinted{
		inputf("the certificate of %s is not of the %s key in slot %s", subjectOf(certs[0]), info.Algorithm, slot.Ref),
		"--any-key stores it nevertheless",
	}
}
