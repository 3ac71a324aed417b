package session

// search is the state of an active search, which is an operation like others (S25): the handles of what matched at its
// start. Objects made later are not in it, and of those that went meanwhile nothing is told.
type search struct{ left []ObjectHandle }

// FindInit is C_FindObjectsInit: match is called outside of all locks for each object the session may read. It makes the
// search the session's active operation.
func (a *Application) FindInit(h SessionHandle, match func(Object) bool) error {
	return a.Begin(h, OpFind, CK_INVALID_HANDLE, func(Object) (any, error) {
		r, err := a.session(h)
		if err != nil {
			return nil, err
		}
		found, err := a.find(r, match)
		return &search{found}, err
	})
}

// Find is C_FindObjects: up to limit further handles, none when all are told.
func (a *Application) Find(h SessionHandle, limit int) (found []ObjectHandle, err error) {
	err = a.Update(h, OpFind, func(op *Operation) error {
		s, ok := op.state.(*search)
		if !ok {
			return CKR_OPERATION_NOT_INITIALIZED // someone began a search of another make
		}
		for len(found) < limit && len(s.left) > 0 {
			next := s.left[0]
			s.left = s.left[1:]
			if _, have := a.visible(op.r, next); have != none {
				found = append(found, next)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// FindFinal is C_FindObjectsFinal.
func (a *Application) FindFinal(h SessionHandle) error {
	return a.Finish(h, OpFind, func(*Operation) error { return nil })
}

// find looks at the session objects, then at the token's: private ones only if the user is logged in (S3).
func (a *Application) find(r ref, match func(Object) bool) ([]ObjectHandle, error) {
	var found []ObjectHandle
	for _, o := range a.candidates(r) {
		if match(o.payload) {
			found = append(found, ObjectHandle(o.handle))
		}
	}
	lister, ok := r.b.p.token.(Lister)
	if !ok {
		return found, nil
	}
	const patience = 8
	for try := 1; ; try++ {
		destroyed := r.b.p.destroyed.Load()
		private := matrix[PrivateTokenObject][r.state()] != none
		listed, err := lister.Objects(private)
		if err != nil {
			return nil, err
		}
		var matching []Object
		for _, o := range listed {
			if o.Token() && (private || !o.Private()) && match(o) {
				matching = append(matching, o)
			}
		}
		handles, fresh, err := a.known(r, matching, destroyed, try == patience)
		if err != nil {
			return nil, err
		}
		if fresh {
			return append(found, handles...), nil
		}
	}
}

// candidates are the session objects the session may read.
func (a *Application) candidates(r ref) []*object {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []*object
	for _, k := range []ObjectKind{PublicSessionObject, PrivateSessionObject} {
		for o := r.b.objects[k]; o != nil; o = o.next {
			if a.access(r, o) != none {
				list = append(list, o)
			}
		}
	}
	return list
}

// known gives handles to token objects, unless an object was destroyed since they were listed: then the list may hold what is
// no more, and has to be read again. At last it is taken as it is: a handle of nothing does less harm than no answer.
func (a *Application) known(r ref, listed []Object, destroyed uint64, last bool) (handles []ObjectHandle, fresh bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.ended(r); err != nil {
		return nil, false, err
	}
	if r.b.p.destroyed.Load() != destroyed && !last {
		return nil, false, nil
	}
	for _, o := range listed {
		if matrix[KindOf(true, o.Private())][r.state()] == none {
			continue // logged out since
		}
		h, err := a.handleOf(r, o)
		if err != nil {
			return nil, false, err
		}
		handles = append(handles, h)
	}
	return handles, true, nil
}
