package session

import "sync/atomic"

// sessionRecord is all there is to an open session until an operation or a callback needs more: 48 bytes with its cell,
// none of them a pointer. The state is not here: it follows from the binding's login (S10).
type sessionRecord struct {
	meta    atomic.Uint64 // the binding's index, and in the lowest bit whether the session is R/W
	prev    uint32        // the binding's list of sessions, under the application's lock
	next    uint32
	objects uint32        // the first object made in the session, by index, under the application's lock
	extra   atomic.Uint32 // set when there may be an extra
}

// ref is a session that was found open.
type ref struct {
	h    SessionHandle
	c    *cell[sessionRecord]
	b    *binding
	mode int
}

// session finds an open session: every call begins here (S1). It takes no lock and allocates nothing.
func (a *Application) session(h SessionHandle) (ref, error) {
	if a.closed.Load() {
		return ref{}, CKR_CRYPTOKI_NOT_INITIALIZED
	}
	c := a.sessions.find(uint64(h))
	if c == nil {
		return ref{}, CKR_SESSION_HANDLE_INVALID
	}
	meta := c.v.meta.Load()
	bindings := *a.bindings.Load()
	if meta>>1 >= uint64(len(bindings)) {
		return ref{}, CKR_SESSION_HANDLE_INVALID
	}
	r := ref{h: h, c: c, b: bindings[meta>>1], mode: int(meta & 1)}
	// A handle is given out once, so if the record still has it, all that was read is this session's.
	if c.handle.Load() != uint64(h) || r.b == nil || r.b.p.dead.Load() {
		return ref{}, CKR_SESSION_HANDLE_INVALID
	}
	return r, nil
}

// ended is the code for a call that found its session open and may have lost it on the way (S20).
func (a *Application) ended(r ref) error {
	switch {
	case a.closed.Load():
		return CKR_CRYPTOKI_NOT_INITIALIZED
	case r.b.p.dead.Load():
		return CKR_DEVICE_REMOVED
	case r.c.handle.Load() != uint64(r.h):
		return CKR_SESSION_CLOSED
	}
	return nil
}

func (r ref) state() State {
	login, _ := r.b.who()
	return opening[login][r.mode].Next
}

// OpenSession is C_OpenSession (S9). notify may be nil.
func (a *Application) OpenSession(id SlotID, flags Flags, notify NotifyFunc) (SessionHandle, error) {
	if a.closed.Load() {
		return 0, CKR_CRYPTOKI_NOT_INITIALIZED
	}
	switch {
	case flags&CKF_SERIAL_SESSION == 0:
		return 0, CKR_SESSION_PARALLEL_NOT_SUPPORTED // S6
	case flags&CKF_ASYNC_SESSION != 0:
		return 0, CKR_SESSION_ASYNC_NOT_SUPPORTED
	}
	mode := readOnly
	if flags&CKF_RW_SESSION != 0 {
		mode = readWrite
	}
	p, err := a.m.presence(id)
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed.Load():
		return 0, CKR_CRYPTOKI_NOT_INITIALIZED
	case p.dead.Load():
		return 0, CKR_TOKEN_NOT_PRESENT
	}
	b := a.bind(id, p)
	login, _ := b.who()
	if o := opening[login][mode]; o.Refused != CKR_OK {
		return 0, o.Refused
	}
	if a.full(b, mode) {
		return 0, CKR_SESSION_COUNT
	}
	if p.sessions.Add(1) < 0 {
		p.sessions.Add(-1)
		return 0, CKR_FUNCTION_FAILED // the token is being initialised
	}
	c, h := a.sessions.take()
	if c == nil {
		p.sessions.Add(-1)
		return 0, CKR_SESSION_COUNT
	}
	c.v.meta.Store(uint64(b.index)<<1 | uint64(mode))
	c.v.prev, c.v.next, c.v.objects = 0, b.first, 0
	if b.first != 0 {
		a.sessions.cell(b.first).v.prev = a.sessions.index(h)
	}
	b.first = a.sessions.index(h)
	b.open[mode]++
	a.nSession++
	if notify != nil {
		c.v.extra.Store(1)
		a.extras[shardOf(SessionHandle(h))].put(newExtra(SessionHandle(h), notify))
	}
	c.handle.Store(h)
	return SessionHandle(h), nil
}

// full tells whether one more session would go over a limit (S5).
func (a *Application) full(b *binding, mode int) bool {
	over := func(n, limit int) bool { return limit > 0 && n >= limit }
	return over(a.nSession, a.m.options.MaxSessions) ||
		over(b.open[readOnly]+b.open[readWrite], b.p.limits.Sessions) ||
		mode == readWrite && over(b.open[readWrite], b.p.limits.RWSessions)
}

// CloseSession is C_CloseSession: the session's objects go with it (S4), and with the application's last session at the
// token its login (S13). It waits for no call that is under way in the session; that call gets CKR_SESSION_CLOSED.
func (a *Application) CloseSession(h SessionHandle) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.session(h)
	if err != nil {
		return err
	}
	a.closeSession(r.b, r.c)
	return nil
}

// CloseAllSessions is C_CloseAllSessions: the caller's sessions at this slot, and no others (S21).
func (a *Application) CloseAllSessions(id SlotID) error {
	if a.closed.Load() {
		return CKR_CRYPTOKI_NOT_INITIALIZED
	}
	p, err := a.m.presence(id)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	b := a.bound[p]
	if b == nil {
		return nil
	}
	for b.first != 0 {
		a.closeSession(b, a.sessions.cell(b.first))
	}
	return nil
}

// closeSession ends a session and its objects, and takes both out of all lists. Under the application's lock.
func (a *Application) closeSession(b *binding, c *cell[sessionRecord]) {
	mode := int(c.v.meta.Load() & 1)
	prev, next := c.v.prev, c.v.next
	if prev != 0 {
		a.sessions.cell(prev).v.next = next
	} else {
		b.first = next
	}
	if next != 0 {
		a.sessions.cell(next).v.prev = prev
	}
	b.open[mode]--
	b.p.sessions.Add(-1)
	objects := c.v.objects
	// From here on the handle is stale, and so are those of the session's objects, which name it as their owner (S4).
	a.endSession(c)
	if objects != 0 {
		for o := a.objects.cell(objects).v.Load(); o != nil; o = o.ownNext {
			a.removeObject(o)
		}
	}
	if b.first == 0 {
		a.leave(b)
	}
}

// endSession makes the handle stale and wakes who waits in the session.
func (a *Application) endSession(c *cell[sessionRecord]) {
	h := SessionHandle(c.last)
	a.sessions.release(c)
	a.nSession--
	if c.v.extra.Swap(0) != 0 {
		a.extras[shardOf(h)].end(h)
	}
}

// SessionInfo is C_GetSessionInfo. It takes no lock and allocates nothing.
func (a *Application) SessionInfo(h SessionHandle) (Info, error) {
	r, err := a.session(h)
	if err != nil {
		return Info{}, err
	}
	info := Info{Slot: r.b.slot, State: r.state(), Flags: CKF_SERIAL_SESSION}
	if r.mode == readWrite {
		info.Flags |= CKF_RW_SESSION
	}
	// Had the session been closed before its state was read, the state might be one of a later login.
	if a.ended(r) != nil {
		return Info{}, CKR_SESSION_HANDLE_INVALID
	}
	return info, nil
}

// SessionToken is the token a session is with.
func (a *Application) SessionToken(h SessionHandle) (Token, error) {
	r, err := a.session(h)
	if err != nil {
		return nil, err
	}
	return r.b.p.token, nil
}

// SessionCounts is what CK_TOKEN_INFO tells the application of its own sessions.
func (a *Application) SessionCounts(id SlotID) (Counts, error) {
	if a.closed.Load() {
		return Counts{}, CKR_CRYPTOKI_NOT_INITIALIZED
	}
	p, err := a.m.presence(id)
	if err != nil {
		return Counts{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	b := a.bound[p]
	if b == nil {
		return Counts{}, nil
	}
	return Counts{Sessions: b.open[readOnly] + b.open[readWrite], RWSessions: b.open[readWrite]}, nil
}
