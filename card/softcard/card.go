package softcard

import (
	"context"
	"errors"
	"time"
)

var errTODO = errors.New("softcard: not written yet")

// A Card is one software card in one reader: a state file and a power-up state. Its methods may be called from any goroutine;
// exchanges are serialised as a reader would.
type Card struct{}

// An Option changes how Open's Card behaves; none changes the state file.
type Option func(*Card)

// WithLatency makes every exchange take at least d, as a card's processor and wire do.
func WithLatency(d time.Duration) Option { return func(*Card) {} }

// WithTouch is asked whenever a key's policy wants a touch; it returns whether one came. It should return when ctx ends.
// Without this option every touch comes at once.
func WithTouch(touch func(ctx context.Context) bool) Option { return func(*Card) {} }

// WithFaults is SetFaults at opening time.
func WithFaults(plan Plan) Option { return func(*Card) {} }

// Create makes the state file of a fresh card. It never overwrites.
func Create(path, personality string) error { return errTODO }

// Open inserts the card of a state file, powered.
func Open(path string, opts ...Option) (*Card, error) { return nil, errTODO }

// Transmit exchanges one APDU. Whatever bytes it is given it answers with a status word; an error means that the card is not
// there, was reset, or did not answer (ErrRemoved, ErrReset, ErrSilent), or that the state file cannot be used.
func (c *Card) Transmit(command []byte) ([]byte, error) { return nil, errTODO }

// Reset is a warm reset.
func (c *Card) Reset() {}

// PowerOff takes the card's power; Transmit then fails with ErrRemoved.
func (c *Card) PowerOff() {}

// PowerOn is a cold reset; it also puts a removed card back.
func (c *Card) PowerOn() {}

// ATR is the answer to reset.
func (c *Card) ATR() []byte { return nil }

// Count is the number of APDUs since Open or ResetCount, GET RESPONSE and chained parts included.
func (c *Card) Count() int { return 0 }

// ResetCount starts Count again from nought.
func (c *Card) ResetCount() {}

// SetFaults replaces the fault plan; its numbers start with the next APDU.
func (c *Card) SetFaults(plan Plan) {}

// Tries are the tries left as the state file has them.
func (c *Card) Tries() (pin, puk int) { return 0, 0 }

// Close ends the use of the card. The state file is always up to date.
func (c *Card) Close() error { return nil }

// Run is the card behind pcscd: it speaks to vsmartcard's vpcd at addr until ctx ends.
func (c *Card) Run(ctx context.Context, addr string) error { return errTODO }
