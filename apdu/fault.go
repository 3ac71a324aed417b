package apdu

import "sync"

// A Fault is what goes wrong with one command APDU. The zero At and Match fit
// every command.
type Fault struct {
	// At is the number of the APDU, counted from 1.
	At int
	// Match picks commands; what is not a command is never picked.
	Match func(Command) bool
	// Always lets the fault happen each time it fits, not only the first.
	Always bool

	// Before runs when the card has not seen the command: it may wait, or reset
	// the card, or select another applet. With an error the card never sees it.
	Before func() error
	// Instead, unless 0, is answered in the card's place, which never sees the
	// command.
	Instead Status
	// After gets the card's answer, which it may keep and change, and makes of
	// it what the caller gets. What the command did to the card is done.
	After func(response []byte) ([]byte, error)
}

// LoseCommand fails with err before the card sees the command.
func LoseCommand(err error) Fault { return Fault{Before: func() error { return err }} }

// LoseAnswer fails with err when the card has done its work.
func LoseAnswer(err error) Fault {
	return Fault{After: func([]byte) ([]byte, error) { return nil, err }}
}

// AnswerInstead gives a status word in the card's place.
func AnswerInstead(s Status) Fault { return Fault{Instead: s} }

// TruncateAnswer keeps the first n bytes of the answer's body, and the status
// word. With n < 0 it keeps one byte of the whole answer: no status word.
func TruncateAnswer(n int) Fault {
	return Fault{After: func(r []byte) ([]byte, error) {
		switch {
		case n < 0:
			return r[:min(1, len(r))], nil
		case len(r) < n+2:
			return r, nil
		}
		return append(r[:n:n], r[len(r)-2:]...), nil
	}}
}

// GarbleAnswer overwrites the body of the answer with bytes that are neither
// BER-TLV nor what was there, and keeps the status word. An answer without a
// body gets one.
func GarbleAnswer() Fault {
	return Fault{After: func(r []byte) ([]byte, error) {
		body := make([]byte, max(len(r)-2, 5))
		for i := range body {
			body[i] = 0xFF - byte(i%5)
		}
		return append(body, r[max(0, len(r)-2):]...), nil
	}}
}

// Faults is a [Decorator] that makes things go wrong according to plan. It is
// safe for concurrent use.
type Faults struct {
	mu   sync.Mutex
	plan []Fault
	seen int
	hit  int
}

// NewFaults makes the faults of plan happen. When several fit, the first does.
func NewFaults(plan ...Fault) *Faults { return &Faults{plan: plan} }

// Hits tells how many faults have happened, so that a test can tell that its
// plan was not in vain.
func (f *Faults) Hits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

// Seen tells how many commands have passed.
func (f *Faults) Seen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

// Around looks for a fault that fits.
func (f *Faults) Around(next Transmitter, command []byte, _ bool) ([]byte, error) {
	fault, ok := f.pick(command)
	if !ok {
		return next.Transmit(command)
	}
	if fault.Before != nil {
		if err := fault.Before(); err != nil {
			return nil, err
		}
	}
	if fault.Instead != 0 {
		return []byte{fault.Instead.SW1(), fault.Instead.SW2()}, nil
	}
	response, err := next.Transmit(command)
	if err != nil || fault.After == nil {
		return response, err
	}
	return fault.After(append([]byte(nil), response...))
}

func (f *Faults) pick(command []byte) (Fault, bool) {
	c, _, err := ParseCommand(command)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen++
	for i, fault := range f.plan {
		switch {
		case fault.At != 0 && fault.At != f.seen:
		case fault.Match != nil && (err != nil || !fault.Match(c)):
		default:
			f.hit++
			if !fault.Always {
				f.plan = append(f.plan[:i:i], f.plan[i+1:]...)
			}
			return fault, true
		}
	}
	return Fault{}, false
}

// WithINS makes a Match for Fault out of an instruction.
func WithINS(ins byte) func(Command) bool {
	return func(c Command) bool { return c.INS == ins }
}
