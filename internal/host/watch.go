package host

import (
	"context"
	"os"
	"sync"
	"time"

	"cardbridge/reader"
)

// softLook is how often state files are looked for while watching; a card made
// for tests and demonstrations may be seen a moment late.
const softLook = time.Second

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Watch is reader.Monitor's Watch over all readers of the Host: it reports what
// there is, then Settled, then what happens, until ctx ends. One Watch a Host
// at a time.
func (h *Host) Watch(ctx context.Context, emit func(reader.Event)) error {
	var mu sync.Mutex
	tell := func(e reader.Event) {
		mu.Lock()
		defer mu.Unlock()
		emit(e)
	}
	w := softWatch{h: h, emit: tell, last: make([]reader.State, len(h.soft))}
	for i, r := range h.soft {
		if h.wants(r.name) {
			w.last[i] = reader.State{Slot: r.slot, Reader: r.name}
			tell(reader.Event{Kind: reader.ReaderAdded, State: w.last[i]})
		}
	}
	w.look()
	var wg sync.WaitGroup
	defer wg.Wait()
	if len(h.soft) > 0 {
		wg.Go(func() { w.run(ctx) })
	}
	if h.monitor == nil {
		tell(reader.Event{Kind: reader.Settled})
		<-ctx.Done()
		return ctx.Err()
	}
	return h.monitor.Watch(ctx, func(e reader.Event) {
		if e.Kind == reader.Settled || h.wants(e.Reader) {
			if e.Kind != reader.Settled {
				e.Slot += len(h.soft)
			}
			tell(e)
		}
	})
}

// A softWatch turns looks at state files into events.
type softWatch struct {
	h    *Host
	emit func(reader.Event)
	last []reader.State
}

func (w *softWatch) run(ctx context.Context) {
	tick := time.NewTicker(softLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.look()
		case <-ctx.Done():
			return
		}
	}
}

func (w *softWatch) look() {
	for i, r := range w.h.soft {
		was := w.last[i]
		if was.Reader == "" { // not asked for
			continue
		}
		st, _ := r.state()
		if was.Card && (!st.Card || st.Generation != was.Generation) {
			out := reader.State{Slot: was.Slot, Reader: was.Reader, Generation: was.Generation}
			w.emit(reader.Event{Kind: reader.CardRemoved, State: out})
			was = out
		}
		if st.Card && !was.Card {
			w.emit(reader.Event{Kind: reader.CardInserted, State: st})
		}
		w.last[i] = st
	}
}
