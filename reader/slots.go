package reader

import (
	"bytes"
	"slices"
)

// slots remember readers by number, and turn two looks into what happened in
// between.
type slots struct {
	all []slot // the index is the slot number
}

type slot struct {
	State
	there bool
	seen  stateFlag // at the last look, with its counter
}

// A look is what PC/SC said of all readers at one time; names are different.
type look []readerState

// update takes a look and returns what must have happened since the last.
func (s *slots) update(l look) []Event {
	var events []Event
	for i := range s.all {
		sl := &s.all[i]
		if sl.there && !slices.ContainsFunc(l, func(r readerState) bool { return r.Reader == sl.Reader }) {
			events = sl.leave(events)
		}
	}
	for _, r := range l {
		events = s.slot(r.Reader).update(events, r)
	}
	return events
}

// slot is the reader's, which may be new.
func (s *slots) slot(reader string) *slot {
	for i := range s.all {
		if s.all[i].Reader == reader {
			return &s.all[i]
		}
	}
	s.all = append(s.all, slot{State: State{Slot: len(s.all), Reader: reader}})
	return &s.all[len(s.all)-1]
}

// states are those of the readers that are there, by slot.
func (s *slots) states() []State {
	var out []State
	for _, sl := range s.all {
		if sl.there {
			out = append(out, sl.copy())
		}
	}
	return out
}

func (sl *slot) update(events []Event, r readerState) []Event {
	if r.Event&stateUnknown != 0 { // it has gone since the readers were listed
		return sl.leave(events)
	}
	// The service counts insertions and removals: the difference tells what
	// happened beside the change that can be seen. It may be one short or one
	// over, for state and counter are not written in one go. Counters that go
	// backwards are those of a reader that was away.
	passed := 0
	if sl.there {
		delta := r.Event.counter() - sl.seen.counter()
		if delta >= 1<<15 {
			events = sl.leave(events)
		} else {
			passed = int(delta)
		}
	}
	if !sl.there {
		sl.there = true
		events = append(events, sl.event(ReaderAdded))
	}
	card := r.Event&statePresent != 0
	if card != sl.Card {
		passed--
	}
	another := card && sl.Card && len(sl.ATR) > 0 && len(r.ATR) > 0 && !bytes.Equal(sl.ATR, r.ATR)
	sl.seen = r.Event
	if passed >= 2 || another {
		// Two events for the pair of which nothing is to be seen; of several
		// pairs, the last.
		sl.Generation += uint64(max(passed/2, 1) - 1)
		if sl.Card {
			events = sl.removed(events)
			events = sl.inserted(events, r)
		} else {
			events = sl.inserted(events, readerState{})
			events = sl.removed(events)
		}
	}
	switch {
	case card && !sl.Card:
		events = sl.inserted(events, r)
	case !card && sl.Card:
		events = sl.removed(events)
	case card && len(r.ATR) > 0:
		sl.ATR = bytes.Clone(r.ATR) // powered up at last
	}
	sl.Mute = r.Event&stateMute != 0
	sl.InUse = r.Event&stateInUse != 0
	sl.Exclusive = r.Event&stateExclusive != 0
	return events
}

func (sl *slot) inserted(events []Event, r readerState) []Event {
	sl.Card, sl.ATR, sl.Mute = true, bytes.Clone(r.ATR), r.Event&stateMute != 0
	sl.Generation++
	return append(events, sl.event(CardInserted))
}

func (sl *slot) removed(events []Event) []Event {
	sl.Card, sl.ATR, sl.Mute = false, nil, false
	return append(events, sl.event(CardRemoved))
}

func (sl *slot) leave(events []Event) []Event {
	if !sl.there {
		return events
	}
	if sl.Card {
		events = sl.removed(events)
	}
	sl.there, sl.seen, sl.InUse, sl.Exclusive = false, 0, false, false
	return append(events, sl.event(ReaderRemoved))
}

func (sl *slot) event(k EventKind) Event { return Event{Kind: k, State: sl.copy()} }

func (sl *slot) copy() State {
	st := sl.State
	st.ATR = bytes.Clone(st.ATR)
	return st
}
