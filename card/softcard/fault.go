package softcard

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"time"
)

// ErrRemoved is what Transmit returns once the card has been taken out of its reader, has no power or was closed.
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
	When    When
	Delay   time.Duration // the answer comes this much later; combines with all others
	Switch  bool          // another program selected another application; combines with all others
	Status  uint16        // the answer is this status word and no data
	Cut     bool          // the answer is cut to its first Keep bytes, status word included
	Keep    int
	Garbage bool          // the answer is noise with 9000 behind it
	Silence time.Duration // no answer for this long, then ErrSilent
	Reset   bool          // warm reset: ErrReset
	Remove  bool          // the card leaves the reader: ErrRemoved until Insert
	Back    time.Duration // ... or until this long has passed, if it is not nought
}

// A Plan says which exchanges go wrong, by their number: 1 is the first APDU after SetFaults.
type Plan map[int]Fault

// faults is a plan under way.
type faults struct {
	plan Plan
	n    int
}

func (f *faults) set(plan Plan) { f.plan, f.n = maps.Clone(plan), 0 }

// SetFaults replaces the fault plan; its numbers start with the next APDU.
func (c *Card) SetFaults(plan Plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults.set(plan)
}

// withFaults is an exchange as the plan spoils it. A fault Before that leaves an answer to spoil (Cut, Garbage, Delay, Switch)
// still has the card execute the command, for the answer to come from somewhere.
func (c *Card) withFaults(ctx context.Context, command []byte) ([]byte, error) {
	c.faults.n++
	f, ok := c.faults.plan[c.faults.n]
	if !ok {
		return c.exchange(ctx, command)
	}
	sleep(ctx, f.Delay)
	if f.Switch && f.When == Before {
		c.selectOther()
	}
	var response []byte
	if f.When == After || !f.replaces() {
		var err error
		if response, err = c.exchange(ctx, command); err != nil {
			return nil, err
		}
	}
	if f.Switch && f.When == After {
		c.selectOther()
	}
	return c.spoil(ctx, f, response)
}

// replaces tells whether nothing of the card's answer is left.
func (f Fault) replaces() bool {
	return f.Status != 0 || f.Silence != 0 || f.Reset || f.Remove
}

func (c *Card) spoil(ctx context.Context, f Fault, response []byte) ([]byte, error) {
	switch {
	case f.Remove:
		c.remove()
		if f.Back > 0 {
			c.waitMu.Lock()
			c.back = time.AfterFunc(f.Back, c.Insert)
			c.waitMu.Unlock()
		}
		return nil, ErrRemoved
	case f.Reset:
		c.reset()
		return nil, ErrReset
	case f.Silence != 0:
		sleep(ctx, f.Silence)
		return nil, ErrSilent
	case f.Status != 0:
		return answer(nil, f.Status), nil
	case f.Garbage:
		return answer(noise(max(len(response)-2, 8), uint64(c.faults.n)), swOK), nil
	case f.Cut:
		return response[:min(max(f.Keep, 0), len(response))], nil
	}
	return response, nil
}

// noise is the same for the same number, so that a failing run can be run again.
func noise(n int, number uint64) []byte {
	r := rand.New(rand.NewPCG(number, 0x736F667470697600))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
