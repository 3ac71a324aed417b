package main

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
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

// certFlags describe the certificate or request that is made.
type certFlags struct {
	template    string
	subject     string
	names       []string
	keyUsage    []string
	extKeyUsage []string
	extensions  []string
	days        int
	serial      string
	ca          bool
	hash        string
}

func (a *app) certFlags(cmd *cobra.Command, f *certFlags) {
	fl := cmd.Flags()
	fl.StringVar(&f.template, "template", "", "take what is not given by flags from this JSON `file`")
	fl.StringVar(&f.subject, "subject", "", "`name` as RFC 4514 writes it: CN=Alice,O=Example")
	fl.StringSliceVar(&f.names, "san", nil, "alternative `names`: dns:HOST, email:ADDRESS, ip:ADDRESS, uri:URI, upn:USER@REALM")
	fl.StringSliceVar(&f.keyUsage, "key-usage", nil, "`uses`: "+strings.Join(certspec.KeyUsages(), ", "))
	fl.StringSliceVar(&f.extKeyUsage, "ext-key-usage", nil, "`purposes`: "+strings.Join(certspec.ExtKeyUsages(), ", ")+", or object identifiers")
	fl.StringArrayVar(&f.extensions, "extension", nil, "any other extension, `OID=[critical,]HEX`, its value in DER")
	fl.BoolVar(&f.ca, "ca", false, "a certificate of a CA (basic constraints)")
	fl.StringVar(&f.hash, "hash", "", "`hash` that is signed: sha256, sha384 or sha512 (default: what fits the key)")
	a.completeWords(cmd, "key-usage", certspec.KeyUsages()...)
	a.completeWords(cmd, "ext-key-usage", certspec.ExtKeyUsages()...)
	a.completeWords(cmd, "hash", "sha256", "sha384", "sha512")
}

// spec joins the template and the flags, which come first.
func (a *app) spec(cmd *cobra.Command, f *certFlags) (certspec.Spec, error) {
	s := certspec.Spec{}
	if f.template != "" {
		data, err := a.readInput(f.template)
		if err != nil {
			return s, err
		}
		if s, err = certspec.ReadTemplate(data); err != nil {
			return s, inputf("%s: %w", f.template, err)
		}
	}
	given := cmd.Flags().Changed
	if given("subject") {
		s.Subject = f.subject
	}
	if given("san") {
		s.Names = f.names
	}
	if given("key-usage") {
		s.KeyUsage = f.keyUsage
	}
	if given("ext-key-usage") {
		s.ExtKeyUsage = f.extKeyUsage
	}
	if given("days") || s.Days == 0 {
		s.Days = f.days
	}
	if given("serial-number") {
		s.Serial = f.serial
	}
	if given("ca") {
		s.CA = &f.ca
	}
	for _, x := range f.extensions {
		e, err := certspec.ParseExtension(x)
		if err != nil {
			return s, usageError{err}
		}
		s.Extensions = append(s.Extensions, e)
	}
	if s.Subject == "" {
		return s, usagef("no subject; --subject CN=NAME gives it")
	}
	return s, nil
}

// x509Algorithm is what x509 calls a signature with a kind of key and a hash.
func x509Algorithm(public crypto.PublicKey, hash string) (x509.SignatureAlgorithm, error) {
	if hash == "" {
		return x509.UnknownSignatureAlgorithm, nil // x509 picks what fits
	}
	rows := []struct {
		hash       string
		rsa, ecdsa x509.SignatureAlgorithm
	}{
		{"sha256", x509.SHA256WithRSA, x509.ECDSAWithSHA256},
		{"sha384", x509.SHA384WithRSA, x509.ECDSAWithSHA384},
		{"sha512", x509.SHA512WithRSA, x509.ECDSAWithSHA512},
	}
	for _, r := range rows {
		if !strings.EqualFold(hash, r.hash) {
			continue
		}
		switch public.(type) {
		case *rsa.PublicKey:
			return r.rsa, nil
		case *ecdsa.PublicKey:
			return r.ecdsa, nil
		default:
			return 0, usagef("--hash is not for %s keys", publicKeyText(public))
		}
	}
	return 0, usagef("unknown hash %q; there are sha256, sha384, sha512", hash)
}

// publicKeyText names a public key's kind as cards' keys are named.
func publicKeyText(k crypto.PublicKey) string {
	switch k := k.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return k.Curve.Params().Name
	case ed25519.PublicKey:
		return string(card.Ed25519)
	case *ecdh.PublicKey:
		return fmt.Sprint(k.Curve())
	default:
		return fmt.Sprintf("%T", k)
	}
}

// canSign refuses keys that only agree on keys.
func canSign(slot piv.Slot, key card.PrivateKey) error {
	if _, ok := key.Public().(*ecdh.PublicKey); ok || key.Public() == nil {
		return fmt.Errorf("the %s key in slot %s cannot sign: %w", orQuestion(string(key.Info().Algorithm)), slot.Ref, card.ErrWrongKey)
	}
	return nil
}

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

// signWith has make sign something with a slot's key.
func (c *pivCard) signWith(ctx context.Context, slot piv.Slot, use keyUse, make func(crypto.Signer) ([]byte, error)) (made []byte, err error) {
	err = c.withKey(ctx, slot, use, "Signing", func(key card.PrivateKey) error {
		if err := canSign(slot, key); err != nil {
			return err
		}
		made, err = make(key)
		return err
	})
	return made, err
}
