package session

import "slices"

// Operation is an active operation, as its steps see it.
type Operation struct {
	a     *Application
	r     ref
	kind  OpKind
	state any
	key   *object

	always     bool // the key asks for a login for each operation (S14)
	authorized bool
}

// State is what the operation's start returned.
func (o *Operation) State() any { return o.state }

// Kind is the operation's kind.
func (o *Operation) Kind() OpKind { return o.kind }

// Surrender gives the application's callback a chance to stop a long step: a non-nil error is CKR_FUNCTION_CANCELED, or
// says that the session is gone, and the step should return it.
func (o *Operation) Surrender() error { return o.a.Notify(o.r.h, CKN_SURRENDER) }

// Begin makes an operation active (C_*Init): CKR_OPERATION_ACTIVE where S26 forbids it, CKR_KEY_HANDLE_INVALID where the
// session may not read the key. key is zero for an operation without one; start then gets nil. start runs outside of all
// locks but the session's turn: so neither it nor a step may use the operations of its own session.
//
// An operation lasts no longer than its key: when that is destroyed, or private and the application logs out, the next
// step gets CKR_OPERATION_NOT_INITIALIZED.
func (a *Application) Begin(h SessionHandle, kind OpKind, key ObjectHandle, start func(key Object) (state any, err error)) error {
	r, x, err := a.enter(h)
	if err != nil {
		return err
	}
	defer x.leave()
	if x.conflict(kind) {
		return CKR_OPERATION_ACTIVE
	}
	op := &Operation{a: a, r: r, kind: kind}
	var payload Object
	if key != CK_INVALID_HANDLE {
		o, have := a.visible(r, key)
		if have == none {
			return CKR_KEY_HANDLE_INVALID
		}
		op.key, payload = o, o.payload
		if always, ok := payload.(AlwaysAuthenticator); ok {
			op.always = always.AlwaysAuthenticate()
		}
	}
	op.state, err = start(payload)
	if err == nil {
		x.add(op)
	}
	// Only now: who ends the session either finds the operation, or is found here.
	if gone := a.ended(r); gone != nil {
		x.retire(all)
		return gone
	}
	return err
}

func (x *extra) add(op *Operation) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ops = append(x.ops, op)
	if op.key != nil {
		op.r.b.inUse.add(x, 1)
	}
}

// conflict tells whether an operation of this kind may not become active now. Ones whose key is gone are not counted.
func (x *extra) conflict(kind OpKind) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.retireLocked((*Operation).keyless)
	return len(x.ops) > 1 || slices.ContainsFunc(x.ops, func(o *Operation) bool { return !mayPair(o.kind, kind) })
}

// keyless tells whether the operation had a key and lost it.
func (o *Operation) keyless() bool {
	if o.key == nil {
		return false
	}
	now, have := o.a.visible(o.r, ObjectHandle(o.key.handle))
	return now != o.key || have == none
}

// Query runs step for a call that asks for the output's length alone: the operation goes on (S27). The step must not use
// the key.
func (a *Application) Query(h SessionHandle, kind OpKind, step func(*Operation) error) error {
	return a.step(h, query, step, kind)
}

// Update runs step for a part (C_*Update): the operation ends on any error but CKR_BUFFER_TOO_SMALL (S27).
func (a *Application) Update(h SessionHandle, kind OpKind, step func(*Operation) error) error {
	return a.step(h, update, step, kind)
}

// Finish runs step for the last or only part (C_Sign, C_SignFinal): the operation ends on success as well (S27).
func (a *Application) Finish(h SessionHandle, kind OpKind, step func(*Operation) error) error {
	return a.step(h, finish, step, kind)
}

// UpdatePair is Update for two operations at once (C_DigestEncryptUpdate and its like): what ends one ends both.
func (a *Application) UpdatePair(h SessionHandle, first, second OpKind, step func(first, second *Operation) error) error {
	return a.steps(h, update, []OpKind{first, second}, func(ops []*Operation) error { return step(ops[0], ops[1]) })
}

func (a *Application) step(h SessionHandle, sort int, step func(*Operation) error, kind OpKind) error {
	return a.steps(h, sort, []OpKind{kind}, func(ops []*Operation) error { return step(ops[0]) })
}

// steps runs one step of the operations of all these kinds: with the session's turn, and with no lock.
func (a *Application) steps(h SessionHandle, sort int, kinds []OpKind, step func([]*Operation) error) error {
	r, x, err := a.enter(h)
	if err != nil {
		return err
	}
	defer x.leave()
	ops, err := x.active(kinds)
	if err != nil {
		return err
	}
	result := failed // a step that panics has failed, too
	defer func() {
		if ends[sort][result] {
			x.retire(func(o *Operation) bool { return slices.Contains(ops, o) })
		}
	}()
	err = run(sort, ops, step)
	if gone := a.ended(r); gone != nil {
		return gone
	}
	if !x.holds(ops) {
		return CKR_FUNCTION_CANCELED
	}
	switch {
	case err == nil:
		result = succeeded
	case a.m.options.Code(err) == CKR_BUFFER_TOO_SMALL:
		result = tooSmall
	}
	return err
}

// run runs the step, unless a key wants its own login first (S14). Asking for a length does not use the key.
func run(sort int, ops []*Operation, step func([]*Operation) error) error {
	for _, o := range ops {
		if sort != query && o.always && !o.authorized {
			return CKR_USER_NOT_LOGGED_IN
		}
	}
	return step(ops)
}

// active finds the operations of these kinds.
func (x *extra) active(kinds []OpKind) ([]*Operation, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.retireLocked((*Operation).keyless)
	found := make([]*Operation, 0, len(kinds))
	for _, k := range kinds {
		i := slices.IndexFunc(x.ops, func(o *Operation) bool { return o.kind == k })
		if i < 0 {
			return nil, CKR_OPERATION_NOT_INITIALIZED
		}
		found = append(found, x.ops[i])
	}
	return found, nil
}

// holds tells whether the operations are still active after their step: none was cancelled meanwhile.
func (x *extra) holds(ops []*Operation) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !slices.ContainsFunc(ops, func(o *Operation) bool { return !slices.Contains(x.ops, o) })
}

// Active lists the kinds of operations active in a session.
func (a *Application) Active(h SessionHandle) ([]OpKind, error) {
	if _, err := a.session(h); err != nil {
		return nil, err
	}
	x := a.extras[shardOf(h)].get(h)
	if x == nil {
		return nil, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	var kinds []OpKind
	for _, o := range x.ops {
		if !o.keyless() {
			kinds = append(kinds, o.kind)
		}
	}
	return kinds, nil
}

// Cancel ends one operation (C_*Init with a NULL mechanism, 3.0): CKR_OPERATION_NOT_INITIALIZED if it is not active. It does
// not wait for a step that is running; that one gets CKR_FUNCTION_CANCELED.
func (a *Application) Cancel(h SessionHandle, kind OpKind) error {
	n, err := a.cancel(h, func(k OpKind) bool { return k == kind })
	if err == nil && n == 0 {
		return CKR_OPERATION_NOT_INITIALIZED
	}
	return err
}

// SessionCancel is C_SessionCancel (3.0). Flags of operations that are not active are ignored; of a pair, the other one
// stays active. From inside the session's callback it is refused with CKR_FUNCTION_FAILED.
func (a *Application) SessionCancel(h SessionHandle, flags Flags) error {
	_, err := a.cancel(h, func(k OpKind) bool { return flags&opKinds[k].cancel != 0 })
	return err
}

func (a *Application) cancel(h SessionHandle, which func(OpKind) bool) (n int, err error) {
	if _, err := a.session(h); err != nil {
		return 0, err
	}
	x := a.extras[shardOf(h)].get(h)
	if x == nil {
		return 0, nil
	}
	if x.calling.Load() > 0 {
		return 0, CKR_FUNCTION_FAILED
	}
	defer x.tidy()
	x.retire((*Operation).keyless)
	return x.retire(func(o *Operation) bool { return which(o.kind) }), nil
}

// authorize is C_Login with CKU_CONTEXT_SPECIFIC: it speaks for the operation that is active in this session and waits for
// it, and for no other (S14).
func (a *Application) authorize(h SessionHandle, pin []byte) error {
	r, x, err := a.enter(h)
	if err != nil {
		return err
	}
	defer x.leave()
	op, err := x.waiting()
	if err != nil {
		return err
	}
	if own, ok := op.state.(Authorizer); ok {
		err = own.Authorize(pin)
	} else {
		err = r.b.p.token.Login(CKU_CONTEXT_SPECIFIC, "", pin)
	}
	if gone := a.ended(r); gone != nil {
		return gone
	}
	if err != nil {
		return err
	}
	if !x.holds([]*Operation{op}) {
		return CKR_FUNCTION_CANCELED
	}
	op.authorized = true
	return nil
}

// waiting is the operation that wants a login.
func (x *extra) waiting() (*Operation, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.retireLocked((*Operation).keyless)
	var refused error = CKR_OPERATION_NOT_INITIALIZED
	for _, o := range x.ops {
		if o.always && !o.authorized {
			return o, nil
		}
		if o.always {
			refused = CKR_USER_ALREADY_LOGGED_IN
		}
	}
	return nil, refused
}
