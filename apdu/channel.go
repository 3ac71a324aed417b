package apdu

import "errors"

// A Channel sends commands whole: it picks short or extended form, chains what
// does not fit, fetches what 61xx announces and repeats with the length that
// 6Cxx names - also mixed, as when a card answers an extended command with
// 61xx. It remembers what the card turned out to support.
//
// A Channel holds no lock: use it inside one transaction at a time.
type Channel struct {
	// Extended allows extended-length APDUs, as the card's ATR, EF.ATR or
	// model says. A card that answers 6700 to one is taken back to short form
	// for good, and the command is sent again in short form.
	Extended bool
	// MaxCommand bounds the data field of one extended command, 0 for 65,535.
	MaxCommand int
	// MaxResponse bounds a whole answer, over all its parts; 0 for 1 MiB.
	MaxResponse int
}

// DefaultMaxResponse bounds an answer when Channel.MaxResponse is 0.
const DefaultMaxResponse = 1 << 20

// Send sends cmd and returns the whole answer without its status word. Any
// status word but 9000 is a [CommandError].
func (c *Channel) Send(t Transmitter, cmd Command) ([]byte, error) {
	return nil, errors.New("apdu: not yet")
}
