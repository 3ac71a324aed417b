package softcard

import (
	"errors"
	"time"
)

// ErrRemoved is what Transmit returns once the card has been taken out of its reader: by a fault plan, or by PowerOff.
var ErrRemoved = errors.New("softcard: the card was removed")

// ErrReset is what Transmit returns when a fault plan has the card reset under the running command.
var ErrReset = errors.New("softcard: the card was reset")

// ErrSilent is what Transmit returns when a fault plan has the card not answer: a reader would have run into its time-out.
var ErrSilent = errors.New("softcard: the card did not answer")

// When tells whether a faulty exchange has its effect on the card.
type When int

const (
	// Before the command is executed: the card never saw it.
	Before When = iota
	// After the command was executed: the card has done it, the answer is lost or spoilt.
	After
)

// A Fault is one thing that goes wrong with one exchange. Its zero value does nothing.
type Fault struct {
	When     When
	Status   uint16        // answer with this status word and no data
	Truncate int           // keep this many bytes of the answer, status word included; needs Cut
	Cut      bool          // truncate the answer to Truncate bytes, which may be none
	Garbage  bool          // answer bytes that mean nothing
	Reset    bool          // warm reset: ErrReset
	Remove   bool          // the card leaves the reader: ErrRemoved until PowerOn
	Silence  time.Duration // no answer for this long, then ErrSilent
	Delay    time.Duration // the answer comes this much later; combines with all others
	Switch   bool          // another program selected another application
}

// A Plan says which exchanges go wrong, by their number: 1 is the first APDU after SetFaults.
type Plan map[int]Fault
