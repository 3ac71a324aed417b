package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"time"

	"cardbridge/card"
	"cardbridge/internal/cli/cms"
)

func (a *app) prepareCMS(ctx context.Context, c *pivCard, req *signRequest) (signer, error) {
	cert, err := c.x509Cert(ctx, req.slot)
	if errors.Is(err, card.ErrNotFound) {
		err = hinted{err, "cardtool cert self-sign makes one, cert import stores one"}
	}
	if err != nil {
		return signer{}, err
	}
	s := &cms.Signer{Certificate: cert, Time: time.Now()}
	if s.Hash, err = cms.HashFor(cert.PublicKey, req.hash); err != nil {
		return signer{}, usageError{err}
	}
	if req.chain != "" {
		if s.Chain, err = a.readCertificates(req.chain); err != nil {
			return signer{}, err
		}
	}
	h := s.Hash.New()
	content, err := a.content(ctx, req, h)
	if err != nil {
		return signer{}, err
	}
	var m *cms.Message
	return signer{
		sign: func(key card.PrivateKey) (err error) {
			if err := fits(key, cert, req.slot); err != nil {
				return err
			}
			s.Key = key
			m, err = s.Sign(h.Sum(nil))
			return err
		},
		write: func(w io.Writer) error {
			if !req.armour {
				return content.write(w, m)
			}
			var b bytes.Buffer
			if err := content.write(&b, m); err != nil {
				return err
			}
			return pem.Encode(w, &pem.Block{Type: "CMS", Bytes: b.Bytes()})
		},
	}, nil
}

// A content is what a CMS signature is about. One that goes into the signature
// is read twice, so that files need no room in memory; what can be read only
// once is kept.
type content struct {
	app      *app
	attached bool
	file     string
	size     int64
	kept     *bytes.Buffer
}

// content reads a request's input into hash.
func (a *app) content(ctx context.Context, req *signRequest, hash io.Writer) (*content, error) {
	size, err := a.inputSize(req.file)
	if err != nil {
		return nil, err
	}
	c := &content{app: a, attached: req.attached, file: req.file, size: size}
	w := hash
	if req.attached && size < 0 {
		c.kept = new(bytes.Buffer)
		w = io.MultiWriter(hash, c.kept)
	}
	return c, a.stream(ctx, req.file, "Reading", w)
}

func (c *content) write(w io.Writer, m *cms.Message) error {
	switch {
	case !c.attached:
		return writeAll(w, m.Detached())
	case c.kept != nil:
		return m.Attach(w, c.kept, int64(c.kept.Len()))
	}
	r, _, err := c.app.openInput(c.file)
	if err != nil {
		return err
	}
	defer r.Close()
	return m.Attach(w, r, c.size)
}
