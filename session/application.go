package session

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Application is one address space that called C_Initialize: a process that loaded the module, or a connection to a
// broker. All its threads see the same sessions and objects; two applications share neither (S22). After Close all its
// methods give CKR_CRYPTOKI_NOT_INITIALIZED, and so does every call that Close found under way.
//
// Its lock is short: no token call, callback or step of an operation runs under it. Looking up sessions and objects
// takes no lock at all.
type Application struct {
	m      *Manager
	closed atomic.Bool
	done   chan struct{} // closed by Close
	events slotEvents

	sessions slab[sessionRecord]
	objects  slab[atomic.Pointer[object]]
	bindings atomic.Pointer[[]*binding] // by index; replaced, never changed, under mu
	extras   [extraShards]extraShard

	mu       sync.Mutex
	bound    map[*presence]*binding
	nSession int
	nObject  int
}

// binding is an application and a token together: what S10 says they share. It is made by the first session and lasts
// until the token is removed.
type binding struct {
	p     *presence
	slot  SlotID
	index uint32

	// login is the Login in its two low bits, and above them how many logouts there were. Private objects remember that
	// number and are valid only while it stays: one store logs all sessions out and makes all private handles invalid
	// (S10, S19).
	login atomic.Uint64

	// Under the application's lock.
	first   uint32            // the list of open sessions
	open    [numModes]int     // how many are R/O and R/W
	objects [numKinds]*object // lists of all handles, by kind
	ids     map[any]*object   // the token objects among them (S24)

	inUse keysInUse // under a lock of its own
}

func (b *binding) who() (l Login, logouts uint64) { return split(b.login.Load()) }

func split(word uint64) (Login, uint64) { return Login(word & 3), word >> 2 }

func newApplication(m *Manager) *Application {
	a := &Application{m: m, done: make(chan struct{}), bound: make(map[*presence]*binding)}
	a.sessions.init(m.options.HandleBits)
	a.objects.init(m.options.HandleBits)
	a.bindings.Store(new([]*binding))
	a.events.change.L = &a.events.mu
	return a
}

// Close is C_Finalize: it closes all of the application's sessions, and no others (S21). It waits for no token.
func (a *Application) Close() error {
	a.m.mu.Lock()
	delete(a.m.apps, a)
	a.m.mu.Unlock()
	if a.closed.Swap(true) {
		return CKR_CRYPTOKI_NOT_INITIALIZED
	}
	close(a.done)
	a.events.stop()

	a.mu.Lock()
	defer a.mu.Unlock()
	for p, b := range a.bound {
		p.sessions.Add(-int64(b.open[readOnly] + b.open[readWrite]))
		a.leave(b)
	}
	a.endExtras()
	clear(a.bound)
	a.bindings.Store(new([]*binding))
	a.sessions.clear()
	a.objects.clear()
	return nil
}

// bind is the binding with a token, made if there is none. Under the application's lock.
func (a *Application) bind(id SlotID, p *presence) *binding {
	if b := a.bound[p]; b != nil {
		return b
	}
	list := slices.Clone(*a.bindings.Load())
	i := slices.Index(list, nil)
	if i < 0 {
		i = len(list)
		list = append(list, nil)
	}
	b := &binding{p: p, slot: id, index: uint32(i), ids: make(map[any]*object)}
	list[i] = b
	a.bindings.Store(&list)
	a.bound[p] = b
	return b
}

// drop forgets all that was bound to a token that went.
func (a *Application) drop(p *presence) {
	if p == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	b := a.bound[p]
	if b == nil {
		return
	}
	for i := b.first; i != 0; {
		c := a.sessions.cell(i)
		i = c.v.next
		a.endSession(c)
	}
	for _, first := range b.objects {
		for o := first; o != nil; o = o.next {
			a.releaseObject(o)
		}
	}
	delete(a.bound, p)
	list := slices.Clone(*a.bindings.Load())
	list[b.index] = nil
	a.bindings.Store(&list)
}
