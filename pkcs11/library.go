package pkcs11

import (
	"context"
	"log"
	"slices"
	"sync"
	"time"

	"cardbridge/card"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Config is what a user may choose. The zero value needs no choices.
type Config struct {
	// ShowHidden shows key slots that are hidden: PIV's attestation key.
	ShowHidden bool
	// SpendLastTry lets C_Login spend the last try of a PIN without the
	// application having been told that it is the last.
	SpendLastTry bool
	// AllowReset lets C_InitToken erase a card.
	AllowReset bool
	// Label is how tokens are called: text with {model}, {manufacturer},
	// {serial}, {applet} and {reader}. Empty for "{model} #{serial}".
	Label string
	// HideKeys leaves key slots out, with all that belongs to them.
	HideKeys []card.KeyRef
	// HideData leaves data objects out.
	HideData bool
	// Log takes what no return code can say; nil for nothing.
	Log *log.Logger
}

// A Library is the slots and tokens of one process, for one or more
// applications.
type Library struct {
	config  Config
	manager *session.Manager

	ctx    context.Context // ends with the library
	cancel context.CancelFunc
	ended  sync.WaitGroup // the watch
	gone   sync.WaitGroup // tokens that are being closed

	mu    sync.Mutex
	slots []Slot // a slot's number is its place
	held  map[session.SlotID]*token
}

// settleTime bounds how long New waits for a source to tell what is there. A
// source that hangs must not hang the program.
const settleTime = 20 * time.Second

// New starts to watch source and returns when it told what is there.
func New(source Source, config Config) *Library {
	l := &Library{config: config, held: map[session.SlotID]*token{}}
	l.manager = session.NewManager(session.Options{
		HandleBits: 8 * ck.ULongSize,
		Code:       func(err error) session.RV { return session.RV(Code(err)) },
	})
	l.ctx, l.cancel = context.WithCancel(context.Background())
	ready := make(chan struct{})
	settled := sync.OnceFunc(func() { close(ready) })
	l.ended.Go(func() {
		defer settled()
		if err := source.Watch(l.ctx, l.deliver, settled); err != nil && l.ctx.Err() == nil {
			l.logf("readers: %v", err)
		}
	})
	select {
	case <-ready:
	case <-time.After(settleTime):
		l.logf("readers: no answer yet")
	}
	return l
}

// Close ends the library; its Modules are closed before.
func (l *Library) Close() {
	l.cancel()
	l.ended.Wait()
	l.mu.Lock()
	for _, t := range l.held {
		t.end(false)
	}
	clear(l.held)
	l.mu.Unlock()
	closed := make(chan struct{})
	go func() {
		l.manager.Wait()
		l.gone.Wait()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(closeTime):
	}
}

// closeTime bounds how long Close waits for cards. One that waits for a touch
// cannot be interrupted; its secrets are wiped when it has given up.
const closeTime = time.Second

// Module returns the library as one application sees it.
func (l *Library) Module() *Module {
	return &Module{lib: l, app: l.manager.NewApplication()}
}

func (l *Library) logf(format string, args ...any) {
	if l.config.Log != nil {
		l.config.Log.Printf(format, args...)
	}
}

// deliver takes an event of the source.
func (l *Library) deliver(e SlotEvent) {
	l.mu.Lock()
	n := slices.Index(l.slots, e.Slot)
	if n < 0 {
		n = len(l.slots)
		l.slots = append(l.slots, e.Slot)
	}
	id := session.SlotID(n)
	gone := l.held[id]
	delete(l.held, id)
	var t *token
	if e.Token != nil {
		t = newToken(l, id, e.Token)
		l.held[id] = t
	}
	l.mu.Unlock()

	l.manager.AddSlot(id)
	if t != nil {
		l.manager.Insert(id, t, session.Limits{})
	} else {
		l.manager.Remove(id)
	}
	if gone != nil {
		gone.end(true)
	}
}

func (l *Library) slot(id session.SlotID) (Slot, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id >= session.SlotID(len(l.slots)) {
		return Slot{}, false
	}
	return l.slots[id], true
}

// A Module is Cryptoki for one application. Its methods are the functions of
// the standard under their names; they return a [ck.RV] or an error that [Code]
// turns into one.
type Module struct {
	lib *Library
	app *session.Application
}

// Close is C_Finalize for this application.
func (m *Module) Close() error { return m.app.Close() }
