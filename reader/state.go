package reader

import "fmt"

// A State is a reader as it was at one look.
type State struct {
	// Slot is the reader's number: from 0, in the order in which readers were
	// first seen. A reader that returns under its name gets its number back.
	Slot   int
	Reader string
	// Generation numbers the cards of a slot: it grows by one with every
	// insertion that was seen or must have happened, so that two looks with the
	// same Generation found the same card, not taken out in between.
	Generation uint64
	// Card: a card is there. Mute: it does not answer to reset.
	Card, Mute bool
	// ATR is the card's answer to reset, nil without a card that answers.
	ATR []byte
	// InUse: some program has the card connected. Exclusive: one has it for
	// itself. As of the look; these do not make events.
	InUse, Exclusive bool
}

// An EventKind says what happened.
type EventKind int

// What can happen.
const (
	ReaderAdded EventKind = iota + 1
	ReaderRemoved
	CardInserted
	CardRemoved
	// Settled follows the events with which a watch describes what it finds at
	// its start: all that comes after it is news.
	Settled
)

func (k EventKind) String() string {
	switch k {
	case ReaderAdded:
		return "reader added"
	case ReaderRemoved:
		return "reader removed"
	case CardInserted:
		return "card inserted"
	case CardRemoved:
		return "card removed"
	case Settled:
		return "settled"
	default:
		return fmt.Sprintf("event %d", int(k))
	}
}

// An Event is one thing that happened in a reader; State is the reader after
// it (before it, for ReaderRemoved). A card is always inserted between its
// reader's addition and removal, and removed before its reader is.
type Event struct {
	Kind EventKind
	State
}
