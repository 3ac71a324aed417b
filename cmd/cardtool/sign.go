package main

import (
	"bytes"
	"context"
	"crypto"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/cli/sshsig"
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
	a.wordFlag(cmd, &format, "format", "f", "der", "`form` of the signature: %s", formatNames())
	a.wordFlag(cmd, &hash, "hash", "", "", "`hash` of the file: %s (default sha256; sha512 where the form wants it)", hashNames())
	f.BoolVar(&req.pss, "pss", false, "RSA-PSS rather than PKCS #1 v1.5 (der and raw)")
	f.BoolVar(&req.digest, "digest", false, "the input is not the file but its digest, made with --hash (der and raw)")
	f.BoolVar(&req.attached, "attached", false, "put the file into the signature (cms)")
	f.BoolVar(&req.armour, "pem", false, "write PEM (cms)")
	f.StringVar(&req.chain, "chain", "", "put the certificates of this `file` in as well (cms)")
	f.StringVar(&req.namespace, "namespace", "file", "what the signature is for, `name`: file, git, email (ssh)")
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

// A signReport is what cardtool sign --json prints.
type signReport struct {
	Slot      string `json:"slot"`
	Format    string `json:"format"`
	Output    string `json:"output,omitempty"`    // the file with the signature
	Signature string `json:"signature,omitempty"` // without a file: in hex, but as it is where the form is text (ssh, --pem)
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
	r := signReport{Slot: string(req.slot.Ref), Format: format}
	if a.global.json && out.toStdout() {
		var b bytes.Buffer
		if err := s.write(&b); err != nil {
			return err
		}
		r.Signature = b.String()
		if format != "ssh" && !req.armour {
			r.Signature = hex.EncodeToString(b.Bytes())
		}
		return a.print(r, nil)
	}
	if err := s.write(out); err != nil {
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	if a.global.json {
		r.Output = out.path
		return a.print(r, nil)
	}
	return nil
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
