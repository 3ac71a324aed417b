package reader

import (
	"context"

	"cardbridge/apdu"
)

// A Conn is the card in one reader, whichever card that is at the time. It
// connects when it is first used, in shared mode, and again whenever that is
// needed: after a reset by another program, after the card or the reader came
// back, after the service was restarted. While idle it holds nothing but the
// shared handle. It may be used from any goroutine; transactions of one Conn
// follow one another.
type Conn struct {
	sys  *System
	name string
}

// Connect makes a Conn; nothing is sent and nothing can fail until its first
// transaction. Close it after use.
func (s *System) Connect(reader string) *Conn { return &Conn{sys: s, name: reader} }

// Reader is the PC/SC name of the reader.
func (c *Conn) Reader() string { return c.name }

// Transact runs f while no other program can speak to the card. It connects
// first where needed and waits, within bounds, while another program has the
// card. It returns f's error, or one of the wire's that matches
// apdu.ErrRemoved, apdu.ErrReset or apdu.ErrNoAnswer.
//
// When ctx ends, Transact returns its error at once, even while the card is at
// work; the exchange under way is left to finish on its own and its answer is
// dropped.
func (c *Conn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	panic("todo")
}

// ExtendedLength tells whether the card promises extended-length APDUs (ISO
// 7816-4 section 12.1.1, card capabilities) over a protocol that carries them:
// T=1. It is false before the first transaction has begun: ask inside one.
func (c *Conn) ExtendedLength() bool { panic("todo") }

// ATR is the answer to reset of the card of the latest transaction, nil before
// the first.
func (c *Conn) ATR() []byte { panic("todo") }

// Reset resets the card (a warm reset), as other programs may do.
func (c *Conn) Reset(ctx context.Context) error { panic("todo") }

// PINPad tells whether the reader takes a PIN on its own keys
// (FEATURE_VERIFY_PIN_DIRECT, PC/SC part 10 section 2.3).
func (c *Conn) PINPad(ctx context.Context) (bool, error) { panic("todo") }

// Close gives the handle back; the card is left as it is. A transaction under
// way ends first, but Close does not wait for it.
func (c *Conn) Close() error { panic("todo") }
