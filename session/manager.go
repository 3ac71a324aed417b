package session

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Options of a Manager. The zero value is fit for use.
type Options struct {
	MaxSessions int            // of one application; over it CKR_SESSION_COUNT. Zero: as many as there are handles.
	MaxObjects  int            // handles of one application; over it CKR_DEVICE_MEMORY. Zero: as many as there are handles.
	HandleBits  int            // the width of CK_ULONG: 64 (the default), or 32 on Windows
	Code        func(error) RV // the code of an error that a token or a step gave; by default the function Code
}

// Manager holds slots, tokens and applications. All methods of all types may be called from any goroutine.
//
// Its lock guards the lists of slots and applications alone. It is held for a few instructions, never while a token, a
// callback or an application's lock is waited for.
type Manager struct {
	options Options

	mu    sync.Mutex
	slots atomic.Pointer[[]*slot] // replaced, never changed, under mu
	apps  map[*Application]struct{}

	background background
}

// NewManager makes a manager with no slots and no applications.
func NewManager(o Options) *Manager {
	if o.Code == nil {
		o.Code = Code
	}
	m := &Manager{options: o, apps: make(map[*Application]struct{})}
	m.slots.Store(new([]*slot))
	m.background.idle.L = &m.background.mu
	return m
}

// NewApplication is C_Initialize.
func (m *Manager) NewApplication() *Application {
	a := newApplication(m)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.apps[a] = struct{}{}
	return a
}

// Wait returns when the token calls that run in the background have ended: closing an application's last session logs
// it out (S13), and the closer does not wait for the token to hear of it.
func (m *Manager) Wait() { m.background.wait() }

// everyone is the list of applications at this moment.
func (m *Manager) everyone() []*Application {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.listed()
}

func (m *Manager) listed() []*Application {
	list := make([]*Application, 0, len(m.apps))
	for a := range m.apps {
		list = append(list, a)
	}
	return list
}

// slot finds a slot without a lock.
func (m *Manager) slot(id SlotID) (*slot, error) {
	list := *m.slots.Load()
	if i := slices.IndexFunc(list, func(s *slot) bool { return s.id == id }); i >= 0 {
		return list[i], nil
	}
	return nil, CKR_SLOT_ID_INVALID
}

// background counts the token calls nobody waits for.
type background struct {
	mu   sync.Mutex
	idle sync.Cond
	n    int
}

func (b *background) run(work func()) {
	b.mu.Lock()
	b.n++
	b.mu.Unlock()
	go func() {
		defer func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.n--; b.n == 0 {
				b.idle.Broadcast()
			}
		}()
		work()
	}()
}

func (b *background) wait() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.n > 0 {
		b.idle.Wait()
	}
}
