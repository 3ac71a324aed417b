package session

import (
	"sync"
	"sync/atomic"
)

// extra is what a session needs once it has a callback or an operation. Most sessions never do, and stay small.
type extra struct {
	h      SessionHandle
	notify NotifyFunc

	// turn serialises the calls that use the session's operations (S28). It is held while a step runs, however slow.
	turn chan struct{}
	gone chan struct{} // closed when the session ends, so that nobody waits for a turn in vain

	calling    atomic.Int32  // callbacks that are running
	validation atomic.Uint64 // the flags of C_GetSessionValidationFlags

	mu     sync.Mutex // short: a step runs without it, so that cancelling need not wait
	ops    []*Operation
	ending []Ender // of operations that are active no more; see settle
}

func newExtra(h SessionHandle, n NotifyFunc) *extra {
	return &extra{h: h, notify: n, turn: make(chan struct{}, 1), gone: make(chan struct{})}
}

const extraShards = 32

// extraShard is a part of an application's extras, apart so that threads in different sessions seldom meet.
type extraShard struct {
	mu sync.RWMutex
	m  map[SessionHandle]*extra
	_  [32]byte
}

func shardOf(h SessionHandle) int { return int((h ^ h>>24) % extraShards) }

func (s *extraShard) get(h SessionHandle) *extra {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[h]
}

// put returns the extra the session had, if it had one.
func (s *extraShard) put(x *extra) *extra {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.m[x.h]; old != nil {
		return old
	}
	if s.m == nil {
		s.m = make(map[SessionHandle]*extra)
	}
	s.m[x.h] = x
	return x
}

func (s *extraShard) end(h SessionHandle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.m[h]; x != nil {
		x.end()
		delete(s.m, h)
	}
}

func (a *Application) endExtras() {
	for i := range a.extras {
		s := &a.extras[i]
		s.mu.Lock()
		for _, x := range s.m {
			x.end()
		}
		s.m = nil
		s.mu.Unlock()
	}
}

// extra is the session's extra, made if it had none.
func (a *Application) extra(r ref) (*extra, error) {
	s := &a.extras[shardOf(r.h)]
	if x := s.get(r.h); x != nil {
		return x, nil
	}
	// The mark comes first. Whoever closes the session makes the handle stale, and then looks at the mark: either they
	// find our extra, or we find the handle stale and take it away ourselves.
	r.c.v.extra.Store(1)
	x := s.put(newExtra(r.h, nil))
	if err := a.ended(r); err != nil {
		s.end(r.h)
		return nil, err
	}
	return x, nil
}

// enter finds a session and waits for its turn (S28): not longer than the session lasts, and not at all inside its own
// callback. Who got in has to leave.
func (a *Application) enter(h SessionHandle) (r ref, x *extra, err error) {
	if r, err = a.session(h); err != nil {
		return r, nil, err
	}
	if x, err = a.extra(r); err != nil {
		return r, nil, err
	}
	if x.calling.Load() > 0 {
		return r, nil, CKR_FUNCTION_FAILED
	}
	select {
	case x.turn <- struct{}{}:
	case <-x.gone:
		return r, nil, a.ended(r)
	case <-r.b.p.gone:
		return r, nil, a.ended(r)
	}
	if err := a.ended(r); err != nil {
		x.leave()
		return r, nil, err
	}
	return r, x, nil
}

// Do runs work that needs a session but leaves no operation active (key generation, random numbers, C_SetPIN): one at a
// time in the session, outside of all locks, and with the codes of a call in flight.
func (a *Application) Do(h SessionHandle, work func() error) error {
	r, x, err := a.enter(h)
	if err != nil {
		return err
	}
	defer x.leave()
	err = work()
	if gone := a.ended(r); gone != nil {
		return gone
	}
	return err
}

// Notify calls the session's callback, if it has one (section 11.17). It returns CKR_FUNCTION_CANCELED if the callback
// answered CKR_CANCEL. It is called by a step, or by whoever learns of the event, with no lock of this package held.
func (a *Application) Notify(h SessionHandle, n Notification) error {
	r, err := a.session(h)
	if err != nil {
		return err
	}
	x := a.extras[shardOf(h)].get(h)
	if x == nil || x.notify == nil {
		return nil
	}
	x.calling.Add(1)
	defer x.calling.Add(-1)
	answer := x.notify(h, n)
	if gone := a.ended(r); gone != nil {
		return gone
	}
	if answer == CKR_CANCEL {
		return CKR_FUNCTION_CANCELED
	}
	return nil
}

// SetValidationFlags sets what C_GetSessionValidationFlags (3.2) tells of the session's last operation.
func (a *Application) SetValidationFlags(h SessionHandle, f Flags) error {
	r, err := a.session(h)
	if err != nil {
		return err
	}
	x, err := a.extra(r)
	if err != nil {
		return err
	}
	x.validation.Store(uint64(f))
	return nil
}

// ValidationFlags is C_GetSessionValidationFlags for CKS_LAST_VALIDATION_OK: zero until something was validated.
func (a *Application) ValidationFlags(h SessionHandle) (Flags, error) {
	if _, err := a.session(h); err != nil {
		return 0, err
	}
	x := a.extras[shardOf(h)].get(h)
	if x == nil {
		return 0, nil
	}
	return Flags(x.validation.Load()), nil
}
