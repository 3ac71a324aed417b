package reader

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// seen is what a look finds in one reader: a card or none, and the counter.
type seen struct {
	card    bool
	counter uint16
	atr     byte
}

func (s seen) state(reader string) readerState {
	st := readerState{Reader: reader, Event: stateFlag(s.counter)<<16 | stateEmpty}
	if s.card {
		st.Event = stateFlag(s.counter)<<16 | statePresent
		st.ATR = []byte{0x3B, s.atr}
	}
	return st
}

func TestSlotsBetweenTwoLooks(t *testing.T) {
	const in, out = "inserted", "removed"
	for _, test := range []struct {
		name        string
		before, now seen
		want        string
		generations uint64 // by how much it grows
	}{
		{"nothing", seen{}, seen{}, "", 0},
		{"nothing, with a card", seen{card: true, counter: 7}, seen{card: true, counter: 7}, "", 0},
		{"insertion", seen{}, seen{card: true, counter: 1}, in, 1},
		{"removal", seen{card: true, counter: 1}, seen{counter: 2}, out, 0},
		{"removal and insertion", seen{card: true, counter: 1}, seen{card: true, counter: 3}, out + " " + in, 1},
		{"insertion and removal", seen{counter: 2}, seen{counter: 4}, in + " " + out, 1},
		{"insertion, removal, insertion", seen{counter: 2}, seen{card: true, counter: 5}, in + " " + out + " " + in, 2},
		{"removal, insertion, removal", seen{card: true, counter: 3}, seen{counter: 6}, out + " " + in + " " + out, 1},
		{"three cards one after the other", seen{card: true, counter: 1}, seen{card: true, counter: 7}, out + " " + in, 3},
		{"the counter wraps", seen{card: true, counter: 0xFFFF}, seen{card: true, counter: 1}, out + " " + in, 1},
		{"the counter is late", seen{card: true}, seen{card: true, counter: 1}, "", 0},
		{"the counter was late", seen{card: true}, seen{counter: 2}, out, 0},
		{"the counter is not kept", seen{card: true, atr: 1}, seen{card: true, atr: 2}, out + " " + in, 1},
		{"the reader was away", seen{card: true, counter: 9}, seen{card: true, counter: 1}, out + " reader-removed reader-added " + in, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s slots
			s.update(look{test.before.state("R")})
			generation := s.all[0].Generation
			events := s.update(look{test.now.state("R")})
			if got := words(events); got != test.want {
				t.Errorf("%s, not %s", got, test.want)
			}
			st := s.states()[0]
			if st.Generation != generation+test.generations || st.Card != test.now.card {
				t.Errorf("generation %d became %d, card %v", generation, st.Generation, st.Card)
			}
			for i := 1; i < len(events); i++ {
				if events[i].Generation < events[i-1].Generation {
					t.Error("generations go backwards")
				}
			}
			if again := s.update(look{test.now.state("R")}); len(again) != 0 {
				t.Errorf("the same look again: %s", words(again))
			}
		})
	}
}

func words(events []Event) string {
	var w []string
	for _, e := range events {
		switch e.Kind {
		case CardInserted:
			w = append(w, "inserted")
		case CardRemoved:
			w = append(w, "removed")
		default:
			w = append(w, strings.ReplaceAll(e.Kind.String(), " ", "-"))
		}
	}
	return strings.Join(w, " ")
}

func TestSlotsKeepTheirNumbers(t *testing.T) {
	var s slots
	a, b, c := seen{}.state("A"), seen{card: true}.state("B"), seen{}.state("C")
	s.update(look{a, b})
	if got := words(s.update(look{a})); got != "removed reader-removed" {
		t.Error(got)
	}
	s.update(look{c, a})
	if got := words(s.update(look{a, b, c})); got != "reader-added inserted" {
		t.Error(got)
	}
	for i, st := range s.states() {
		if st.Slot != i || st.Reader != string(rune('A'+i)) {
			t.Errorf("slot %d is %d, %s", i, st.Slot, st.Reader)
		}
	}
	if g := s.states()[1].Generation; g != 2 {
		t.Errorf("generation %d after the reader came back with a card", g)
	}
}

// A mute card, and one whose power comes late, have no ATR at first.
func TestSlotsWithoutATR(t *testing.T) {
	var s slots
	r := readerState{Reader: "R", Event: 1<<16 | statePresent | stateMute}
	events := s.update(look{r})
	if words(events) != "reader-added inserted" || !s.states()[0].Mute || s.states()[0].ATR != nil {
		t.Errorf("%s, %+v", words(events), s.states()[0])
	}
	r.Event, r.ATR = 1<<16|statePresent|stateInUse, []byte{0x3B, 0}
	if events := s.update(look{r}); len(events) != 0 {
		t.Error(words(events))
	}
	if st := s.states()[0]; st.Mute || len(st.ATR) != 2 || !st.InUse {
		t.Errorf("%+v", st)
	}
}

// Every sequence of five looks at two readers, with every state in each: what
// is told agrees with what is seen, in an order that makes sense.
func TestSlotsEveryOrder(t *testing.T) {
	var kinds []look
	for _, a := range []string{"", "empty", "card"} {
		for _, b := range []string{"", "empty", "card"} {
			var l look
			for i, s := range []string{a, b} {
				if s != "" {
					l = append(l, seen{card: s == "card"}.state(fmt.Sprint(i)))
				}
			}
			kinds = append(kinds, l)
		}
	}
	var walk func(depth int, looks []look)
	walk = func(depth int, looks []look) {
		if depth > 0 {
			for _, l := range kinds {
				walk(depth-1, append(slices.Clone(looks), l))
			}
			return
		}
		var s slots
		type model struct{ there, card bool }
		known := map[string]model{}
		counters := map[string]uint16{}
		for _, l := range looks {
			l = slices.Clone(l)
			for i := range l { // count as pcscd does
				card := l[i].Event&statePresent != 0
				if m, ok := known[l[i].Reader]; !ok || !m.there {
					counters[l[i].Reader] = 0
				} else if m.card != card {
					counters[l[i].Reader]++
				}
				l[i].Event |= stateFlag(counters[l[i].Reader]) << 16
			}
			for _, e := range s.update(l) {
				m := known[e.Reader]
				ok := true
				switch e.Kind {
				case ReaderAdded:
					ok, m.there = !m.there && !m.card, true
				case ReaderRemoved:
					ok, m.there = m.there && !m.card, false
				case CardInserted:
					ok, m.card = m.there && !m.card, true
				case CardRemoved:
					ok, m.card = m.there && m.card, false
				}
				if !ok || e.Card != m.card {
					t.Fatalf("%v of %s out of order", e.Kind, e.Reader)
				}
				known[e.Reader] = m
			}
			for i := range 2 {
				name := fmt.Sprint(i)
				at := slices.IndexFunc(l, func(r readerState) bool { return r.Reader == name })
				if m := known[name]; m.there != (at >= 0) || at >= 0 && m.card != (l[at].Event&statePresent != 0) {
					t.Fatalf("%s is %+v after %+v", name, m, l)
				}
			}
		}
	}
	walk(4, nil)
}
