package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/cli/sshsig"
	"cardbridge/internal/cli/tui"
)

// A signRequest is one cardtool sign.
type signRequest struct {
	slot      piv.Slot
	file      string
	hash      crypto.Hash // 0 for the format's default
	pss       bool
	digest    bool // the input is the digest
	attached  bool
	armour    bool
	namespace string
	chain     string
	use       keyUse
}

// signFormats are the forms of signatures. prepare reads what is to be signed,
// before a PIN is asked for and with no transaction open; what it returns makes
// the signature with the key and writes it.
var signFormats = []struct {
	name    string
	text    string
	prepare func(*app, context.Context, *pivCard, *signRequest) (signer, error)
}{
	{"der", "as OpenSSL takes it: ECDSA signatures in DER, others as they are", (*app).prepareDER},
	{"raw", "the bare numbers: ECDSA signatures as r and s side by side", (*app).prepareRaw},
	{"cms", "CMS (PKCS #7) with the slot's certificate, detached unless --attached", (*app).prepareCMS},
	{"ssh", "as ssh-keygen -Y verify and git take it", (*app).prepareSSH},
}

// A signer makes a signature with a key, and then writes it.
type signer struct {
	sign  func(card.PrivateKey) error
	write func(io.Writer) error
}

func formatNames() []string {
	var out []string
	for _, f := range signFormats {
		out = append(out, f.name)
	}
	return out
}

func (a *app) signCommand() *cobra.Command {
	var (
		req          signRequest
		format, hash string
		out          output
	)
	cmd := &cobra.Command{
		Use:   "sign SLOT [FILE]",
		Short: "Sign a file",
		Long: `Sign a file, or standard input, with the key of a slot. Files of any size are read
as a stream; only Ed25519 keys want the whole of what they sign, so that their
der and raw signatures are for short messages (cms and ssh are for any).

Forms of signatures:
` + signFormatHelp(),
		Example: `  cardtool sign 9c report.pdf -o report.pdf.sig
  cardtool sign 9c report.pdf --format cms -o report.pdf.p7s
  cardtool sign 9a release.tar.gz --format ssh -o release.tar.gz.sig`,
		Args:              args(cobra.RangeArgs(1, 2)),
		ValidArgsFunction: a.completeKeys,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			var err error
			if req.slot, err = slotArg(argv[0]); err != nil {
				return err
			}
			if len(argv) > 1 {
				req.file = argv[1]
			}
			if req.hash, err = parseHash(hash); err != nil {
				return err
			}
			if format, err = oneOf("format", format, formatNames()); err != nil {
				return err
			}
			if err := req.check(format); err != nil {
				return err
			}
			if a.global.json && out.toStdout() {
				return usagef("--json needs a file for the signature: -o FILE")
			}
			if err := a.readPublic(&req.use); err != nil {
				return err
			}
			if err := out.open(format != "ssh" && !req.armour); err != nil {
				return err
			}
			return a.withCard(ctx, func(c *pivCard) error { return a.sign(ctx, c, format, &req, &out) })
		},
	}
	f := cmd.Flags()
	f.StringVarP(&format, "format", "f", "der", "`form` of the signature: "+strings.Join(formatNames(), ", "))
	f.StringVar(&hash, "hash", "", "`hash` of the file: "+strings.Join(hashNames(), ", ")+" (default sha256; sha512 where the form wants it)")
	f.BoolVar(&req.pss, "pss", false, "RSA-PSS rather than PKCS #1 v1.5 (der and raw)")
	f.BoolVar(&req.digest, "digest", false, "the input is not the file but its digest, made with --hash (der and raw)")
	f.BoolVar(&req.attached, "attached", false, "put the file into the signature (cms)")
	f.BoolVar(&req.armour, "pem", false, "write PEM (cms)")
	f.StringVar(&req.chain, "chain", "", "put the certificates of this `file` in as well (cms)")
	f.StringVar(&req.namespace, "namespace", "file", "what the signature is for, `name`: file, git, email (ssh)")
	a.completeWords(cmd, "format", formatNames()...)
	a.completeWords(cmd, "hash", hashNames()...)
	a.useFlags(cmd, &req.use)
	a.outputFlags(cmd, &out, "signature")
	return cmd
}

func signFormatHelp() string {
	var b strings.Builder
	for _, f := range signFormats {
		fmt.Fprintf(&b, "  %-4s  %s\n", f.name, f.text)
	}
	return strings.TrimRight(b.String(), "\n")
}

// check refuses what does not go together.
func (r *signRequest) check(format string) error {
	plain := format == "der" || format == "raw"
	for _, rule := range []struct {
		used, allowed bool
		flag, format  string
	}{
		{r.pss, plain, "--pss", "der or raw"},
		{r.digest, plain, "--digest", "der or raw"},
		{r.attached, format == "cms", "--attached", "cms"},
		{r.armour, format == "cms", "--pem", "cms"},
		{r.chain != "", format == "cms", "--chain", "cms"},
		{r.hash != 0, format != "ssh", "--hash", "der, raw or cms"},
	} {
		if rule.used && !rule.allowed {
			return usagef("%s goes with --format %s", rule.flag, rule.format)
		}
	}
	if format == "ssh" && r.namespace == "" {
		return usagef("an SSH signature is for something: --namespace file, git, email")
	}
	return nil
}

// A signReport is what cardtool sign --json prints beside the file it writes.
type signReport struct {
	Slot   string `json:"slot"`
	Format string `json:"format"`
	Output string `json:"output"` // the file with the signature
}

func (a *app) sign(ctx context.Context, c *pivCard, format string, req *signRequest, out *output) error {
	var s signer
	for _, f := range signFormats {
		if f.name == format {
			var err error
			if s, err = f.prepare(a, ctx, c, req); err != nil {
				return err
			}
		}
	}
	err := c.withKey(ctx, req.slot, req.use, "Signing", func(key card.PrivateKey) error {
		if err := canSign(req.slot, key); err != nil {
			return err
		}
		return s.sign(key)
	})
	if err != nil {
		return err
	}
	if err := s.write(out); err != nil {
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	if a.global.json {
		return a.print(signReport{string(req.slot.Ref), format, out.path}, nil)
	}
	return nil
}

// maxMessage bounds what a key that signs messages whole is given: more than
// any card takes.
const maxMessage = 32 << 10

// A plain is what der and raw signatures are made of.
type plain struct {
	req     *signRequest
	hash    crypto.Hash
	sum     []byte
	message []byte // whole, when it is short
	short   bool
}

func (a *app) preparePlain(ctx context.Context, req *signRequest) (*plain, error) {
	p := &plain{req: req, hash: req.hash}
	if p.hash == 0 {
		p.hash = crypto.SHA256
	}
	if req.digest {
		sum, err := a.readInput(req.file)
		if err != nil {
			return nil, err
		}
		if len(sum) != p.hash.Size() {
			return nil, inputf("%s: %d bytes are not a %v digest, which has %d", inputName(req.file), len(sum), p.hash, p.hash.Size())
		}
		p.sum = sum
		return p, nil
	}
	var start limited
	h := p.hash.New()
	if err := a.stream(ctx, req.file, "Reading", io.MultiWriter(h, &start)); err != nil {
		return nil, err
	}
	p.sum, p.message, p.short = h.Sum(nil), start.b, !start.over
	return p, nil
}

// limited keeps what is written to it while it is short.
type limited struct {
	b    []byte
	over bool
}

func (l *limited) Write(b []byte) (int, error) {
	if l.over = l.over || len(l.b)+len(b) > maxMessage; l.over {
		l.b = nil
	} else {
		l.b = append(l.b, b...)
	}
	return len(b), nil
}

// stream copies a file, showing how far it is. w is not used any more when it
// was interrupted.
func (a *app) stream(ctx context.Context, file, text string, w io.Writer) error {
	var r io.ReadCloser
	var size int64
	err := interruptible(ctx, func() (err error) {
		r, size, err = a.openInput(file)
		return err
	})
	if err != nil {
		return err
	}
	in := io.Reader(r)
	if !a.global.quiet && !a.global.json && file != "" && file != "-" {
		p := tui.Progress(a.stderr, r, size, text+" "+file)
		defer p.Stop()
		in = p
	}
	return interruptible(ctx, func() error {
		defer r.Close()
		if _, err := io.Copy(w, in); err != nil {
			return inputError{fmt.Errorf("%s: %w", inputName(file), err)}
		}
		return nil
	})
}

func (p *plain) sign(key card.PrivateKey) ([]byte, error) {
	_, isRSA := key.Public().(*rsa.PublicKey)
	if p.req.pss && !isRSA {
		return nil, fmt.Errorf("--pss is for RSA keys: %w", card.ErrWrongKey)
	}
	switch key.Public().(type) {
	case ed25519.PublicKey:
		switch {
		case p.req.digest || p.req.hash != 0:
			return nil, fmt.Errorf("Ed25519 keys sign the file itself, not its digest: %w", card.ErrWrongKey)
		case !p.short:
			return nil, hinted{fmt.Errorf("the file is too long for a plain signature with an Ed25519 key: %w", card.ErrWrongKey), "--format ssh or cms sign files of any size"}
		}
		return key.Sign(rand.Reader, p.message, crypto.Hash(0))
	case *rsa.PublicKey:
		if p.req.pss {
			return key.Sign(rand.Reader, p.sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: p.hash})
		}
	}
	return key.Sign(rand.Reader, p.sum, p.hash)
}

func (a *app) prepareDER(ctx context.Context, _ *pivCard, req *signRequest) (signer, error) {
	return a.plainSigner(ctx, req, func(_ crypto.PublicKey, sig []byte) ([]byte, error) { return sig, nil })
}

func (a *app) prepareRaw(ctx context.Context, _ *pivCard, req *signRequest) (signer, error) {
	return a.plainSigner(ctx, req, rawSignature)
}

func (a *app) plainSigner(ctx context.Context, req *signRequest, form func(crypto.PublicKey, []byte) ([]byte, error)) (signer, error) {
	p, err := a.preparePlain(ctx, req)
	if err != nil {
		return signer{}, err
	}
	var sig []byte
	return signer{
		sign: func(key card.PrivateKey) (err error) {
			if sig, err = p.sign(key); err != nil {
				return err
			}
			sig, err = form(key.Public(), sig)
			return err
		},
		write: func(w io.Writer) error { return writeAll(w, sig) },
	}, nil
}

func writeAll(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

type ecdsaSignature struct{ R, S *big.Int }

// rawSignature turns an ECDSA signature into r and s, each as long as the
// curve's order (IEEE P1363).
func rawSignature(public crypto.PublicKey, sig []byte) ([]byte, error) {
	k, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return sig, nil
	}
	var s ecdsaSignature
	if rest, err := asn1.Unmarshal(sig, &s); err != nil || len(rest) > 0 {
		return nil, errors.New("malformed ECDSA signature")
	}
	n := (k.Curve.Params().N.BitLen() + 7) / 8
	out := make([]byte, 2*n)
	s.R.FillBytes(out[:n])
	s.S.FillBytes(out[n:])
	return out, nil
}

func (a *app) prepareSSH(ctx context.Context, _ *pivCard, req *signRequest) (signer, error) {
	h := sshsig.NewHash()
	if err := a.stream(ctx, req.file, "Reading", h); err != nil {
		return signer{}, err
	}
	var sig []byte
	return signer{
		sign: func(key card.PrivateKey) (err error) {
			sig, err = sshsig.Sign(key, req.namespace, h.Sum(nil))
			return err
		},
		write: func(w io.Writer) error { return writeAll(w, sig) },
	}, nil
}
