// Package model is the Sessions chapter of PKCS #11 v2.10 once more, as naively as it can be written: lists that are
// searched from the start, a login that is looked up whenever it is asked for, ifs instead of tables. It was written from
// the rules S1-S28 and imports nothing of the real manager, so that the two can be held against each other.
package model

import "slices"

// World is everything there is. Sessions, objects and handles have numbers that are never used twice.
type World struct {
	Apps     int
	Tokens   []Token // by slot
	Logins   []Login // who is logged in where; absent means nobody
	Sessions []Session
	Objects  []Object
	Handles  []Handle // valid object handles
	last     int
}

// Token is a slot and the token that belongs into it.
type Token struct {
	Present            bool
	MaxSessions, MaxRW int // of one application; zero is no limit
}

// Login is one application's login at one token.
type Login struct {
	App, Slot int
	SO        bool
}

// Session is an open session.
type Session struct {
	ID, App, Slot int
	RW            bool
	Ops           []Op
}

// Op is an active operation.
type Op struct {
	Kind       string
	Key        int // an object handle, or zero
	Authorized bool
	Found      []int // handles, for a search
}

// Object is an object that exists, whoever sees it.
type Object struct {
	ID, Slot       int
	Token, Private bool
	Always         bool // CKA_ALWAYS_AUTHENTICATE
	Frozen         bool // neither modifiable nor destroyable
	App, Owner     int  // of a session object
}

// Handle is a valid object handle of an application.
type Handle struct{ ID, App, Object int }

// Command is something that happens.
type Command struct {
	App     int
	Verb    string
	Slot    int
	Session int // a session's number; of open, the new one's
	Handle  int // an object handle's number; of create, the new one's
	Kind    string
	How     string
}

// Result is what the caller sees.
type Result struct {
	Code    string
	Session int
	Handle  int
	Object  int
	Found   []Handle
}

const ok = "CKR_OK"

func code(c string) Result { return Result{Code: c} }

// New is a world in which all tokens are present and nobody has done anything.
func New(apps int, tokens ...Token) *World {
	w := &World{Apps: apps, Tokens: tokens}
	for i := range w.Tokens {
		w.Tokens[i].Present = true
	}
	return w
}

func (w *World) number() int {
	w.last++
	return w.last
}

// Do lets the command happen.
func (w *World) Do(c Command) Result {
	r := w.do(c)
	w.endOps()
	return r
}

func (w *World) do(c Command) Result {
	switch c.Verb {
	case "insert":
		w.tokenGone(c.Slot)
		w.Tokens[c.Slot].Present = true
		return code(ok)
	case "remove":
		w.tokenGone(c.Slot)
		w.Tokens[c.Slot].Present = false
		return code(ok)
	case "final":
		for slot := range w.Tokens {
			w.closeAll(c.App, slot)
		}
		w.Handles = slices.DeleteFunc(w.Handles, func(h Handle) bool { return h.App == c.App })
		return code(ok)
	case "open":
		return w.open(c)
	case "closeall":
		if !w.Tokens[c.Slot].Present {
			return code("CKR_TOKEN_NOT_PRESENT")
		}
		w.closeAll(c.App, c.Slot)
		return code(ok)
	}
	s := w.Session(c.App, c.Session)
	if s == nil {
		return code("CKR_SESSION_HANDLE_INVALID")
	}
	switch c.Verb {
	case "close":
		w.close(s.ID)
		return code(ok)
	case "login":
		return w.login(s, c.Kind == "so", c.How == "good")
	case "context":
		return w.context(s, c.How == "good")
	case "logout":
		return w.logout(s)
	case "create":
		return w.create(s, c.Kind, c.How)
	case "read":
		return code(w.mayRead(s, c.Handle))
	case "modify", "destroy":
		return w.write(s, c.Handle, c.Verb == "destroy")
	case "search":
		if len(s.Ops) > 0 {
			return code("CKR_OPERATION_ACTIVE")
		}
		return Result{Code: ok, Found: w.see(s)}
	case "begin":
		return w.begin(s, c.Kind, c.Handle)
	case "query", "update", "finish":
		return w.step(s, c.Verb, c.Kind, c.How)
	case "find":
		return w.find(s)
	case "cancel":
		for i, op := range s.Ops {
			if op.Kind == c.Kind {
				s.Ops = slices.Delete(s.Ops, i, i+1)
				return code(ok)
			}
		}
		return code("CKR_OPERATION_NOT_INITIALIZED")
	case "cancelall":
		s.Ops = nil
		return code(ok)
	}
	panic("no such verb: " + c.Verb)
}

// Session is the open session with this number, if it is the application's.
func (w *World) Session(app, id int) *Session {
	for i := range w.Sessions {
		if w.Sessions[i].ID == id && w.Sessions[i].App == app {
			return &w.Sessions[i]
		}
	}
	return nil
}

// User tells whether the application's normal user is logged in.
func (w *World) User(app, slot int) bool { return slices.Contains(w.Logins, Login{app, slot, false}) }

// SO tells whether the application's SO is logged in.
func (w *World) SO(app, slot int) bool { return slices.Contains(w.Logins, Login{app, slot, true}) }

// State is the session's state in the words of tables 4 and 5.
func (w *World) State(s *Session) string {
	if w.SO(s.App, s.Slot) {
		return "R/W SO Functions"
	}
	name := "R/O "
	if s.RW {
		name = "R/W "
	}
	if w.User(s.App, s.Slot) {
		return name + "User Functions"
	}
	return name + "Public Session"
}

func (w *World) count(app, slot int) (all, readOnly, readWrite int) {
	for _, s := range w.Sessions {
		if s.App == app && s.Slot == slot {
			all++
			if s.RW {
				readWrite++
			} else {
				readOnly++
			}
		}
	}
	return all, readOnly, readWrite
}

func (w *World) open(c Command) Result {
	if c.How == "parallel" {
		return code("CKR_SESSION_PARALLEL_NOT_SUPPORTED") // S6
	}
	t := w.Tokens[c.Slot]
	if !t.Present {
		return code("CKR_TOKEN_NOT_PRESENT")
	}
	readWrite := c.Kind == "rw"
	if !readWrite && w.SO(c.App, c.Slot) {
		return code("CKR_SESSION_READ_WRITE_SO_EXISTS") // S11
	}
	all, _, rw := w.count(c.App, c.Slot)
	if t.MaxSessions > 0 && all >= t.MaxSessions || readWrite && t.MaxRW > 0 && rw >= t.MaxRW {
		return code("CKR_SESSION_COUNT") // S5
	}
	s := Session{ID: w.number(), App: c.App, Slot: c.Slot, RW: readWrite}
	w.Sessions = append(w.Sessions, s)
	return Result{Code: ok, Session: s.ID}
}

func (w *World) close(id int) {
	i := slices.IndexFunc(w.Sessions, func(s Session) bool { return s.ID == id })
	s := w.Sessions[i]
	w.Sessions = slices.Delete(w.Sessions, i, i+1)
	for _, o := range slices.Clone(w.Objects) {
		if !o.Token && o.Owner == id {
			w.vanish(o.ID) // S4
		}
	}
	if all, _, _ := w.count(s.App, s.Slot); all == 0 {
		w.loggedOut(s.App, s.Slot) // S13
	}
}

func (w *World) closeAll(app, slot int) {
	for _, s := range slices.Clone(w.Sessions) {
		if s.App == app && s.Slot == slot {
			w.close(s.ID)
		}
	}
}

func (w *World) tokenGone(slot int) { // S20
	for app := range w.Apps {
		w.closeAll(app, slot)
	}
	w.Handles = slices.DeleteFunc(w.Handles, func(h Handle) bool { return w.object(h.Object).Slot == slot })
}

func (w *World) login(s *Session, so, good bool) Result {
	_, readOnly, _ := w.count(s.App, s.Slot)
	switch {
	case w.SO(s.App, s.Slot) && so, w.User(s.App, s.Slot) && !so:
		return code("CKR_USER_ALREADY_LOGGED_IN")
	case w.SO(s.App, s.Slot), w.User(s.App, s.Slot):
		return code("CKR_USER_ANOTHER_ALREADY_LOGGED_IN")
	case so && readOnly > 0:
		return code("CKR_SESSION_READ_ONLY_EXISTS")
	case !good:
		return code("CKR_PIN_INCORRECT")
	}
	w.Logins = append(w.Logins, Login{s.App, s.Slot, so})
	return code(ok)
}

func (w *World) logout(s *Session) Result {
	if !w.SO(s.App, s.Slot) && !w.User(s.App, s.Slot) {
		return code("CKR_USER_NOT_LOGGED_IN")
	}
	w.loggedOut(s.App, s.Slot)
	return code(ok)
}

func (w *World) loggedOut(app, slot int) { // S19
	w.Logins = slices.DeleteFunc(w.Logins, func(l Login) bool { return l.App == app && l.Slot == slot })
	for _, o := range slices.Clone(w.Objects) {
		if !o.Private || o.Slot != slot {
			continue
		}
		if o.Token {
			w.Handles = slices.DeleteFunc(w.Handles, func(h Handle) bool { return h.App == app && h.Object == o.ID })
		} else if o.App == app {
			w.vanish(o.ID)
		}
	}
}

func (w *World) object(id int) *Object {
	for i := range w.Objects {
		if w.Objects[i].ID == id {
			return &w.Objects[i]
		}
	}
	return nil
}

// vanish ends an object and all handles of it.
func (w *World) vanish(id int) {
	w.Objects = slices.DeleteFunc(w.Objects, func(o Object) bool { return o.ID == id })
	w.Handles = slices.DeleteFunc(w.Handles, func(h Handle) bool { return h.Object == id })
}

// reads tells whether a session may read an object: table 6, and S17.
func (w *World) reads(s *Session, o *Object) bool {
	if o.Slot != s.Slot || !o.Token && o.App != s.App {
		return false
	}
	return !o.Private || w.User(s.App, s.Slot)
}

func (w *World) named(s *Session, handle int) *Object {
	for _, h := range w.Handles {
		if h.ID == handle && h.App == s.App {
			return w.object(h.Object)
		}
	}
	return nil
}

func (w *World) mayRead(s *Session, handle int) string {
	o := w.named(s, handle)
	if o == nil || !w.reads(s, o) {
		return "CKR_OBJECT_HANDLE_INVALID"
	}
	return ok
}

func (w *World) write(s *Session, handle int, destroy bool) Result {
	o := w.named(s, handle)
	switch {
	case o == nil || !w.reads(s, o):
		return code("CKR_OBJECT_HANDLE_INVALID")
	case o.Token && !s.RW:
		return code("CKR_SESSION_READ_ONLY")
	case o.Frozen:
		return code("CKR_ACTION_PROHIBITED")
	}
	if destroy {
		w.vanish(o.ID)
	}
	return code(ok)
}

func (w *World) create(s *Session, kind, how string) Result {
	o := Object{Slot: s.Slot, Always: how == "always", Frozen: how == "frozen"}
	switch kind {
	case "public-session":
	case "private-session":
		o.Private = true
	case "public-token":
		o.Token = true
	case "private-token":
		o.Token, o.Private = true, true
	}
	switch {
	case o.Private && !w.User(s.App, s.Slot):
		return code("CKR_USER_NOT_LOGGED_IN")
	case o.Token && !s.RW:
		return code("CKR_SESSION_READ_ONLY")
	}
	if !o.Token {
		o.App, o.Owner = s.App, s.ID
	}
	o.ID = w.number()
	w.Objects = append(w.Objects, o)
	return Result{Code: ok, Object: o.ID, Handle: w.handle(s.App, o.ID)}
}

// handle is the application's one handle of an object (S24).
func (w *World) handle(app, object int) int {
	for _, h := range w.Handles {
		if h.App == app && h.Object == object {
			return h.ID
		}
	}
	h := Handle{w.number(), app, object}
	w.Handles = append(w.Handles, h)
	return h.ID
}

// see is what a search finds.
func (w *World) see(s *Session) []Handle {
	var found []Handle
	for i := range w.Objects {
		if o := &w.Objects[i]; w.reads(s, o) {
			found = append(found, Handle{w.handle(s.App, o.ID), s.App, o.ID})
		}
	}
	return found
}

func (w *World) begin(s *Session, kind string, key int) Result {
	if len(s.Ops) == 2 {
		return code("CKR_OPERATION_ACTIVE")
	}
	if len(s.Ops) == 1 {
		switch s.Ops[0].Kind + "+" + kind { // S26
		case "digest+encrypt", "encrypt+digest", "decrypt+digest", "digest+decrypt",
			"sign+encrypt", "encrypt+sign", "decrypt+verify", "verify+decrypt":
		default:
			return code("CKR_OPERATION_ACTIVE")
		}
	}
	if key != 0 && w.mayRead(s, key) != ok {
		return code("CKR_KEY_HANDLE_INVALID")
	}
	op := Op{Kind: kind, Key: key}
	r := code(ok)
	if kind == "find" {
		r.Found = w.see(s)
		for _, h := range r.Found {
			op.Found = append(op.Found, h.ID)
		}
	}
	s.Ops = append(s.Ops, op)
	return r
}

func (w *World) always(s *Session, op Op) bool {
	return op.Key != 0 && w.named(s, op.Key).Always
}

// step is one use of an active operation; how is what came of it.
func (w *World) step(s *Session, verb, kind, how string) Result {
	for i, op := range s.Ops {
		if op.Kind != kind {
			continue
		}
		result := code(ok)
		switch {
		case verb != "query" && w.always(s, op) && !op.Authorized: // S14
			result = code("CKR_USER_NOT_LOGGED_IN")
		case how == "fails":
			result = code("CKR_DEVICE_ERROR")
		case how == "small":
			return code("CKR_BUFFER_TOO_SMALL")
		}
		if result.Code != ok || verb == "finish" { // S27
			s.Ops = slices.Delete(s.Ops, i, i+1)
		}
		return result
	}
	return code("CKR_OPERATION_NOT_INITIALIZED")
}

func (w *World) find(s *Session) Result {
	for i := range s.Ops {
		op := &s.Ops[i]
		if op.Kind != "find" {
			continue
		}
		r := Result{Code: ok}
		for _, h := range op.Found {
			if w.mayRead(s, h) == ok {
				r.Found = append(r.Found, Handle{h, s.App, w.named(s, h).ID})
			}
		}
		op.Found = nil
		return r
	}
	return code("CKR_OPERATION_NOT_INITIALIZED")
}

func (w *World) context(s *Session, good bool) Result { // S14
	result := code("CKR_OPERATION_NOT_INITIALIZED")
	for i := range s.Ops {
		op := &s.Ops[i]
		switch {
		case !w.always(s, *op):
		case op.Authorized:
			result = code("CKR_USER_ALREADY_LOGGED_IN")
		case !good:
			return code("CKR_PIN_INCORRECT")
		default:
			op.Authorized = true
			return code(ok)
		}
	}
	return result
}

// endOps ends operations whose key is no more, or no more theirs.
func (w *World) endOps() {
	for i := range w.Sessions {
		s := &w.Sessions[i]
		s.Ops = slices.DeleteFunc(s.Ops, func(op Op) bool { return op.Key != 0 && w.mayRead(s, op.Key) != ok })
	}
}
