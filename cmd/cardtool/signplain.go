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

	"cardbridge/card"
)

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
