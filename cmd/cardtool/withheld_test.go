package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/card/piv"
)

// A contactless card gives a government card's little: the certificate of 9E.
type contactless struct{ answer []byte }

func (contactless) Reader() string       { return "contactless" }
func (contactless) ExtendedLength() bool { return true }
func (contactless) Epoch() uint64        { return 1 }

func (c contactless) Transact(_ context.Context, f func(apdu.Transaction) error) error { return f(c) }

func (c contactless) Transmit(b []byte) ([]byte, error) {
	cmd, _, err := apdu.ParseCommand(b)
	if err != nil {
		return nil, err
	}
	switch {
	case cmd.INS == 0xA4:
		return []byte{0x61, 0x05, 0x4F, 0x03, 0xA0, 0x00, 0x00, 0x90, 0x00}, nil
	case cmd.INS == 0xCB && bytes.HasSuffix(cmd.Data, []byte{0x5F, 0xC1, 0x01}):
		return append(bytes.Clone(c.answer), 0x90, 0x00), nil
	case cmd.INS == 0xCB && bytes.HasSuffix(cmd.Data, []byte{0x5F, 0xC1, 0x02}): // CHUID: no object at all
		return []byte{0x12, 0x34, 0x90, 0x00}, nil
	}
	return []byte{0x69, 0x82}, nil
}

// What a card withholds, or answers with nonsense, hides nothing else.
func TestWithheld(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	c := &pivCard{Card: piv.Open(contactless{apdu.EncodeTLV(0x53, apdu.EncodeTLV(0x70, der))}), app: &app{stderr: &told}}
	certs, err := c.certificates(t.Context(), piv.Slots(), true)
	if err != nil || len(certs) != 1 || certs[0].Slot != "9e" {
		t.Errorf("%+v, %v", certs, err)
	}
	if !strings.Contains(told.String(), "withholds 24 certificates") {
		t.Error(told.String())
	}
	if _, err := c.certificates(t.Context(), piv.Slots()[:1], false); !errors.Is(err, card.ErrWithheld) {
		t.Error(err)
	}
	told.Reset()
	objects, err := c.objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range objects {
		if !o.PIN {
			names = append(names, o.Name)
		}
	}
	if got := strings.Join(names, " "); got != "chuid cert-9e" {
		t.Errorf("listed: %s", got)
	}
	if !strings.Contains(told.String(), "withholds") || !strings.Contains(told.String(), "makes no sense") {
		t.Error(told.String())
	}
}
