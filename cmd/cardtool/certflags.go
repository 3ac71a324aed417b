package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"strings"

	"github.com/spf13/cobra"

	"cardbridge/internal/cli/certspec"
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
	a.wordFlag(cmd, &f.hash, "hash", "", "", "`hash` that is signed: %s (default: what fits the key)", []string{"sha256", "sha384", "sha512"})
	a.completeWords(cmd, "key-usage", certspec.KeyUsages()...)
	a.completeWords(cmd, "ext-key-usage", certspec.ExtKeyUsages()...)
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
