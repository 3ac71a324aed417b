package piv

import (
	"fmt"
	"time"

	"cardbridge/apdu"
	"cardbridge/card"
)

const (
	// touchHint is how long a card may take before it is said that it may wait
	// for a touch, where nothing tells.
	touchHint = 700 * time.Millisecond
	// touchCachedHint is the same for keys whose last touch may still count.
	touchCachedHint = 250 * time.Millisecond
	// touchPatience is how long a refusal takes at least to be the end of a
	// card's wait for a touch: YubiKeys blink for 15 s, and refuse a missing
	// login at once.
	touchPatience = 5 * time.Second
)

// sendTouched sends a command that may wait for a touch, and says so.
func (x *tx) sendTouched(k card.KeyInfo, cmd apdu.Command) ([]byte, error) {
	if hint := x.c.onTouch; hint != nil {
		var after time.Duration
		switch k.TouchPolicy {
		case card.TouchNever:
			return x.send(cmd)
		case card.TouchAlways:
			// Beside the command, not before it: but said it is, also when the
			// card is quick and the program ends with its answer.
			said := make(chan struct{})
			go func() {
				defer close(said)
				hint(k)
			}()
			defer func() { <-said }()
			return x.send(cmd)
		case card.TouchCached:
			after = touchCachedHint
		case card.TouchUnknown:
			after = touchHint
		}
		t := time.AfterFunc(after, func() { hint(k) })
		defer t.Stop()
	}
	return x.send(cmd)
}

// untouched tells whether a refusal means that nobody touched: the status word
// is 6982, as for a missing login (or 6985, on some), but it comes late, or
// when nothing else can be missing.
func (x *tx) untouched(k card.KeyInfo, err error, start time.Time, allElse bool) bool {
	s, _ := apdu.StatusOf(err)
	if s != apdu.ErrSecurityStatus && s != apdu.ErrConditionsNotSatisfied || k.TouchPolicy == card.TouchNever {
		return false
	}
	wants := k.TouchPolicy == card.TouchAlways || k.TouchPolicy == card.TouchCached
	return x.c.now().Sub(start) >= touchPatience || wants && allElse
}

// adminRefused gives the refusal of an authentication's last step its meaning.
func (x *tx) adminRefused(k adminKeyInfo, err error, start time.Time) error {
	if x.untouched(card.KeyInfo{TouchPolicy: k.touch}, err, start, false) {
		return fmt.Errorf("%w: %w", card.ErrTouchTimeout, err)
	}
	switch s, answered := apdu.StatusOf(err); {
	case !answered, !x.ours && s == apdu.ErrInstruction, !x.ours && s == apdu.ErrClass:
		return err
	default:
		return &card.WrongPIN{Name: card.ManagementKey, Tries: -1, Err: err}
	}
}
