package reader

import "context"

// A Monitor turns what happens in all readers into ordered events and knows
// the state of each. Slot numbers and generations live as long as it does.
type Monitor struct {
	sys *System
}

// Monitor makes a Monitor; it holds nothing until it is used.
func (s *System) Monitor() *Monitor { return &Monitor{sys: s} }

// Watch reports to emit what it finds - as ReaderAdded and CardInserted events,
// then Settled - and then what happens, in order, until ctx ends; it returns
// ctx's error then. It sleeps while nothing happens. It survives the end of the
// PC/SC service: all readers are removed then, and added when it is back. emit
// is called from one goroutine at a time and may call Readers.
func (m *Monitor) Watch(ctx context.Context, emit func(Event)) error { panic("todo") }

// Readers is the state of all readers there are, by slot: of the watch under
// way, else of a look of its own. No readers are no error.
func (m *Monitor) Readers(ctx context.Context) ([]State, error) { panic("todo") }
