// Package host is what the mains share: which readers there are - PC/SC's and
// software cards alike - and how to connect to one, with a trace or a count
// around its exchanges.
package host

import (
	"context"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/reader"
)

// Options say which readers a Host sees.
type Options struct {
	// Readers is the value of CARDBRIDGE_READERS: a comma-separated list of
	// "pcsc" and "softcard:PATH". Empty means "pcsc". See FromEnvironment.
	Readers string
	// Reader narrows that to what --reader names: "pcsc" (all of PC/SC's),
	// "softcard:PATH" (that one, listed or not), the full name of a reader, or a
	// part of its name in any case.
	Reader string
	// Wrap decorates the exchanges of each connection, with a trace or a count.
	// It is called once a transaction; nil for nothing.
	Wrap func(reader string, t apdu.Transmitter) apdu.Transmitter
}

// A Host is the readers of one program. It holds nothing before it is used, and
// may be used from any goroutine.
type Host struct{}

// New reads the options; a value that makes no sense is an error that names it.
func New(o Options) (*Host, error) { panic("todo") }

// Readers is the state of all readers of the Host, by slot: of the watch under
// way, else of a look of its own. None is no error.
func (h *Host) Readers(ctx context.Context) ([]reader.State, error) { panic("todo") }

// Connect makes a connection to the reader of that full name; nothing is sent
// before its first transaction. All connections of one Host to one software
// card share its power: what one selects another finds selected, as with a
// real card.
func (h *Host) Connect(name string) (Conn, error) { panic("todo") }

// Watch is reader.Monitor's Watch over all readers of the Host.
func (h *Host) Watch(ctx context.Context, emit func(reader.Event)) error { panic("todo") }

// Close gives up what Readers and Watch hold; connections have a Close of
// their own.
func (h *Host) Close() error { panic("todo") }

// A Conn is a card.Conn that is closed after use.
type Conn interface {
	card.Conn
	// ATR is the card's answer to reset as of the latest transaction.
	ATR() []byte
	// Reset resets the card.
	Reset(ctx context.Context) error
	// PINPad tells whether the reader takes a PIN on its own keys.
	PINPad(ctx context.Context) (bool, error)
	Close() error
}

// FromEnvironment is the value of CARDBRIDGE_READERS, or "" when the process
// runs with more rights than its caller (AT_SECURE), who may not choose then.
func FromEnvironment() string { panic("todo") }
