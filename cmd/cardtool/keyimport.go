package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/cli/keyfile"
)

func (a *app) keyImportCommand() *cobra.Command {
	var (
		policies keyPolicies
		login    adminLogin
		out      output
		weak     bool
		withCert bool
		put      piv.PutCertificateOptions
	)
	cmd := &cobra.Command{
		Use:   "import SLOT FILE",
		Short: "Put a private key from a file on the card",
		Long: `Put a private key from a file on the card: PKCS #8, PKCS #1 or SEC 1 in PEM or DER,
OpenSSH's form, or PKCS #12; of an encrypted one the passphrase is asked for.
A key that is in the slot already is lost: that is asked about first.`,
		Example: `  cardtool key import 9d key.pem
  cardtool key import 82 old.p12 --with-certificate`,
		Args:              args(cobra.ExactArgs(2)),
		ValidArgsFunction: a.completeSlots,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			slot, err := slotArg(argv[0])
			if err != nil {
				return err
			}
			o := piv.ImportOptions{AllowWeak: weak}
			if o.PINPolicy, o.TouchPolicy, err = policies.parse(); err != nil {
				return err
			}
			key, err := a.readPrivate(ctx, argv[1])
			if err != nil {
				return err
			}
			pub := publicOf(key.Key)
			if _, err := parseAlgorithm(publicKeyText(pub)); err != nil {
				return inputf("%s: PIV cards have no %s keys; there are %s", inputName(argv[1]), publicKeyText(pub), strings.Join(algorithmNames(), ", "))
			}
			if publicKeyText(pub) == string(card.RSA1024) && !weak {
				return usagef("RSA-1024 keys are broken by those with means; --weak imports one nevertheless")
			}
			var cert *x509.Certificate
			for _, c := range key.Certificates {
				if cert == nil && keyfile.Equal(pub, c.PublicKey) {
					cert = c
				}
			}
			if withCert && cert == nil {
				return inputf("%s has no certificate of the key", inputName(argv[1]))
			}
			if err := out.open(false); err != nil {
				return err
			}
			return a.withCard(ctx, func(c *pivCard) error {
				return c.putKey(ctx, slot, login, &out, newKey{
					doing: "Putting the key on the card", done: "imported", certified: withCert,
					put: func() (card.KeyInfo, error) {
						info, err := c.Import(ctx, slot.Ref, key.Key, o)
						if err != nil {
							return info, err
						}
						if info.Public == nil {
							info.Public = pub
						}
						if withCert {
							if err := c.PutCertificate(ctx, slot.Ref, cert.Raw, put); err != nil {
								return info, fmt.Errorf("the key is in slot %s, but its certificate is not: %w", slot.Ref, err)
							}
						}
						return info, nil
					},
				})
			})
		},
	}
	cmd.Flags().BoolVar(&weak, "weak", false, "allow RSA-1024")
	cmd.Flags().BoolVar(&withCert, "with-certificate", false, "store the certificate that is in the file too")
	cmd.Flags().BoolVar(&put.Compress, "compress", false, "store that compressed")
	a.takes(cmd, passphrase)
	a.policyFlags(cmd, &policies)
	a.adminFlags(cmd, &login)
	a.outputFlags(cmd, &out, "public key")
	a.yesFlag(cmd)
	return cmd
}

// readPrivate reads a file with a private key, asking for its passphrase where
// it has one.
func (a *app) readPrivate(ctx context.Context, name string) (*keyfile.Private, error) {
	data, err := a.readInput(name)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	return a.privateIn(ctx, name, data)
}

// privateIn reads what is in that file.
func (a *app) privateIn(ctx context.Context, name string, data []byte) (*keyfile.Private, error) {
	var asked []byte
	defer func() { clear(asked) }()
	key, err := keyfile.ReadPrivate(data, func() ([]byte, error) {
		s, err := a.secret(ctx, passphrase, "of "+inputName(name))
		if err != nil {
			return nil, err
		}
		err = s.Use(func(b []byte) error {
			asked = append(asked, b...)
			return nil
		})
		return asked, err
	})
	switch {
	case err == nil:
		if publicOf(key.Key) == nil {
			return nil, inputf("%s: a key of type %T is not one of a card", inputName(name), key.Key)
		}
		return key, nil
	case errors.Is(err, keyfile.ErrPassphrase):
		return nil, secretError{fmt.Errorf("%s: %w", inputName(name), err)}
	case as[secretError](err), errors.As(err, new(hinted)):
		return nil, err
	default:
		return nil, inputf("%s: %w", inputName(name), err)
	}
}
