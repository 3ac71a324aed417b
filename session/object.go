package session

// object is one application's handle of an object. The first five fields never change.
type object struct {
	handle  uint64
	kind    ObjectKind
	b       *binding
	owner   uint64 // the session that made it, if it is a session object: it lives as long as that handle (S4)
	logouts uint64 // of the binding when a private object got its handle: it is valid as long as that number (S19)
	payload Object
	id      any // of a token object

	next, prev       *object // the binding's list of this kind, under the application's lock
	ownNext, ownPrev *object // the owner's list
}

// visible finds the object a handle names for a session, and what the session may do with it; nil if it does not exist
// for the session (S15, S17, S22). It takes no lock and allocates nothing.
func (a *Application) visible(r ref, h ObjectHandle) (*object, Access) {
	c := a.objects.find(uint64(h))
	if c == nil {
		return nil, none
	}
	o := c.v.Load()
	if o == nil || o.handle != uint64(h) || o.b != r.b {
		return nil, none
	}
	return o, a.access(r, o)
}

// access reads the login once, so that a logout is seen whole or not at all (S10).
func (a *Application) access(r ref, o *object) Access {
	login, logouts := r.b.who()
	switch {
	case o.kind.Private() && o.logouts != logouts:
		return none
	case o.owner != 0 && a.sessions.find(o.owner) == nil:
		return none
	}
	return matrix[o.kind][opening[login][r.mode].Next]
}

// Object is the object behind a handle, if the session may read it; CKR_OBJECT_HANDLE_INVALID otherwise. It takes no lock
// and allocates nothing.
func (a *Application) Object(h SessionHandle, oh ObjectHandle) (Object, error) {
	r, err := a.session(h)
	if err != nil {
		return nil, err
	}
	o, have := a.visible(r, oh)
	if refused := refusal(have, ro); refused != CKR_OK {
		return nil, refused
	}
	return o.payload, nil
}

// ObjectHandle is the handle under which the application knows a token object, given to it now if it had none (S24);
// CKR_OBJECT_HANDLE_INVALID if the session may not read the object.
func (a *Application) ObjectHandle(h SessionHandle, payload Object) (ObjectHandle, error) {
	r, err := a.session(h)
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.ended(r); err != nil {
		return 0, err
	}
	if !payload.Token() || matrix[KindOf(true, payload.Private())][r.state()] == none {
		return 0, CKR_OBJECT_HANDLE_INVALID
	}
	return a.handleOf(r, payload)
}

// CreateObject makes an object of the given kind: make does the work, on the token or in memory, outside of all locks and
// only if the session may create such an object. What make returns must be of that kind (CKR_TEMPLATE_INCONSISTENT), but
// that a token may decide itself whether an object on it is private.
func (a *Application) CreateObject(h SessionHandle, kind ObjectKind, make func() (Object, error)) (ObjectHandle, error) {
	handles, err := a.CreateObjects(h, []ObjectKind{kind}, func() ([]Object, error) {
		o, err := make()
		return []Object{o}, err
	})
	if err != nil {
		return 0, err
	}
	return handles[0], nil
}

// CreateObjects makes several objects at once, as C_GenerateKeyPair does: the caller gets all their handles or none.
func (a *Application) CreateObjects(h SessionHandle, kinds []ObjectKind, make func() ([]Object, error)) ([]ObjectHandle, error) {
	r, err := a.session(h)
	if err != nil {
		return nil, err
	}
	if err := r.mayCreate(kinds); err != nil {
		return nil, err
	}
	if err := a.room(len(kinds)); err != nil {
		return nil, err
	}
	made, err := make()
	if gone := a.ended(r); gone != nil {
		return nil, gone
	}
	if err != nil {
		return nil, err
	}
	if len(made) != len(kinds) {
		return nil, CKR_TEMPLATE_INCONSISTENT
	}
	for i, o := range made {
		if o == nil || o.Token() != kinds[i].Token() || !o.Token() && o.Private() != kinds[i].Private() {
			return nil, CKR_TEMPLATE_INCONSISTENT
		}
	}
	return a.register(r, made)
}

func (r ref) mayCreate(kinds []ObjectKind) error {
	state := r.state()
	for _, k := range kinds {
		if refused := createRefusal(matrix[k][state]); refused != CKR_OK {
			return refused
		}
	}
	return nil
}

func (a *Application) room(n int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if limit := a.m.options.MaxObjects; limit > 0 && a.nObject+n > limit {
		return CKR_DEVICE_MEMORY
	}
	return nil
}

// register gives handles to new objects, if the session is still there and still logged in as it has to be.
func (a *Application) register(r ref, made []Object) ([]ObjectHandle, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.ended(r); err != nil {
		return nil, err
	}
	kinds := make([]ObjectKind, len(made))
	for i, o := range made {
		kinds[i] = KindOf(o.Token(), o.Private())
	}
	if err := r.mayCreate(kinds); err != nil {
		return nil, err
	}
	handles := make([]ObjectHandle, 0, len(made))
	for i, payload := range made {
		var h ObjectHandle
		var err error
		if kinds[i].Token() {
			h, err = a.handleOf(r, payload)
		} else {
			h, err = a.addObject(&object{b: r.b, kind: kinds[i], owner: uint64(r.h), payload: payload})
		}
		if err != nil {
			for _, h := range handles {
				if c := a.objects.find(uint64(h)); c != nil {
					a.removeObject(c.v.Load())
				}
			}
			return nil, err
		}
		handles = append(handles, h)
	}
	return handles, nil
}

// handleOf is the one handle of a token object in this application (S24). Under the application's lock.
func (a *Application) handleOf(r ref, payload Object) (ObjectHandle, error) {
	id := identity(payload)
	if id == nil {
		return 0, CKR_GENERAL_ERROR
	}
	if o := r.b.ids[id]; o != nil {
		return ObjectHandle(o.handle), nil
	}
	return a.addObject(&object{b: r.b, kind: KindOf(true, payload.Private()), payload: payload, id: id})
}

// addObject gives an object a handle. Under the application's lock.
func (a *Application) addObject(o *object) (ObjectHandle, error) {
	if limit := a.m.options.MaxObjects; limit > 0 && a.nObject >= limit {
		return 0, CKR_DEVICE_MEMORY
	}
	c, h := a.objects.take()
	if c == nil {
		return 0, CKR_DEVICE_MEMORY
	}
	o.handle = h
	_, o.logouts = o.b.who()
	o.next = o.b.objects[o.kind]
	if o.next != nil {
		o.next.prev = o
	}
	o.b.objects[o.kind] = o
	if o.id != nil {
		o.b.ids[o.id] = o
	}
	if o.owner != 0 {
		first := &a.sessions.find(o.owner).v.objects
		if *first != 0 {
			o.ownNext = a.objects.cell(*first).v.Load()
			o.ownNext.ownPrev = o
		}
		*first = a.objects.index(h)
	}
	a.nObject++
	c.v.Store(o)
	c.handle.Store(h)
	return ObjectHandle(h), nil
}

// removeObject takes a handle out of all lists. The object keeps its own links, so that whoever walks a list can go on.
// Under the application's lock.
func (a *Application) removeObject(o *object) {
	if o.prev != nil {
		o.prev.next = o.next
	} else {
		o.b.objects[o.kind] = o.next
	}
	if o.next != nil {
		o.next.prev = o.prev
	}
	if o.id != nil {
		delete(o.b.ids, o.id)
	}
	switch {
	case o.ownPrev != nil:
		o.ownPrev.ownNext = o.ownNext
	case o.owner != 0:
		// The owner may be gone already: then so is its list.
		if c := a.sessions.find(o.owner); c != nil {
			c.v.objects = 0
			if o.ownNext != nil {
				c.v.objects = a.objects.index(o.ownNext.handle)
			}
		}
	}
	if o.ownNext != nil {
		o.ownNext.ownPrev = o.ownPrev
	}
	a.releaseObject(o)
}

func (a *Application) releaseObject(o *object) {
	c := a.objects.cell(a.objects.index(o.handle))
	a.objects.release(c)
	c.v.Store(nil)
	a.nObject--
}

// ModifyObject runs change on an object the session may write, outside of all locks (C_SetAttributeValue). The change says
// itself when one of its attributes is read-only.
func (a *Application) ModifyObject(h SessionHandle, oh ObjectHandle, change func(Object) error) error {
	return a.write(h, oh, Guarded.Modifiable, change, nil)
}

// DestroyObject runs destroy, which may be nil, on an object the session may write, outside of all locks, and if that
// succeeds makes the object's handle invalid: for a token object in all applications (C_DestroyObject).
func (a *Application) DestroyObject(h SessionHandle, oh ObjectHandle, destroy func(Object) error) error {
	return a.write(h, oh, Guarded.Destroyable, destroy, a.forget)
}

func (a *Application) write(h SessionHandle, oh ObjectHandle, allows func(Guarded) bool, work func(Object) error, after func(*object)) error {
	r, err := a.session(h)
	if err != nil {
		return err
	}
	o, have := a.visible(r, oh)
	if refused := refusal(have, rw); refused != CKR_OK {
		return refused
	}
	if g, ok := o.payload.(Guarded); ok && !allows(g) {
		return CKR_ACTION_PROHIBITED
	}
	if work != nil {
		err = work(o.payload)
	}
	if err == nil && after != nil {
		after(o) // even if the session went meanwhile: the object is no more
	}
	if gone := a.ended(r); gone != nil {
		return gone
	}
	return err
}

// forget makes a destroyed object's handles invalid.
func (a *Application) forget(o *object) {
	if o.kind.Token() {
		a.m.forget(o.b.p, o.id)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.objects.find(o.handle); c != nil {
		a.removeObject(o)
	}
}

// ForgetObject invalidates a token object's handles in all applications: for a token that lost the object by itself, or
// whose object was replaced by another one.
func (m *Manager) ForgetObject(id SlotID, o Object) {
	if p, err := m.presence(id); err == nil {
		m.forget(p, identity(o))
	}
}

func (m *Manager) forget(p *presence, id any) {
	p.destroyed.Add(1)
	for _, a := range m.everyone() {
		a.mu.Lock()
		if b := a.bound[p]; b != nil {
			if o := b.ids[id]; o != nil {
				a.removeObject(o)
				b.endKeyless()
			}
		}
		a.mu.Unlock()
	}
}
