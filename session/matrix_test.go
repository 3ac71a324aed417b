package session_test

import (
	"testing"

	"cardbridge/session"
)

// table6 is table 6 of section 6.6.3 as it is printed, typed in once more for this test.
const (
	_ = iota
	no
	readable
	writable
)

var (
	columns = []session.State{
		session.CKS_RO_PUBLIC_SESSION, session.CKS_RW_PUBLIC_SESSION,
		session.CKS_RO_USER_FUNCTIONS, session.CKS_RW_USER_FUNCTIONS, session.CKS_RW_SO_FUNCTIONS,
	}
	table6 = map[session.ObjectKind][]int{
		session.PublicSessionObject:  {writable, writable, writable, writable, writable},
		session.PrivateSessionObject: {no, no, writable, writable, no},
		session.PublicTokenObject:    {readable, writable, readable, writable, writable},
		session.PrivateTokenObject:   {no, no, readable, writable, no},
	}
)

// TestS15_AccessMatrix does all five things in all twenty cells: it searches for, reads, creates, modifies and destroys an
// object. The object was made before, and its handle got, by the application while it could.
func TestS15_AccessMatrix(t *testing.T) {
	for kind, row := range table6 {
		for i, state := range columns {
			t.Run(kind.String()+"/"+state.String(), func(t *testing.T) {
				cell(t, kind, state, row[i])
			})
		}
	}
}

func cell(t *testing.T, kind session.ObjectKind, state session.State, access int) {
	d := newDesk(t)
	h, o := d.withObject(kind, state)

	found := d.found(d.a, h)
	if got, want := found[99] != 0, access != no; got != want {
		t.Errorf("found: %v, want %v", got, want)
	}
	if o == 0 {
		o = found[99]
	}
	d.exists(d.a, h, o, access != no)

	hidden := session.CKR_OBJECT_HANDLE_INVALID
	modify := map[int]session.RV{no: hidden, readable: session.CKR_SESSION_READ_ONLY, writable: session.CKR_OK}[access]
	create := map[int]session.RV{no: session.CKR_USER_NOT_LOGGED_IN, readable: session.CKR_SESSION_READ_ONLY, writable: session.CKR_OK}[access]
	_, err := d.create(d.a, h, thing{id: 100, token: kind.Token(), private: kind.Private()})
	d.want(err, create)

	ran := 0
	work := func(session.Object) error { ran++; return nil }
	d.want(d.a.ModifyObject(h, o, work), modify)
	d.want(d.a.DestroyObject(h, o, work), modify)
	if want := map[bool]int{true: 2}[access == writable]; ran != want {
		t.Errorf("the work was done %d times, want %d", ran, want)
	}
	if access != readable {
		d.exists(d.a, h, o, false)
	}
}

// withObject brings a session into a state beside an object, number 99, of a kind. Where the state does not let the object
// be seen, its handle is one from before.
func (d *desk) withObject(kind session.ObjectKind, state session.State) (session.SessionHandle, session.ObjectHandle) {
	d.Helper()
	t := thing{id: 99, token: kind.Token(), private: kind.Private()}
	if kind.Token() {
		d.card[1].add(t)
	}
	if state.Login() == session.User || kind == session.PublicSessionObject {
		h := d.inState(state)
		if kind.Token() {
			return h, d.found(d.a, h)[99]
		}
		return h, d.made(d.a, h, t)
	}
	// The user was there before. The object's session stays open if it can.
	before := d.open(d.a, 1, rw)
	d.login(d.a, before, session.CKU_USER)
	var o session.ObjectHandle
	if kind.Token() {
		o = d.found(d.a, before)[99]
	} else {
		o = d.made(d.a, before, t)
	}
	d.want(d.a.Logout(before), session.CKR_OK)
	return d.inState(state), o
}

// The exported view of the table is the table.
func TestS15_AccessOf(t *testing.T) {
	for kind, row := range table6 {
		for i, state := range columns {
			if got := session.AccessOf(kind, state); int(got) != row[i]-no {
				t.Errorf("%v in %v: %v", kind, state, got)
			}
		}
	}
}

// All sessions of a login move together (S10), so the state table must send them to one login, and leave R/O and R/W alone.
func TestS10_TableMovesAllTogether(t *testing.T) {
	for _, e := range session.Events() {
		next := make(map[session.Login]session.Login)
		for _, s := range session.States() {
			o := session.Transition(s, e)
			if o.Closed || o.Refused != session.CKR_OK {
				continue
			}
			if o.Next.ReadWrite() != s.ReadWrite() {
				t.Errorf("%v makes %v a %v", e, s, o.Next)
			}
			if l, ok := next[s.Login()]; ok && l != o.Next.Login() {
				t.Errorf("%v leads to two logins", e)
			}
			next[s.Login()] = o.Next.Login()
		}
	}
	for _, s := range session.States() {
		if o := session.Opening(s.Login(), s.ReadWrite()); o.Refused != session.CKR_OK || o.Next != s {
			t.Errorf("no session is born into %v", s)
		}
	}
}
