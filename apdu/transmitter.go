package apdu

import "errors"

// A Transmitter exchanges one command APDU for one response APDU, whose last
// two bytes are the status word. It is the only method the layers above ask of
// whatever lies below. An error means that no response came: a status word,
// however bad, is a response and not an error here. The response is the caller's,
// to keep and to overwrite.
type Transmitter interface {
	Transmit(command []byte) (response []byte, err error)
}

// TransmitterFunc lets a function be a [Transmitter].
type TransmitterFunc func(command []byte) ([]byte, error)

// Transmit calls f.
func (f TransmitterFunc) Transmit(command []byte) ([]byte, error) { return f(command) }

// A Transaction is a card that nobody else can speak to until it ends.
type Transaction interface {
	Transmitter
	// Epoch changes whenever whatever was selected or verified on the card is
	// gone: at the first transaction, and after a reset, a removal or a new
	// connection. Another program may still have selected another applet
	// between two transactions of the same epoch.
	Epoch() uint64
}

// Errors of the wire that every transport maps its own to, so that layers
// above can tell them apart (errors.Is) without knowing the transport.
var (
	// ErrRemoved: the card or its reader is gone.
	ErrRemoved = errors.New("card removed")
	// ErrReset: the card was reset in the middle of a transaction; whatever was
	// under way may or may not have happened.
	ErrReset = errors.New("card was reset")
	// ErrNoAnswer: the card did not answer in time or the reader failed.
	ErrNoAnswer = errors.New("card does not answer")
)
