package main

import (
	"context"
	"crypto/x509"
	"errors"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/cli/keyfile"
)

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
