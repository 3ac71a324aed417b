package reader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A watcher is a Watch under way in a test.
type watcher struct {
	t      *testing.T
	f      *fakePCSC
	m      *Monitor
	cancel context.CancelFunc
	done   chan error
	events []Event
}

func startWatch(t *testing.T, f *fakePCSC, m *Monitor) *watcher {
	ctx, cancel := context.WithCancel(t.Context())
	w := &watcher{t: t, f: f, m: m, cancel: cancel, done: make(chan error, 1)}
	go func() { w.done <- m.Watch(ctx, func(e Event) { w.events = append(w.events, e) }) }()
	w.settle()
	return w
}

// settle waits until nothing happens any more, the recheck included.
func (w *watcher) settle() {
	synctest.Wait()
	time.Sleep(2 * usualPatience.recheck)
	synctest.Wait()
}

// expect takes the events since the last call: "+" and "-" a reader, "c" and
// "r" a card, with the slot's number; "=" settled.
func (w *watcher) expect(want string) {
	w.t.Helper()
	w.settle()
	marks := map[EventKind]string{ReaderAdded: "+", ReaderRemoved: "-", CardInserted: "c", CardRemoved: "r"}
	var got []string
	for _, e := range w.events {
		if e.Kind == Settled {
			got = append(got, "=")
			continue
		}
		got = append(got, fmt.Sprintf("%s%d", marks[e.Kind], e.Slot))
	}
	w.events = nil
	if g := strings.Join(got, " "); g != want {
		w.t.Errorf("%q happened, not %q", g, want)
	}
	states, err := w.m.Readers(w.t.Context())
	if w.f.running && err != nil || !w.f.running && !errors.Is(err, ErrService) {
		w.t.Errorf("running %v: %v", w.f.running, err)
	}
	there := 0
	for _, s := range states {
		r := w.f.reader(s.Reader)
		if r == nil || (r.card != nil) != s.Card {
			w.t.Errorf("%+v", s)
		}
		there++
	}
	if w.f.running && there != len(w.f.readers) {
		w.t.Errorf("%d readers of %d", there, len(w.f.readers))
	}
}

func (w *watcher) end() {
	w.t.Helper()
	start := time.Now()
	w.cancel()
	if err := <-w.done; !errors.Is(err, context.Canceled) {
		w.t.Error(err)
	}
	if time.Since(start) != 0 {
		w.t.Errorf("it took %v to cancel", time.Since(start))
	}
	synctest.Wait()
	time.Sleep(time.Second)
	w.f.idle(0, 0)
}

// Each kind of PC/SC there is: with the plug-and-play reader counting, as
// pcsc-lite since 2.3 and Windows, without counting, and without it.
func everyPCSC(t *testing.T, test func(t *testing.T, f *fakePCSC)) {
	for name, set := range map[string]func(*fakePCSC){
		"counting": func(f *fakePCSC) { f.counting = true },
		"pnp":      func(*fakePCSC) {},
		"polling":  func(f *fakePCSC) { f.pnp = false },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				set(f)
				test(t, f)
			})
		})
	}
}

func TestMonitorTellsWhatHappens(t *testing.T) {
	everyPCSC(t, func(t *testing.T, f *fakePCSC) {
		w := startWatch(t, f, newSystem(f).Monitor())
		w.expect("=")
		a := f.addReader("A", nil)
		w.expect("+0")
		b := f.addReader("B", newFakeCard())
		w.expect("+1 c1")
		f.insert(a, newFakeCard())
		w.expect("c0")
		f.remove(b)
		w.expect("r1")
		f.removeReader(a)
		w.expect("r0 -0")
		c := f.addReader("C", nil)
		w.expect("+2")
		f.insert(b, newFakeCard())
		f.remove(b)
		f.insert(c, newFakeCard())
		w.expect("c1 r1 c2")
		f.addReader("A", newFakeCard())
		w.expect("+0 c0")
		f.stop()
		w.expect("r0 -0 -1 r2 -2")
		f.start()
		w.expect("+0 c0 +1 +2 c2")
		w.end()
	})
}

func TestMonitorBeginsWithWhatThereIs(t *testing.T) {
	everyPCSC(t, func(t *testing.T, f *fakePCSC) {
		a, b := f.addReader("A", newFakeCard()), f.addReader("B", nil)
		m := newSystem(f).Monitor()
		before, err := m.Readers(t.Context())
		if err != nil || len(before) != 2 || !slices.Equal(before[0].ATR, yubikeyATR) {
			t.Fatalf("%+v, %v", before, err)
		}
		f.idle(0, 0)
		w := startWatch(t, f, m)
		if w.events[1].Generation != before[0].Generation {
			t.Error("the same card got another generation")
		}
		w.expect("+0 c0 +1 =")
		w.end()
		// Between two watches the Monitor's memory goes on.
		f.remove(a)
		f.insert(a, newFakeCard())
		f.insert(b, newFakeCard())
		after, err := m.Readers(t.Context())
		if err != nil || after[0].Generation != before[0].Generation+1 || after[1].Generation != 1 {
			t.Errorf("%+v, %v", after, err)
		}
		w = startWatch(t, f, m)
		w.expect("+0 c0 +1 c1 =")
		w.end()
	})
}

// Nothing happens: no call is made, for hours.
func TestMonitorSleeps(t *testing.T) {
	for _, counting := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t)
			f.counting = counting
			f.addReader("A", newFakeCard())
			f.addReader("B", nil)
			sys := newSystem(f)
			c := sys.Connect("A")
			mustExchange(t, c) // makes the card in use
			w := startWatch(t, f, sys.Monitor())
			looks := f.called("GetStatusChange")
			before := f.called("")
			time.Sleep(10 * time.Hour)
			if n := f.called("") - before; n != 0 {
				t.Errorf("%d calls while nothing happened", n)
			}
			_ = c.Close() // and of no use to us again
			time.Sleep(10 * time.Hour)
			if n := f.called("GetStatusChange"); n != looks || looks != 2 {
				t.Errorf("%d, then %d calls for one look and one wait", looks, n)
			}
			w.end()
			f.idle(0, 0)
		})
	}
}

// A reader or a card that comes or goes between the look and the wait, or in
// the middle of a look, is not missed.
func TestMonitorMissesNothingInBetween(t *testing.T) {
	for _, call := range []string{"ListReaders", "GetStatusChange"} {
		for nth := 1; nth <= 4; nth++ {
			for name, change := range map[string]func(f *fakePCSC, a, b *fakeReader){
				"reader added":   func(f *fakePCSC, _, _ *fakeReader) { f.addReader("C", newFakeCard()) },
				"reader removed": func(f *fakePCSC, a, _ *fakeReader) { f.removeReader(a) },
				"reader replaced": func(f *fakePCSC, a, _ *fakeReader) {
					f.removeReader(a)
					f.addReader("C", nil)
				},
				"card inserted": func(f *fakePCSC, _, b *fakeReader) { f.insert(b, newFakeCard()) },
				"card removed":  func(f *fakePCSC, a, _ *fakeReader) { f.remove(a) },
				"card replaced": func(f *fakePCSC, a, _ *fakeReader) { f.remove(a); f.insert(a, newFakeCard()) },
				"service restarted": func(f *fakePCSC, _, _ *fakeReader) {
					f.stop()
					f.start()
				},
			} {
				t.Run(fmt.Sprintf("%s/%d/%s", call, nth, name), func(t *testing.T) {
					everyPCSC(t, func(t *testing.T, f *fakePCSC) {
						a, b := f.addReader("A", newFakeCard()), f.addReader("B", nil)
						a.counter = 1
						var n atomic.Int32
						f.before[call] = func() {
							if n.Add(1) == int32(nth) {
								change(f, a, b)
							}
						}
						w := startWatch(t, f, newSystem(f).Monitor())
						w.settle()
						w.settle()
						if n.Load() < int32(nth) { // no such call: make it one
							f.insert(b, newFakeCard())
							w.settle()
						}
						w.events = nil
						w.expect("") // checks the state
						w.end()
					})
				})
			}
		}
	}
}

func TestMonitorReplacedCardMakesTwoEvents(t *testing.T) {
	everyPCSC(t, func(t *testing.T, f *fakePCSC) {
		a := f.addReader("A", newFakeCard())
		a.counter = 1
		w := startWatch(t, f, newSystem(f).Monitor())
		w.expect("+0 c0 =")
		f.do(func() { a.card = newFakeCard(); a.counter += 2 })
		w.expect("r0 c0")
		w.end()
	})
}

func TestMonitorWithoutService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.running = false
		m := newSystem(f).Monitor()
		_, err := m.Readers(t.Context())
		wantErr(t, err, ErrService, NoService)
		w := startWatch(t, f, m)
		w.expect("=")
		before := f.called("")
		time.Sleep(time.Hour)
		if f.called("") != before {
			t.Error("polled for the service")
		}
		f.addReader("A", newFakeCard())
		f.start()
		w.expect("+0 c0")
		w.end()
		f.stop()
		w = startWatch(t, f, m)
		w.expect("=")
		w.end()
	})
}

// Cancelled at every call, before it and while it is under way.
func TestMonitorCancelledAnywhere(t *testing.T) {
	for _, call := range []string{"Establish", "ListReaders", "GetStatusChange", "Release", "Await"} {
		for nth := 1; nth <= 3; nth++ {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				f.running = call != "Await"
				f.addReader("A", newFakeCard())
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stuck, n := make(chan struct{}), atomic.Int32{}
				f.before[call] = func() {
					if n.Add(1) == int32(nth) {
						cancel()
						<-stuck
					}
				}
				done := make(chan error, 1)
				go func() { done <- newSystem(f).Monitor().Watch(ctx, func(Event) {}) }()
				synctest.Wait()
				if n.Load() < int32(nth) {
					cancel()
				}
				if call != "Await" { // ours, it listens to ctx by itself
					if err := <-done; !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				}
				close(stuck)
				synctest.Wait()
				time.Sleep(time.Second)
				f.idle(0, 0)
			})
		}
	}
}

// Who has seen enough ends the watch from within: nothing goes on behind it.
func TestMonitorEndedByWhoListens(t *testing.T) {
	everyPCSC(t, func(t *testing.T, f *fakePCSC) {
		f.addReader("A", newFakeCard())
		ctx, cancel := context.WithCancel(t.Context())
		err := newSystem(f).Monitor().Watch(ctx, func(e Event) {
			if e.Kind == Settled {
				cancel()
			}
		})
		wantErr(t, err, context.Canceled)
		time.Sleep(time.Second)
		f.idle(0, 0)
	})
}

// Who waits for another's watch to end does so only as long as its context.
func TestMonitorSecondWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		m := newSystem(f).Monitor()
		w := startWatch(t, f, m)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		second := make(chan error, 1)
		go func() {
			second <- m.Watch(ctx, func(Event) { t.Error("two watches at once") })
		}()
		time.Sleep(2 * time.Second)
		select {
		case err := <-second:
			wantErr(t, err, context.DeadlineExceeded)
		default:
			t.Error("it waits for ever")
		}
		w.end()
	})
}

func TestMonitorReadersWhileItSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.addReader("A", newFakeCard())
		slow := make(chan struct{})
		f.before["ListReaders"] = func() { <-slow }
		m := newSystem(f).Monitor()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Watch(ctx, func(Event) {}) }()
		synctest.Wait()
		hurried, stop := context.WithTimeout(t.Context(), time.Second)
		_, err := m.Readers(hurried)
		wantErr(t, err, context.DeadlineExceeded)
		stop()
		got := make(chan []State)
		go func() { s, _ := m.Readers(t.Context()); got <- s }()
		close(slow)
		if s := <-got; len(s) != 1 || !s[0].Card {
			t.Errorf("%+v", s)
		}
		cancel()
		<-done
		time.Sleep(time.Second) // a cancellation that came too early is repeated
		f.idle(0, 0)
	})
}

func TestMonitorManyReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		for i := range 16 {
			f.addReader(fmt.Sprintf("R%02d", i), nil)
		}
		w := startWatch(t, f, newSystem(f).Monitor())
		w.events = nil
		f.insert(f.reader("R15"), newFakeCard())
		w.expect("c15")
		w.end()
	})
}

func TestListNoReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		if s, err := newSystem(f).List(t.Context()); len(s) != 0 || err != nil {
			t.Errorf("%v, %v", s, err)
		}
	})
}
