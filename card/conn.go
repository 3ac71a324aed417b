package card

import (
	"context"

	"cardbridge/apdu"
)

// A Conn is one card in one reader. It holds nothing while idle: other
// programs may use the card between two transactions.
type Conn interface {
	// Transact runs f while no other program can speak to the card, and
	// returns its error, not before f has returned. It connects first where that
	// is needed. f must not prompt, sleep or wait for a lock. When ctx ends, the
	// exchange under way fails with its error at once. Errors of the wire match
	// apdu.ErrRemoved, apdu.ErrReset or apdu.ErrNoAnswer.
	Transact(ctx context.Context, f func(apdu.Transaction) error) error
	// Reader is the reader's name, for messages.
	Reader() string
	// ExtendedLength tells whether the card's ATR and the reader promise
	// extended-length APDUs (ISO 7816-4 section 12.1.1, card capabilities).
	ExtendedLength() bool
}
