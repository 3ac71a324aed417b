//go:build linux && cgo

package conform

import (
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
)

var eventRules = []rule{
	{"S18", "five events move states", ruleS18},
	{"S19", "logout ends private session objects and the handles of private objects", ruleS19},
	{"S20", "removal closes every session; re-insertion revives none", ruleS20},
	{"S21", "C_CloseAllSessions closes only the caller's, only at that slot; C_Finalize all of them", ruleS21},
}

// ruleS18 goes through every state with every event an application can cause; removal is S20's.
func ruleS18(t *testing.T, tg *Target, _ *App, _ uint) {
	type cell struct {
		rv uint
		to uint
	}
	const closed = 1 << 16
	table := map[uint]map[string]cell{
		roPublic: {"so": {p11.CKR_SESSION_READ_ONLY_EXISTS, roPublic}, "user": {p11.CKR_OK, roUser}, "out": {p11.CKR_USER_NOT_LOGGED_IN, roPublic}, "close": {p11.CKR_OK, closed}},
		rwPublic: {"so": {p11.CKR_OK, rwSO}, "user": {p11.CKR_OK, rwUser}, "out": {p11.CKR_USER_NOT_LOGGED_IN, rwPublic}, "close": {p11.CKR_OK, closed}},
		roUser:   {"so": {p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN, roUser}, "user": {p11.CKR_USER_ALREADY_LOGGED_IN, roUser}, "out": {p11.CKR_OK, roPublic}, "close": {p11.CKR_OK, closed}},
		rwUser:   {"so": {p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN, rwUser}, "user": {p11.CKR_USER_ALREADY_LOGGED_IN, rwUser}, "out": {p11.CKR_OK, rwPublic}, "close": {p11.CKR_OK, closed}},
		rwSO:     {"so": {p11.CKR_USER_ALREADY_LOGGED_IN, rwSO}, "user": {p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN, rwSO}, "out": {p11.CKR_OK, rwPublic}, "close": {p11.CKR_OK, closed}},
	}
	for state, row := range table {
		for event, c := range row {
			t.Run(stateNames[state]+","+event, func(t *testing.T) {
				a, s := into(t, tg, state)
				var rv RV
				switch event {
				case "so":
					rv = a.Login(s, SO, tg.SOPIN)
				case "user":
					rv = a.Login(s, User, tg.PIN)
				case "out":
					rv = a.Logout(s)
				case "close":
					rv = a.CloseSession(s)
				}
				allowed := []uint{c.rv}
				if state == roUser && event == "so" { // both are true, and the standard gives no order
					allowed = append(allowed, p11.CKR_SESSION_READ_ONLY_EXISTS)
				}
				want(t, event, rv, allowed...)
				if c.to == closed {
					_, _, _, rv := a.SessionInfo(s)
					want(t, "C_GetSessionInfo afterwards", rv, p11.CKR_SESSION_HANDLE_INVALID)
				} else {
					wantState(t, a.Caller, s, c.to)
				}
			})
		}
	}
}

func ruleS19(t *testing.T, tg *Target, a *App, slot uint) {
	s := a.MustOpen(slot, RW)
	want(t, "login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	private, rv := a.Create(s, data(false, true, "S19")...)
	want(t, "create a private session object", rv, p11.CKR_OK)
	public, rv := a.Create(s, data(false, false, "S19")...)
	want(t, "create a public session object", rv, p11.CKR_OK)
	key := a.Key(s, p11.CKO_PRIVATE_KEY, RSAKey)
	want(t, "logout", a.Logout(s), p11.CKR_OK)
	_, rv = a.Get(s, private, p11.CKA_LABEL)
	want(t, "the private session object", rv, p11.CKR_OBJECT_HANDLE_INVALID)
	_, rv = a.Get(s, key, p11.CKA_LABEL)
	want(t, "the private key", rv, p11.CKR_OBJECT_HANDLE_INVALID)
	_, rv = a.Get(s, public, p11.CKA_LABEL)
	want(t, "the public session object", rv, p11.CKR_OK)
	want(t, "login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	if h := a.Find(s, A(p11.CKA_LABEL, "S19")); len(h) != 1 || h[0] != public {
		t.Errorf("after the next login a search finds %v, want only %d", h, public)
	}
	_, rv = a.Get(s, key, p11.CKA_LABEL)
	want(t, "the old handle of the private key after the next login", rv, p11.CKR_OBJECT_HANDLE_INVALID)
	if now := a.Key(s, p11.CKO_PRIVATE_KEY, RSAKey); now == 0 || now == key {
		t.Errorf("the private key has handle %d, before logout %d", now, key)
	}
	want(t, "C_SignInit with the old handle", a.begin("C_SignInit", s, Mech(p11.CKM_RSA_PKCS), key), p11.CKR_KEY_HANDLE_INVALID, p11.CKR_OBJECT_HANDLE_INVALID)
}

func ruleS20(t *testing.T, tg *Target, a *App, slot uint) {
	if tg.Remove == nil {
		t.Skip("this token cannot be removed")
	}
	s, s2 := a.MustOpen(slot, RW), a.MustOpen(slot, RO)
	want(t, "login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	key := a.Key(s, p11.CKO_PRIVATE_KEY, RSAKey)
	tg.Remove(t)
	gone(t, "after removal", a.Caller, s)
	for _, h := range []uint{s, s2} {
		_, _, _, rv := a.SessionInfo(h)
		want(t, "C_GetSessionInfo after removal", rv, p11.CKR_SESSION_HANDLE_INVALID)
	}
	_, rv := a.Open(slot, RO)
	want(t, "C_OpenSession after removal", rv, p11.CKR_TOKEN_NOT_PRESENT, p11.CKR_SLOT_ID_INVALID)
	tg.Insert(t)
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := tg.findSlot(a); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("long after re-insertion the token is not there")
		}
	}
	if back := a.Slot(); back != slot {
		t.Errorf("the token came back at slot %d, was at %d", back, slot)
	}
	for _, h := range []uint{s, s2} {
		_, _, _, rv := a.SessionInfo(h)
		want(t, "an old session after re-insertion", rv, p11.CKR_SESSION_HANDLE_INVALID)
	}
	fresh := a.MustOpen(slot, RW)
	wantState(t, a.Caller, fresh, rwPublic)
	_, rv = a.Get(fresh, key, p11.CKA_LABEL)
	want(t, "an old handle after re-insertion", rv, p11.CKR_OBJECT_HANDLE_INVALID)
	want(t, "login", a.Login(fresh, User, tg.PIN), p11.CKR_OK)
	if now := a.Key(fresh, p11.CKO_PRIVATE_KEY, RSAKey); now == 0 || now == key {
		t.Errorf("the private key has handle %d, before removal %d", now, key)
	}
	// Back before anyone asked: the old session is as dead.
	tg.Remove(t)
	tg.Insert(t)
	gone(t, "after a quick removal and re-insertion", a.Caller, fresh)
}

// gone waits until a session is closed.
func gone(t *testing.T, what string, c Caller, session uint) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, _, _, rv := c.SessionInfo(session); rv != p11.CKR_OK {
			want(t, what, rv, p11.CKR_SESSION_HANDLE_INVALID)
			return
		}
	}
	t.Fatalf("%s: long after it the session is still open", what)
}

func ruleS21(t *testing.T, tg *Target, a *App, slot uint) {
	b := tg.Start(t)
	b.must("C_Initialize", b.Initialize())
	sb := b.MustOpen(b.Slot(), RO)
	s, s2 := a.MustOpen(slot, RW), a.MustOpen(slot, RO)
	want(t, "login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	want(t, "C_CloseAllSessions at a slot that is not", a.CloseAll(0x7fffffff), p11.CKR_SLOT_ID_INVALID)
	_, _, _, rv := a.SessionInfo(s)
	want(t, "the session afterwards", rv, p11.CKR_OK)
	want(t, "C_CloseAllSessions", a.CloseAll(slot), p11.CKR_OK)
	for _, h := range []uint{s, s2} {
		_, _, _, rv := a.SessionInfo(h)
		want(t, "a closed session", rv, p11.CKR_SESSION_HANDLE_INVALID)
	}
	_, _, _, rv = b.SessionInfo(sb)
	want(t, "another application's session", rv, p11.CKR_OK)
	s = a.MustOpen(slot, RW)
	wantState(t, a.Caller, s, rwPublic)
	want(t, "login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	want(t, "C_Finalize", a.Finalize(), p11.CKR_OK)
	_, _, _, rv = a.SessionInfo(s)
	want(t, "a session after C_Finalize", rv, p11.CKR_CRYPTOKI_NOT_INITIALIZED)
	want(t, "C_Initialize", a.Initialize(), p11.CKR_OK)
	_, _, _, rv = a.SessionInfo(s)
	want(t, "a session of before C_Finalize", rv, p11.CKR_SESSION_HANDLE_INVALID)
	wantState(t, a.Caller, a.MustOpen(a.Slot(), RW), rwPublic)
	_, _, _, rv = b.SessionInfo(sb)
	want(t, "another application's session", rv, p11.CKR_OK)
}
