//go:build linux && cgo

package conform

import (
	"fmt"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

var accessRules = []rule{
	{"S15", "the access table, all twenty cells", ruleS15},
	{"S16", "refusals are told apart", ruleS16},
	{"S17", "a session object is visible only to the application that created it", ruleS17},
}

type access int

const (
	none access = iota
	readOnly
	readWrite
)

// accessTable is the table of section "Permitted object accesses by sessions" (PKCS #11 v2.10 table 6).
var accessTable = map[[2]bool]map[uint]access{ // by CKA_TOKEN and CKA_PRIVATE
	{false, false}: {roPublic: readWrite, rwPublic: readWrite, roUser: readWrite, rwUser: readWrite, rwSO: readWrite},
	{false, true}:  {roPublic: none, rwPublic: none, roUser: readWrite, rwUser: readWrite, rwSO: none},
	{true, false}:  {roPublic: readOnly, rwPublic: readWrite, roUser: readOnly, rwUser: readWrite, rwSO: readWrite},
	{true, true}:   {roPublic: none, rwPublic: none, roUser: readOnly, rwUser: readWrite, rwSO: none},
}

// into brings a fresh application into a state.
func into(t *testing.T, tg *Target, state uint) (*App, uint) {
	a := tg.Start(t)
	a.must("C_Initialize", a.Initialize())
	flags := uint(RW)
	if state == roPublic || state == roUser {
		flags = RO
	}
	s := a.MustOpen(a.Slot(), flags)
	switch state {
	case roUser, rwUser:
		a.must("user login", a.Login(s, User, tg.PIN))
	case rwSO:
		a.must("SO login", a.Login(s, SO, tg.SOPIN))
	}
	wantState(t, a.Caller, s, state)
	return a, s
}

func ruleS15(t *testing.T, tg *Target, _ *App, _ uint) {
	if tg.Store { // a token object of each kind to read
		a, s := tg.within(t, User)
		for _, private := range []bool{false, true} {
			if _, rv := a.Create(s, data(true, private, fmt.Sprint("S15 token ", private))...); rv != p11.CKR_OK {
				t.Fatalf("create a token object: %v", rv)
			}
		}
	}
	for kind, row := range accessTable {
		for state, have := range row {
			token, private := kind[0], kind[1]
			t.Run(fmt.Sprintf("token=%v,private=%v,%s", token, private, stateNames[state]), func(t *testing.T) {
				a, s := into(t, tg, state)
				if token {
					tokenCell(t, tg, a, s, private, have)
				} else {
					sessionCell(t, a, s, private, have)
				}
			})
		}
	}
}

func sessionCell(t *testing.T, a *App, s uint, private bool, have access) {
	o, rv := a.Create(s, data(false, private, "S15")...)
	if have == none {
		want(t, "create", rv, p11.CKR_USER_NOT_LOGGED_IN)
		if h := a.Find(s, A(p11.CKA_LABEL, "S15")); len(h) != 0 {
			t.Errorf("a search finds %v", h)
		}
		return
	}
	want(t, "create", rv, p11.CKR_OK)
	if h := a.Find(s, A(p11.CKA_LABEL, "S15")); len(h) != 1 || h[0] != o {
		t.Errorf("a search finds %v, want %d", h, o)
	}
	want(t, "write", a.Set(s, o, A(p11.CKA_LABEL, "S15w")), p11.CKR_OK)
	if v, rv := a.Get(s, o, p11.CKA_LABEL); rv != p11.CKR_OK || string(v) != "S15w" {
		t.Errorf("read: %q, %v", v, rv)
	}
	want(t, "destroy", a.Destroy(s, o), p11.CKR_OK)
}

func tokenCell(t *testing.T, tg *Target, a *App, s uint, private bool, have access) {
	search := []Attr{A(p11.CKA_CLASS, uint(p11.CKO_CERTIFICATE)), A(p11.CKA_ID, []byte{RSAKey})}
	if private {
		search = []Attr{A(p11.CKA_CLASS, uint(p11.CKO_PRIVATE_KEY)), A(p11.CKA_PRIVATE, true), A(p11.CKA_ID, []byte{RSAKey})}
	}
	h := a.Find(s, search...)
	if have == none {
		if len(h) != 0 {
			t.Errorf("a search finds %v", h)
		}
		// Whatever number the object may have, it is no handle here.
		for n := range uint(20) {
			if c, rv := a.Get(s, n, p11.CKA_PRIVATE); rv == p11.CKR_OK && len(c) == 1 && c[0] == 1 {
				t.Errorf("handle %d leads to a private object", n)
			}
		}
		if _, rv := a.Create(s, data(true, private, "S15 new")...); rv == p11.CKR_OK {
			t.Error("a private token object can be created")
		}
		return
	}
	if len(h) != 1 {
		t.Fatalf("a search finds %v", h)
	}
	_, rv := a.Get(s, h[0], p11.CKA_ID)
	want(t, "read", rv, p11.CKR_OK)
	if have == readOnly {
		want(t, "write", a.Set(s, h[0], A(p11.CKA_LABEL, "x")), p11.CKR_SESSION_READ_ONLY)
		want(t, "destroy", a.Destroy(s, h[0]), p11.CKR_SESSION_READ_ONLY)
		_, rv = a.Create(s, data(true, private, "S15 new")...)
		want(t, "create", rv, p11.CKR_SESSION_READ_ONLY, p11.CKR_USER_NOT_LOGGED_IN)
		return
	}
	if !tg.Store {
		return // the card has conditions of its own on writing, see the suites of its kind
	}
	o, rv := a.Create(s, data(true, private, "S15 new")...)
	want(t, "create", rv, p11.CKR_OK)
	want(t, "write", a.Set(s, o, A(p11.CKA_LABEL, "S15 newer")), p11.CKR_OK)
	want(t, "destroy", a.Destroy(s, o), p11.CKR_OK)
}

func ruleS16(t *testing.T, tg *Target, a *App, slot uint) {
	ro, rw := a.MustOpen(slot, RO), a.MustOpen(slot, RW)
	_, rv := a.Create(rw, data(false, true, "S16")...)
	want(t, "create a private object without login", rv, p11.CKR_USER_NOT_LOGGED_IN)
	want(t, "login", a.Login(ro, User, tg.PIN), p11.CKR_OK)
	_, rv = a.Create(ro, data(true, true, "S16")...)
	want(t, "create a private token object in a R/O session", rv, p11.CKR_SESSION_READ_ONLY)
	key := a.Key(rw, p11.CKO_PRIVATE_KEY, RSAKey)
	want(t, "write a private token object in a R/O session", a.Set(ro, key, A(p11.CKA_LABEL, "x")), p11.CKR_SESSION_READ_ONLY)
	fixed, rv := a.Create(ro, append(data(false, false, "S16"), A(p11.CKA_MODIFIABLE, false))...)
	want(t, "create an object nobody may change", rv, p11.CKR_OK)
	want(t, "change it", a.Set(ro, fixed, A(p11.CKA_LABEL, "x")), p11.CKR_ACTION_PROHIBITED)
	o, rv := a.Create(ro, data(false, false, "S16")...)
	want(t, "create", rv, p11.CKR_OK)
	want(t, "change its class", a.Set(ro, o, A(p11.CKA_CLASS, uint(p11.CKO_CERTIFICATE))), p11.CKR_ATTRIBUTE_READ_ONLY)
	want(t, "change CKA_TOKEN", a.Set(ro, o, A(p11.CKA_TOKEN, true)), p11.CKR_ATTRIBUTE_READ_ONLY)
	_, rv = a.Get(ro, key, p11.CKA_PRIVATE_EXPONENT)
	want(t, "read the private exponent", rv, p11.CKR_ATTRIBUTE_SENSITIVE)
	_, rv = a.Get(ro, o, p11.CKA_MODULUS)
	want(t, "read an attribute that a data object has not", rv, p11.CKR_ATTRIBUTE_TYPE_INVALID)
}

func ruleS17(t *testing.T, tg *Target, a *App, slot uint) {
	b := tg.Start(t)
	b.must("C_Initialize", b.Initialize())
	sa, sb := a.MustOpen(slot, RW), b.MustOpen(b.Slot(), RW)
	o, rv := a.Create(sa, data(false, false, "S17")...)
	want(t, "create", rv, p11.CKR_OK)
	if h := a.Find(sa, A(p11.CKA_LABEL, "S17")); len(h) != 1 || h[0] != o {
		t.Errorf("its own application finds %v", h)
	}
	if h := b.Find(sb, A(p11.CKA_LABEL, "S17")); len(h) != 0 {
		t.Errorf("another application finds %v", h)
	}
	_, rv = b.Get(sb, o, p11.CKA_LABEL)
	want(t, "another application reads it by handle", rv, p11.CKR_OBJECT_HANDLE_INVALID)
}
