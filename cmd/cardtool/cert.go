package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/cli/certspec"
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
		return nil, fmt.Errorf("%w: the certificate in slot %s: %w", card.ErrInvalidAnswer, slot.Ref, err)
	}
	return cert, nil
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
