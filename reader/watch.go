package reader

import (
	"context"
	"errors"
	"slices"
	"time"
)

// A watch is a Watch under way.
type watch struct {
	m       *Monitor
	emit    func(Event)
	settled bool
	// blind is set where PC/SC does not tell of new readers: they are looked for
	// from time to time then. failures counts how often that seemed so.
	blind    bool
	failures int
}

// tell takes a look into account and reports what it shows. The first one
// describes what there is, known to the Monitor from earlier or not.
func (w *watch) tell(l look, err error) {
	w.m.mu.Lock()
	events := w.m.slots.update(l)
	if !w.settled {
		events = nil
		for _, st := range w.m.slots.states() {
			empty := State{Slot: st.Slot, Reader: st.Reader, Generation: st.Generation}
			if st.Card {
				empty.Generation-- // as before that card
			}
			events = append(events, Event{Kind: ReaderAdded, State: empty})
			if st.Card {
				events = append(events, Event{Kind: CardInserted, State: st})
			}
		}
		w.settled = true
		events = append(events, Event{Kind: Settled})
	}
	w.m.err = err
	w.m.settle()
	w.m.mu.Unlock()
	for _, e := range events {
		w.emit(e)
	}
}

// lost: the service has gone, and all readers with it.
func (w *watch) lost(err error) {
	var s *ServiceError
	if !errors.As(err, &s) {
		err = &ServiceError{Err: err}
	}
	w.tell(nil, err)
}

// session watches through one PC/SC context until that fails or ctx ends.
func (w *watch) session(ctx context.Context) error {
	turn, err := newLane().turn(ctx)
	if err != nil {
		return err
	}
	s := &watchSession{watch: w, turn: turn}
	defer s.end(ctx)
	if err := s.call(ctx, func() (err error) {
		s.ses, err = w.m.sys.pcsc.Establish()
		return err
	}); err != nil {
		return err
	}
	for {
		names := s.look.names()
		if err := s.call(ctx, func() (err error) {
			s.look, err = takeLook(s.ses)
			return err
		}); err != nil {
			return err
		}
		w.tell(s.look, nil)
		if w.blind && !slices.Equal(names, s.look.names()) {
			w.blind, w.failures = false, 0 // try again
		}
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
}

func (l look) names() []string {
	names := make([]string, len(l))
	for i, r := range l {
		names[i] = r.Reader
	}
	return names
}

// A watchSession is a watch's PC/SC context.
type watchSession struct {
	*watch
	turn *turn
	ses  session
	look look
	pnp  stateFlag // of the plug-and-play reader, from one wait to the next
}

func (s *watchSession) call(ctx context.Context, f func() error) error {
	return s.turn.call(ctx, f, s.release)
}

func (s *watchSession) release() {
	if s.ses != nil {
		_ = s.ses.Release()
	}
}

func (s *watchSession) end(ctx context.Context) {
	if !s.turn.over {
		_ = s.turn.finish(ctx, func() error { s.release(); return nil }, func() {})
		s.turn.end()
	}
}

// wait returns when something has happened since the look, or may have.
func (s *watchSession) wait(ctx context.Context) error {
	states := make([]readerState, len(s.look), len(s.look)+1)
	for i, r := range s.look {
		states[i] = readerState{Reader: r.Reader, Current: r.Event &^ (stateChanged | sharingFlags)}
	}
	if s.blind {
		if len(states) == 0 {
			return sleep(ctx, s.m.sys.patience.readers)
		}
	} else {
		states = append(states, readerState{Reader: pnpReader, Current: s.pnp})
	}
	err := s.block(ctx, states)
	switch {
	case s.turn.over:
		return err
	case isCode(err, UnknownReader, InvalidParameter) && !s.blind:
		// A reader has gone; or, when this comes again though all are there, the
		// plug-and-play reader is unknown here, or one too many to watch.
		s.pnp = 0
		s.failures++
		s.blind = s.failures > 2
		return nil
	case isCode(err, Timeout, Cancelled, UnknownReader):
		return ctx.Err()
	case err != nil:
		return err
	}
	s.failures = 0
	if !s.blind {
		s.pnp = states[len(states)-1].Event &^ stateChanged
	}
	return nil
}

// block is GetStatusChange, which it ends when ctx does and when the readers
// turn out to be other ones than those that are waited for.
func (s *watchSession) block(ctx context.Context, states []readerState) error {
	timeout, recheck := time.Duration(-1), s.pnp.counter() == 0
	if s.blind {
		timeout, recheck = s.m.sys.patience.readers, false
	}
	names := s.look.names()
	return s.call(ctx, func() error {
		done, stopped := make(chan struct{}), make(chan struct{})
		over, end := context.WithCancel(ctx) // with the wait as well
		go func() {
			defer close(stopped)
			if !recheck || !s.m.sys.changed(over, names) {
				<-over.Done()
			}
			s.cancelUntil(done)
		}()
		defer func() { close(done); end(); <-stopped }()
		return s.ses.GetStatusChange(states, timeout)
	})
}

// cancelUntil cancels a wait until it is done: a cancellation that comes before
// the wait has begun is lost.
func (s *watchSession) cancelUntil(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		default:
		}
		_ = s.ses.Cancel()
		select {
		case <-done:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// changed tells whether the readers are others than names, a while from now.
//
// pcsc-lite before 2.3 compares the number of readers with that at the start of
// the wait: a reader that comes between the look and the wait would go
// unnoticed. So the readers are listed once more, a while after the wait has
// begun; later ones the wait notices by itself. Newer versions count such
// events, as Windows does, and need none of this.
func (s *System) changed(ctx context.Context, names []string) bool {
	if sleep(ctx, s.patience.recheck) != nil {
		return false
	}
	ses, err := s.pcsc.Establish()
	if err != nil {
		return false
	}
	now, err := ses.ListReaders()
	_ = ses.Release()
	slices.Sort(now)
	return err == nil && !slices.Equal(slices.Compact(now), names)
}
