package apdu

import "errors"

// A PINEntry is a command whose PINs a person types on the reader's own keys: the
// program never sees them.
type PINEntry struct {
	// Command is the APDU, with padding where a PIN belongs, in ASCII: all of its
	// data, or, where one PIN is to replace another, half of it each.
	Command         []byte
	Least, Greatest int // how many digits the reader takes
	Typed           PINsTyped
}

// PINsTyped says which PINs of a command are typed.
type PINsTyped uint8

// A PIN to be verified; the old PIN and, twice, the new one; the new one alone,
// twice, where what allows it stands in the command.
const (
	TypedPIN PINsTyped = iota
	TypedOldAndNew
	TypedNew
)

// A PINTransmitter is a [Transaction] that may be of a reader with a PIN pad.
type PINTransmitter interface {
	// TransmitPIN waits for the person and exchanges the command. The answer
	// may be the reader's: [ErrEntryTimeout] and its neighbours.
	TransmitPIN(e PINEntry) (response []byte, err error)
}

// ErrNoPINPad: the reader has none, or none for this kind of entry.
var ErrNoPINPad = errors.New("the reader has no PIN pad")

// Status words of a reader instead of a card (PC/SC part 10, table 2.9).
const (
	ErrEntryTimeout   Status = 0x6400
	ErrEntryCancelled Status = 0x6401
	ErrEntryMismatch  Status = 0x6402 // the new PIN was typed in two ways
	ErrEntryLength    Status = 0x6403 // too few digits, or too many
)
