package piv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/card/softcard"
	"cardbridge/internal/secret"
)

// softConn is a software card as a card.Conn, with a count of what passes and
// room for a neighbour: another program that does something between two
// transactions.
type softConn struct {
	soft      *softcard.Card
	extended  bool
	neighbour func() // before each transaction
	between   func(command []byte)

	mu    sync.Mutex
	epoch uint64
	log   [][]byte
}

func (c *softConn) Reader() string       { return "soft" }
func (c *softConn) ExtendedLength() bool { return c.extended }
func (c *softConn) ATR() []byte          { return c.soft.ATR() }

func (c *softConn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch == 0 {
		c.epoch = 1
	}
	if c.neighbour != nil {
		c.neighbour()
	}
	return f(softTx{c})
}

// reset is another program's: the next transaction is of another epoch.
func (c *softConn) reset() {
	c.soft.Reset()
	c.epoch++
}

// selectOther is another program's SELECT of the card manager.
func (c *softConn) selectOther() {
	if _, err := c.soft.Transmit([]byte{0x00, 0xA4, 0x04, 0x00, 0x08, 0xA0, 0, 0, 1, 0x51, 0, 0, 0}); err != nil {
		panic(err)
	}
}

type softTx struct{ c *softConn }

func (t softTx) Epoch() uint64 { return t.c.epoch }

func (t softTx) Transmit(command []byte) ([]byte, error) {
	t.c.log = append(t.c.log, append([]byte(nil), command...))
	if t.c.between != nil {
		t.c.between(command)
	}
	r, err := t.c.soft.Transmit(command)
	switch {
	case errors.Is(err, softcard.ErrRemoved):
		t.c.epoch++
		err = fmt.Errorf("%w: %w", apdu.ErrRemoved, err)
	case errors.Is(err, softcard.ErrReset):
		t.c.epoch++
		err = fmt.Errorf("%w: %w", apdu.ErrReset, err)
	case errors.Is(err, softcard.ErrSilent):
		err = fmt.Errorf("%w: %w", apdu.ErrNoAnswer, err)
	}
	return r, err
}

// sent tells the instructions sent since the last call, one hex byte each.
func (c *softConn) sent() string {
	var s string
	for _, b := range c.log {
		s += fmt.Sprintf("%02X ", b[1])
	}
	c.log = nil
	return s
}

func (c *softConn) count() int {
	n := len(c.log)
	c.log = nil
	return n
}

const (
	factoryPIN   = "123456"
	factoryPUK   = "12345678"
	factoryAdmin = "\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08"
)

func sec(s string) *secret.Secret { return secret.New([]byte(s)) }

// newSoft makes a fresh card of a personality.
func newSoft(t testing.TB, personality string, opts ...softcard.Option) *softConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "card")
	if err := softcard.Create(path, personality); err != nil {
		t.Fatal(err)
	}
	return openSoft(t, path, opts...)
}

func openSoft(t testing.TB, path string, opts ...softcard.Option) *softConn {
	t.Helper()
	s, err := softcard.Open(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	name := s.Personality().Name
	return &softConn{soft: s, extended: name != "nist-short" && name != "yubikey-4"}
}

// bare opens the applet with nothing done yet.
func bare(t testing.TB, conn *softConn, opts ...Option) *Card {
	t.Helper()
	c := Open(conn, opts...)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// admin opens the applet with the management key authenticated.
func admin(t testing.TB, conn *softConn, opts ...Option) *Card {
	t.Helper()
	c := bare(t, conn, opts...)
	ok(t, c.LoginAdmin(context.Background(), sec(factoryAdmin)))
	return c
}

// generate makes a key, and a certificate on cards that would not find it
// otherwise.
func generate(t testing.TB, c *Card, ref card.KeyRef, a card.Algorithm, o ...GenerateOptions) card.KeyInfo {
	t.Helper()
	opts := GenerateOptions{}
	if len(o) > 0 {
		opts = o[0]
	}
	opts.Algorithm, opts.AllowWeak = a, true
	k, err := c.Generate(context.Background(), ref, opts)
	ok(t, err)
	if a != card.X25519 { // x509 makes no certificates for it
		ok(t, c.PutCertificate(context.Background(), ref, certificateFor(t, k.Public), PutCertificateOptions{}))
	}
	return k
}

func eachPersonality(t *testing.T, f func(t *testing.T, name string)) {
	t.Helper()
	for _, p := range softcard.Personalities() {
		t.Run(p.Name, func(t *testing.T) { f(t, p.Name) })
	}
}
