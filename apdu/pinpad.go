package apdu

import "errors"

// A PINEntry is a command whose PIN a person types on the reader's own keys: the
// program never sees it.
type PINEntry struct {
	// Command is the APDU, with padding where the PIN belongs: at the start of
	// its data, in ASCII, as many bytes as the data has.
	Command         []byte
	Least, Greatest int // how many digits the reader takes
}

// A PINTransmitter is a [Transaction] that may be of a reader with a PIN pad.
type PINTransmitter interface {
	// TransmitPIN waits for the person and exchanges the command. The answer
	// may be the reader's: [ErrEntryTimeout], [ErrEntryCancelled].
	TransmitPIN(e PINEntry) (response []byte, err error)
}

// ErrNoPINPad: the reader has none.
var ErrNoPINPad = errors.New("the reader has no PIN pad")

// Status words of a reader instead of a card (PC/SC part 10, table 2.9).
const (
	ErrEntryTimeout   Status = 0x6400
	ErrEntryCancelled Status = 0x6401
)
