package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"cardbridge/internal/cli/cms"
	"cardbridge/internal/cli/keyfile"
	"cardbridge/internal/cli/sshsig"
)

// A verifyRequest is one cardtool verify.
type verifyRequest struct {
	file      string // what was signed; "" for nothing given
	hasFile   bool
	hash      crypto.Hash
	pss       bool
	digest    bool
	namespace string
	key       keyfile.Public      // to be signed with; zero for none
	roots     []*x509.Certificate // or the signer's certificate leads to one of these
}

// A verifyReport is what a good signature says.
type verifyReport struct {
	Valid  bool   `json:"valid"`            // true: what is not valid is an error
	Format string `json:"format"`           // "plain", "cms" or "ssh"
	Signer string `json:"signer,omitempty"` // subject of the certificate
	Time   string `json:"time,omitempty"`   // when it was signed, as the signer claims; RFC 3339
}

func (a *app) verifyCommand() *cobra.Command {
	var (
		req                   verifyRequest
		slot, key, roots, hsh string
	)
	cmd := &cobra.Command{
		Use:   "verify SIGNATURE [FILE]",
		Short: "Verify a signature",
		Long: `Verify a signature file: of a file or standard input (-), or of what is inside the
signature itself. Its form is found out. Say who should have signed: the key in
a slot of the card, a key or certificate in a file, or for CMS someone with a
certificate of a CA.`,
		Example: `  cardtool verify report.pdf.sig report.pdf --slot 9c
  cardtool verify report.pdf.p7s report.pdf --ca ca.pem
  cardtool verify release.tar.gz.sig release.tar.gz --key signer.pem`,
		Args: args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			var err error
			if req.hash, err = parseHash(hsh); err != nil {
				return err
			}
			if len(argv) > 1 {
				req.file, req.hasFile = argv[1], true
			}
			sig, err := a.openSignature(argv[0])
			if err != nil {
				return err
			}
			switch {
			case key != "":
				data, err := a.readInput(key)
				if err != nil {
					return err
				}
				if req.key, err = keyfile.ReadPublic(data); err != nil {
					return inputf("%s: %w", inputName(key), err)
				}
			case roots != "":
				if req.roots, err = a.readCertificates(roots); err != nil {
					return err
				}
			default:
				if err := a.slotPublic(ctx, slot, &req.key); err != nil {
					return err
				}
			}
			report, err := a.verify(ctx, &req, sig)
			if err != nil {
				return fmt.Errorf("%s: %w", inputName(argv[0]), err)
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprint(w, "good signature")
				if report.Signer != "" {
					fmt.Fprintf(w, " by %s", oneLine(report.Signer))
				}
				if report.Time != "" {
					fmt.Fprintf(w, ", made %s as it claims", report.Time)
				}
				fmt.Fprintln(w)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&slot, "slot", "", "signed with the key in this `slot` of the card")
	f.StringVar(&key, "key", "", "signed with the public key or certificate in this `file`")
	f.StringVar(&roots, "ca", "", "signed by someone with a certificate that leads to one in this `file` (cms)")
	cmd.MarkFlagsMutuallyExclusive("slot", "key", "ca")
	a.wordFlag(cmd, &hsh, "hash", "", "", "`hash` of the file: %s (default sha256; cms and ssh know theirs)", hashNames())
	f.BoolVar(&req.pss, "pss", false, "RSA-PSS rather than PKCS #1 v1.5")
	f.BoolVar(&req.digest, "digest", false, "the file is the digest")
	f.StringVar(&req.namespace, "namespace", "file", "what it was signed for, `name` (ssh)")
	a.completeFlag(cmd, "slot", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return a.completeKeys(cmd, nil, typed)
	})
	return cmd
}

// slotPublic gets the public key of a slot: of its key, else of its certificate.
func (a *app) slotPublic(ctx context.Context, name string, out *keyfile.Public) error {
	if name == "" {
		return usagef("who should have signed? --slot, --key or --ca says it")
	}
	slot, err := slotArg(name)
	if err != nil {
		return err
	}
	return a.withCard(ctx, func(c *pivCard) error {
		info, err := c.presentKey(ctx, slot)
		if err != nil {
			return err
		}
		if info.Public == nil {
			return fmt.Errorf("the card does not tell the public key of slot %s; give it with --key", slot.Ref)
		}
		out.Key = info.Public
		return nil
	})
}

func (a *app) verify(ctx context.Context, req *verifyRequest, file *signatureFile) (*verifyReport, error) {
	start := make([]byte, len("-----BEGIN"))
	n, _ := file.ReadAt(start, 0)
	armoured := string(start[:n]) == "-----BEGIN"
	if armoured {
		b, err := file.read()
		if err != nil {
			return nil, inputError{err}
		}
		block, _ := pem.Decode(b)
		switch {
		case block == nil:
			return nil, inputf("malformed PEM")
		case block.Type == sshsig.PEMType:
			return a.verifySSH(ctx, req, b)
		case block.Type != "CMS" && block.Type != "PKCS7":
			return nil, inputf("PEM of type %q is no signature", block.Type)
		}
		file = &signatureFile{bytes.NewReader(block.Bytes), int64(len(block.Bytes))}
	}
	sd, err := cms.Read(file, file.size)
	switch {
	case err == nil:
		return a.verifyCMS(ctx, req, sd)
	case armoured || !errors.Is(err, cms.ErrMalformed) || file.size > maxSmallInput:
		return nil, inputError{err}
	}
	sig, err := file.read()
	if err != nil {
		return nil, inputError{err}
	}
	return a.verifyPlain(ctx, req, sig)
}

var errBadSignature = errors.New("bad signature")

func (a *app) verifySSH(ctx context.Context, req *verifyRequest, armoured []byte) (*verifyReport, error) {
	s, err := sshsig.Parse(armoured)
	if err != nil {
		return nil, inputError{err}
	}
	if req.key.Key == nil {
		return nil, usagef("an SSH signature is verified with --slot or --key")
	}
	key, err := ssh.NewPublicKey(req.key.Key)
	if err != nil {
		return nil, inputError{err}
	}
	if err := req.needFile(); err != nil {
		return nil, err
	}
	h := s.NewHash()
	if err := a.stream(ctx, req.file, "Reading", h); err != nil {
		return nil, err
	}
	if err := s.Verify(key, req.namespace, h.Sum(nil)); err != nil {
		return nil, signatureError{fmt.Errorf("%w: %w", errBadSignature, err)}
	}
	return &verifyReport{Valid: true, Format: "ssh"}, nil
}

func (r *verifyRequest) needFile() error {
	if !r.hasFile {
		return usagef("the signature is of a file of its own: give it after the signature")
	}
	return nil
}

func (a *app) verifyCMS(ctx context.Context, req *verifyRequest, sd *cms.SignedData) (*verifyReport, error) {
	if req.key.Certificate != nil {
		// Signatures may come without the signer's certificate.
		sd.Certificates = append(sd.Certificates, req.key.Certificate)
	}
	var signed []cms.Verified
	var err error
	if !sd.Detached() {
		signed, err = sd.Verify(nil)
	}
	// With the content inside and a file besides, both must be the same.
	if err == nil && (sd.Detached() || req.hasFile) {
		if err := req.needFile(); err != nil {
			return nil, err
		}
		signed, err = a.verifyDetached(ctx, req, sd)
	}
	if errors.Is(err, cms.ErrSignature) {
		return nil, signatureError{fmt.Errorf("%w: %w", errBadSignature, err)}
	}
	if err != nil {
		return nil, err
	}
	for _, s := range signed {
		if err := req.trusts(sd, s); err != nil {
			return nil, signatureError{fmt.Errorf("%w: %w", errBadSignature, err)}
		}
	}
	r := &verifyReport{Valid: true, Format: "cms", Signer: subjectOf(signed[0].Certificate)}
	if !signed[0].Time.IsZero() {
		r.Time = signed[0].Time.UTC().Format(time.RFC3339)
	}
	return r, nil
}

// verifyDetached streams the file through the signature's digests.
func (a *app) verifyDetached(ctx context.Context, req *verifyRequest, sd *cms.SignedData) ([]cms.Verified, error) {
	pr, pw := io.Pipe()
	defer pr.Close()
	go func() { pw.CloseWithError(a.stream(ctx, req.file, "Reading", pw)) }()
	return sd.Verify(pr)
}

// trusts tells whether a CMS signer is who should have signed.
func (r *verifyRequest) trusts(sd *cms.SignedData, s cms.Verified) error {
	if r.key.Key != nil {
		if !keyfile.Equal(r.key.Key, s.Certificate.PublicKey) {
			return fmt.Errorf("signed by %s with another key", subjectOf(s.Certificate))
		}
		return nil
	}
	roots, others := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range r.roots {
		roots.AddCert(c)
	}
	for _, c := range sd.Certificates {
		others.AddCert(c)
	}
	_, err := s.Certificate.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: others, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

func (a *app) verifyPlain(ctx context.Context, req *verifyRequest, sig []byte) (*verifyReport, error) {
	if req.key.Key == nil {
		return nil, usagef("this signature is no CMS: it is verified with --slot or --key")
	}
	if err := req.needFile(); err != nil {
		return nil, err
	}
	p, err := a.preparePlain(ctx, &signRequest{file: req.file, hash: req.hash, digest: req.digest})
	if err != nil {
		return nil, err
	}
	ok := false
	switch k := req.key.Key.(type) {
	case *rsa.PublicKey:
		if req.pss {
			ok = rsa.VerifyPSS(k, p.hash, p.sum, sig, nil) == nil
		} else {
			ok = rsa.VerifyPKCS1v15(k, p.hash, p.sum, sig) == nil
		}
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(k, p.sum, sig) || verifyRaw(k, p.sum, sig)
	case ed25519.PublicKey:
		ok = p.short && ed25519.Verify(k, p.message, sig)
	default:
		return nil, inputf("a %s key does not sign", publicKeyText(k))
	}
	if !ok {
		return nil, signatureError{errBadSignature}
	}
	return &verifyReport{Valid: true, Format: "plain"}, nil
}

// verifyRaw takes an ECDSA signature as r and s side by side.
func verifyRaw(k *ecdsa.PublicKey, sum, sig []byte) bool {
	n := (k.Curve.Params().N.BitLen() + 7) / 8
	if len(sig) != 2*n {
		return false
	}
	der, err := asn1.Marshal(ecdsaSignature{new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:])})
	return err == nil && ecdsa.VerifyASN1(k, sum, der)
}
