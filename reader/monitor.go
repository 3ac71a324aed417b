package reader

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Monitor turns what happens in all readers into ordered events and knows
// the state of each. Slot numbers and generations live as long as it does. It
// holds a PC/SC context, its own, while it watches or looks. It may be used
// from any goroutine.
type Monitor struct {
	sys *System

	watching lane // held by Watch

	mu      sync.Mutex
	slots   slots
	settled chan struct{} // closed once a watch knows the state; nil without one
	err     error         // of the watch under way: why it sees nothing
}

// Monitor makes a Monitor; it holds nothing until it is used.
func (s *System) Monitor() *Monitor { return &Monitor{sys: s, watching: newLane()} }

// Watch reports to emit what it finds - as ReaderAdded and CardInserted events,
// then Settled - and then what happens, in order, until ctx ends; it returns
// ctx's error then, at once. It sleeps while nothing happens. It survives the
// end of the PC/SC service: all readers are removed then, and added when it is
// back. emit is called by one goroutine, that of Watch, and may call Readers.
// A second Watch on one Monitor waits for the first to end.
func (m *Monitor) Watch(ctx context.Context, emit func(Event)) error {
	turn, err := m.watching.turn(ctx)
	if err != nil {
		return err
	}
	defer turn.end()
	m.mu.Lock()
	m.settled = make(chan struct{})
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.settle()
		m.settled, m.err = nil, nil
	}()
	w := &watch{m: m, emit: emit}
	for attempt := 0; ctx.Err() == nil; attempt++ {
		if err := w.session(ctx); err != nil && ctx.Err() == nil {
			// A service with its hands full - pcscd takes 200 programs at a time -
			// turns away as one that is not there does: before that is told as
			// news, a service that seems to be there is asked again.
			if !w.settled && attempt < firstAttempts && serviceSeen() {
				_ = sleep(ctx, 200*time.Millisecond)
				continue
			}
			w.lost(err)
			m.sys.pcsc.Await(ctx)
		}
	}
	return ctx.Err()
}

// firstAttempts is how often the first look is tried again.
const firstAttempts = 10

// settle lets those in who wait for the first look of a watch; with m.mu.
func (m *Monitor) settle() {
	select {
	case <-m.settled:
	default:
		close(m.settled)
	}
}

// Readers is the state of all readers there are, by slot: of the watch under
// way, else of a look of its own. No readers are no error; no PC/SC service is
// a ServiceError.
func (m *Monitor) Readers(ctx context.Context) ([]State, error) {
	m.mu.Lock()
	settled := m.settled
	m.mu.Unlock()
	if settled != nil {
		select {
		case <-settled:
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.slots.states(), m.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	turn, err := newLane().turn(ctx)
	if err != nil {
		return nil, err
	}
	var l look
	err = turn.call(ctx, func() error {
		ses, err := m.sys.pcsc.Establish()
		if err != nil {
			return &ServiceError{Err: err}
		}
		defer func() { _ = ses.Release() }()
		l, err = takeLook(ses)
		return err
	}, func() {})
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.settled == nil { // else a watch has begun, and knows better
		m.slots.update(l)
	}
	return m.slots.states(), nil
}

// takeLook asks for all readers and their states; it does not wait.
func takeLook(ses session) (look, error) {
	for range maxRounds {
		names, err := ses.ListReaders()
		if err != nil || len(names) == 0 {
			return nil, err
		}
		slices.Sort(names)
		names = slices.Compact(names)
		l := make(look, len(names))
		for i, n := range names {
			l[i].Reader = n
		}
		// A reader that has gone in between makes the whole look fail.
		err = ses.GetStatusChange(l, 0)
		if !isCode(err, UnknownReader, Timeout) {
			return l, err
		}
	}
	return nil, UnknownReader
}
