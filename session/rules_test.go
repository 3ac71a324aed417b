package session_test

import (
	"errors"
	"fmt"
	"testing"

	"cardbridge/session"
)

// One test for each rule S1 to S28, by its number. What a rule shares with others is proven once more, and wholesale, by
// the model check.

const (
	ro = session.CKF_SERIAL_SESSION
	rw = session.CKF_SERIAL_SESSION | session.CKF_RW_SESSION
)

var good = []byte("good")

// desk is a manager with a card in slots 1 and 2, and two applications.
type desk struct {
	*testing.T
	m    *session.Manager
	card [3]*card
	a, b *session.Application
}

func newDesk(t *testing.T, limits ...session.Limits) *desk {
	t.Helper()
	d := &desk{T: t, m: session.NewManager(session.Options{})}
	for slot := 1; slot <= 2; slot++ {
		var l session.Limits
		if len(limits) > 0 {
			l = limits[0]
		}
		d.card[slot] = newCard(thing{id: 10 * slot, token: true}, thing{id: 10*slot + 1, token: true, private: true})
		d.m.Insert(session.SlotID(slot), d.card[slot], l)
	}
	d.a, d.b = d.m.NewApplication(), d.m.NewApplication()
	return d
}

func (d *desk) want(err error, code session.RV) {
	d.Helper()
	if got := session.Code(err); got != code {
		d.Errorf("got %s, want %s", got.Name(), code.Name())
	}
}

func (d *desk) open(a *session.Application, slot session.SlotID, flags session.Flags) session.SessionHandle {
	d.Helper()
	h, err := a.OpenSession(slot, flags, nil)
	if err != nil {
		d.Fatal(err)
	}
	return h
}

func (d *desk) login(a *session.Application, h session.SessionHandle, user session.UserType) {
	d.Helper()
	if err := a.Login(h, user, good); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) state(a *session.Application, h session.SessionHandle, want session.State) {
	d.Helper()
	info, err := a.SessionInfo(h)
	if err != nil || info.State != want {
		d.Errorf("session %d is %v (%v), want %v", h, info.State, err, want)
	}
}

func (d *desk) create(a *session.Application, h session.SessionHandle, t thing) (session.ObjectHandle, error) {
	return a.CreateObject(h, session.KindOf(t.token, t.private), func() (session.Object, error) { return t, nil })
}

func (d *desk) made(a *session.Application, h session.SessionHandle, t thing) session.ObjectHandle {
	d.Helper()
	o, err := d.create(a, h, t)
	if err != nil {
		d.Fatal(err)
	}
	return o
}

func (d *desk) exists(a *session.Application, h session.SessionHandle, o session.ObjectHandle, want bool) {
	d.Helper()
	code := session.CKR_OK
	if !want {
		code = session.CKR_OBJECT_HANDLE_INVALID
	}
	_, err := a.Object(h, o)
	d.want(err, code)
}

// found is what a search for everything finds, by number.
func (d *desk) found(a *session.Application, h session.SessionHandle) map[int]session.ObjectHandle {
	d.Helper()
	var o outcome
	if o.err = a.FindInit(h, func(session.Object) bool { return true }); o.err == nil {
		var handles []session.ObjectHandle
		handles, o.err = a.Find(h, 100)
		(&player{}).addHits(a, h, handles, &o)
	}
	if o.err != nil || a.FindFinal(h) != nil {
		d.Fatal(o.err)
	}
	list := make(map[int]session.ObjectHandle)
	for _, hit := range o.hits {
		list[hit.object] = hit.handle
	}
	return list
}

func (d *desk) sees(a *session.Application, h session.SessionHandle, want ...int) {
	d.Helper()
	got := d.found(a, h)
	ok := len(got) == len(want)
	for _, id := range want {
		ok = ok && got[id] != 0
	}
	if !ok {
		d.Errorf("found %v, want %v", got, want)
	}
}

func nothing(session.Object) (any, error) { return nil, nil }
func works(*session.Operation) error      { return nil }
func unchanged(session.Object) error      { return nil }
func anything(session.Object) bool        { return true }

func TestS1_NoAccessWithoutSession(t *testing.T) {
	d := newDesk(t)
	for _, h := range []session.SessionHandle{0, 1, 1 << 40, ^session.SessionHandle(0)} {
		d.want(d.a.Login(h, session.CKU_USER, good), session.CKR_SESSION_HANDLE_INVALID)
		d.want(d.a.FindInit(h, anything), session.CKR_SESSION_HANDLE_INVALID)
		d.want(d.a.Begin(h, session.OpDigest, 0, nothing), session.CKR_SESSION_HANDLE_INVALID)
		_, err := d.a.Object(h, 1)
		d.want(err, session.CKR_SESSION_HANDLE_INVALID)
		_, err = d.create(d.a, h, thing{})
		d.want(err, session.CKR_SESSION_HANDLE_INVALID)
	}
	// An application may have many, with many tokens.
	for range 10 {
		d.open(d.a, 1, ro)
		d.open(d.a, 2, rw)
	}
	if n, err := d.a.SessionCounts(2); err != nil || n != (session.Counts{Sessions: 10, RWSessions: 10}) {
		t.Error(n, err)
	}
	_, err := d.a.OpenSession(9, ro, nil)
	d.want(err, session.CKR_SLOT_ID_INVALID)
	d.m.AddSlot(9)
	_, err = d.a.OpenSession(9, ro, nil)
	d.want(err, session.CKR_TOKEN_NOT_PRESENT)
}

func TestS2_ReadOnlyIsAboutTokenObjects(t *testing.T) {
	d := newDesk(t)
	reader, writer := d.open(d.a, 1, ro), d.open(d.a, 1, rw)
	own := d.made(d.a, reader, thing{id: 1})
	d.want(d.a.ModifyObject(reader, own, unchanged), session.CKR_OK)
	d.want(d.a.DestroyObject(reader, own, nil), session.CKR_OK)
	_, err := d.create(d.a, reader, thing{id: 2, token: true})
	d.want(err, session.CKR_SESSION_READ_ONLY)
	d.made(d.a, writer, thing{id: 3, token: true})
	card := d.found(d.a, reader)[10]
	d.exists(d.a, reader, card, true)
	d.want(d.a.ModifyObject(reader, card, unchanged), session.CKR_SESSION_READ_ONLY)
	d.want(d.a.DestroyObject(reader, card, nil), session.CKR_SESSION_READ_ONLY)
	d.want(d.a.ModifyObject(writer, card, unchanged), session.CKR_OK)
}

func TestS3_PublicObjectsAtOncePrivateAfterLogin(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.a, 1, ro)
	d.sees(d.a, h, 10)
	d.login(d.a, h, session.CKU_USER)
	d.sees(d.a, h, 10, 11)
}

func TestS4_ObjectsGoWithTheirSession(t *testing.T) {
	d := newDesk(t)
	maker, user := d.open(d.a, 1, ro), d.open(d.a, 1, ro)
	o, other := d.made(d.a, maker, thing{id: 1}), d.made(d.a, user, thing{id: 2})
	d.exists(d.a, user, o, true)
	d.want(d.a.Begin(user, session.OpSign, o, nothing), session.CKR_OK)
	d.want(d.a.CloseSession(maker), session.CKR_OK)
	d.exists(d.a, user, o, false)
	d.exists(d.a, user, other, true)
	d.want(d.a.Finish(user, session.OpSign, works), session.CKR_OPERATION_NOT_INITIALIZED)
}

func TestS5_Limits(t *testing.T) {
	d := newDesk(t, session.Limits{Sessions: 3, RWSessions: 2})
	first := d.open(d.a, 1, rw)
	d.open(d.a, 1, rw)
	_, err := d.a.OpenSession(1, rw, nil)
	d.want(err, session.CKR_SESSION_COUNT)
	d.open(d.a, 1, ro)
	_, err = d.a.OpenSession(1, ro, nil)
	d.want(err, session.CKR_SESSION_COUNT)
	d.open(d.b, 1, rw) // the limits are one application's
	d.open(d.a, 2, rw) // at one token
	d.want(d.a.CloseSession(first), session.CKR_OK)
	d.open(d.a, 1, rw)
}

func TestS6_ParallelSessionsAreRefused(t *testing.T) {
	d := newDesk(t)
	_, err := d.a.OpenSession(1, session.CKF_RW_SESSION, nil)
	d.want(err, session.CKR_SESSION_PARALLEL_NOT_SUPPORTED)
	_, err = d.a.OpenSession(1, rw|session.CKF_ASYNC_SESSION, nil) // 3.2
	d.want(err, session.CKR_SESSION_ASYNC_NOT_SUPPORTED)
}

func TestS7_ReadOnlyStates(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.a, 1, ro)
	d.state(d.a, h, session.CKS_RO_PUBLIC_SESSION)
	d.want(d.a.Login(h, session.CKU_SO, good), session.CKR_SESSION_READ_ONLY_EXISTS)
	d.login(d.a, h, session.CKU_USER)
	d.state(d.a, h, session.CKS_RO_USER_FUNCTIONS)
	d.want(d.a.Logout(h), session.CKR_OK)
	d.state(d.a, h, session.CKS_RO_PUBLIC_SESSION)
	for _, s := range session.States() {
		if s.Login() == session.SO && !s.ReadWrite() {
			t.Error("there is a R/O SO state:", s)
		}
	}
}

func TestS8_ReadWriteStates(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.a, 1, rw)
	d.state(d.a, h, session.CKS_RW_PUBLIC_SESSION)
	d.login(d.a, h, session.CKU_USER)
	d.state(d.a, h, session.CKS_RW_USER_FUNCTIONS)
	d.want(d.a.Logout(h), session.CKR_OK)
	d.login(d.a, h, session.CKU_SO)
	d.state(d.a, h, session.CKS_RW_SO_FUNCTIONS)
	d.want(d.a.Logout(h), session.CKR_OK)
	d.state(d.a, h, session.CKS_RW_PUBLIC_SESSION)
}

func TestS9_BornIntoTheLoginsState(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.a, 1, rw)
	d.login(d.a, h, session.CKU_USER)
	d.state(d.a, d.open(d.a, 1, ro), session.CKS_RO_USER_FUNCTIONS)
	d.state(d.a, d.open(d.a, 1, rw), session.CKS_RW_USER_FUNCTIONS)
	d.state(d.a, d.open(d.a, 2, rw), session.CKS_RW_PUBLIC_SESSION)
	d.state(d.b, d.open(d.b, 1, rw), session.CKS_RW_PUBLIC_SESSION)
	d.want(d.a.CloseAllSessions(1), session.CKR_OK)
	d.login(d.a, d.open(d.a, 1, rw), session.CKU_SO)
	d.state(d.a, d.open(d.a, 1, rw), session.CKS_RW_SO_FUNCTIONS)
}

// That no thread sees a change half done is shown by TestS10_NoHalfDoneLogin.
func TestS10_OneLoginForAllSessions(t *testing.T) {
	d := newDesk(t)
	s := []session.SessionHandle{d.open(d.a, 1, ro), d.open(d.a, 1, rw), d.open(d.a, 1, ro)}
	other, elsewhere := d.open(d.b, 1, rw), d.open(d.a, 2, rw)
	d.login(d.a, s[0], session.CKU_USER)
	d.state(d.a, s[0], session.CKS_RO_USER_FUNCTIONS)
	d.state(d.a, s[1], session.CKS_RW_USER_FUNCTIONS)
	d.state(d.a, s[2], session.CKS_RO_USER_FUNCTIONS)
	d.state(d.b, other, session.CKS_RW_PUBLIC_SESSION)
	d.state(d.a, elsewhere, session.CKS_RW_PUBLIC_SESSION)
	d.want(d.a.Logout(s[2]), session.CKR_OK)
	d.state(d.a, s[0], session.CKS_RO_PUBLIC_SESSION)
	d.state(d.a, s[1], session.CKS_RW_PUBLIC_SESSION)
}

func TestS11_NoReadOnlySessionBesideSO(t *testing.T) {
	d := newDesk(t)
	writer, reader := d.open(d.a, 1, rw), d.open(d.a, 1, ro)
	d.open(d.b, 1, ro) // another application's does not matter
	d.open(d.a, 2, ro) // nor one at another token
	calls := d.card[1].calls
	d.want(d.a.Login(writer, session.CKU_SO, good), session.CKR_SESSION_READ_ONLY_EXISTS)
	if d.card[1].calls != calls {
		t.Error("the token was asked in vain")
	}
	d.want(d.a.CloseSession(reader), session.CKR_OK)
	d.login(d.a, writer, session.CKU_SO)
	_, err := d.a.OpenSession(1, ro, nil)
	d.want(err, session.CKR_SESSION_READ_WRITE_SO_EXISTS)
	d.want(d.a.Logout(writer), session.CKR_OK)
	d.open(d.a, 1, ro)
}

func TestS12_OneUserAtATime(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.a, 1, rw)
	d.want(d.a.Logout(h), session.CKR_USER_NOT_LOGGED_IN)
	d.login(d.a, h, session.CKU_USER)
	d.want(d.a.Login(h, session.CKU_USER, good), session.CKR_USER_ALREADY_LOGGED_IN)
	d.want(d.a.Login(h, session.CKU_SO, good), session.CKR_USER_ANOTHER_ALREADY_LOGGED_IN)
	d.want(d.a.Logout(h), session.CKR_OK)
	d.login(d.a, h, session.CKU_SO)
	d.want(d.a.Login(h, session.CKU_SO, good), session.CKR_USER_ALREADY_LOGGED_IN)
	d.want(d.a.Login(h, session.CKU_USER, good), session.CKR_USER_ANOTHER_ALREADY_LOGGED_IN)
	d.want(d.a.Login(h, 7, good), session.CKR_USER_TYPE_INVALID)
	d.login(d.b, d.open(d.b, 1, rw), session.CKU_USER) // the rule is for one application
	d.want(d.a.Logout(h), session.CKR_OK)
	d.want(d.a.Login(h, session.CKU_USER, []byte("bad")), session.CKR_PIN_INCORRECT)
	d.state(d.a, h, session.CKS_RW_PUBLIC_SESSION)
}

func TestS13_LastCloseLogsOut(t *testing.T) {
	d := newDesk(t)
	first, last := d.open(d.a, 1, rw), d.open(d.a, 1, rw)
	other := d.open(d.b, 1, rw)
	d.login(d.a, first, session.CKU_USER)
	d.login(d.b, other, session.CKU_USER)
	d.want(d.a.CloseSession(first), session.CKR_OK)
	d.state(d.a, last, session.CKS_RW_USER_FUNCTIONS)
	d.want(d.a.CloseSession(last), session.CKR_OK)
	d.state(d.a, d.open(d.a, 1, rw), session.CKS_RW_PUBLIC_SESSION)
	d.m.Wait()
	if !d.card[1].loggedIn(session.CKU_USER) {
		t.Error("the token was logged out while another application is logged in")
	}
	d.want(d.b.CloseSession(other), session.CKR_OK)
	d.m.Wait()
	if d.card[1].loggedIn(session.CKU_USER) {
		t.Error("the token was not logged out")
	}
}

func TestS14_ContextSpecificLogin(t *testing.T) {
	d := newDesk(t)
	h, other := d.open(d.a, 1, rw), d.open(d.a, 1, rw)
	d.want(d.a.Login(h, session.CKU_CONTEXT_SPECIFIC, good), session.CKR_OPERATION_NOT_INITIALIZED)
	d.login(d.a, h, session.CKU_USER)
	key := d.made(d.a, h, thing{id: 1, private: true, always: true})
	plain := d.made(d.a, h, thing{id: 2, private: true})

	d.want(d.a.Begin(h, session.OpSign, key, nothing), session.CKR_OK)
	d.want(d.a.Login(other, session.CKU_CONTEXT_SPECIFIC, good), session.CKR_OPERATION_NOT_INITIALIZED)
	d.want(d.a.Query(h, session.OpSign, works), session.CKR_OK) // a length needs no login
	d.want(d.a.Login(h, session.CKU_CONTEXT_SPECIFIC, []byte("bad")), session.CKR_PIN_INCORRECT)
	d.want(d.a.Login(h, session.CKU_CONTEXT_SPECIFIC, good), session.CKR_OK)
	d.want(d.a.Login(h, session.CKU_CONTEXT_SPECIFIC, good), session.CKR_USER_ALREADY_LOGGED_IN)
	d.want(d.a.Finish(h, session.OpSign, works), session.CKR_OK)

	// The next operation needs its own, and without it comes to nothing.
	d.want(d.a.Begin(h, session.OpSign, key, nothing), session.CKR_OK)
	d.want(d.a.Finish(h, session.OpSign, works), session.CKR_USER_NOT_LOGGED_IN)
	d.want(d.a.Finish(h, session.OpSign, works), session.CKR_OPERATION_NOT_INITIALIZED)

	// One that asks for nothing has nothing to log in to.
	d.want(d.a.Begin(h, session.OpSign, plain, nothing), session.CKR_OK)
	d.want(d.a.Login(h, session.CKU_CONTEXT_SPECIFIC, good), session.CKR_OPERATION_NOT_INITIALIZED)
	d.want(d.a.Finish(h, session.OpSign, works), session.CKR_OK)

	// An operation may take the PIN itself.
	var v vault
	d.want(d.a.Begin(h, session.OpSign, key, func(session.Object) (any, error) { return &v, nil }), session.CKR_OK)
	d.want(d.a.Login(h, session.CKU_CONTEXT_SPECIFIC, []byte("mine")), session.CKR_OK)
	if v.pin != "mine" {
		t.Error("the operation did not get the PIN")
	}
	d.state(d.a, h, session.CKS_RW_USER_FUNCTIONS)
}

type vault struct{ pin string }

func (v *vault) Authorize(pin []byte) error { v.pin = string(pin); return nil }

func TestS16_RefusalsAreToldApart(t *testing.T) {
	d := newDesk(t)
	reader, writer := d.open(d.a, 1, ro), d.open(d.a, 1, rw)
	_, err := d.create(d.a, reader, thing{id: 1, token: true})
	d.want(err, session.CKR_SESSION_READ_ONLY)
	_, err = d.create(d.a, writer, thing{id: 1, private: true})
	d.want(err, session.CKR_USER_NOT_LOGGED_IN)
	_, err = d.create(d.a, reader, thing{id: 1, token: true, private: true})
	d.want(err, session.CKR_USER_NOT_LOGGED_IN)
	frozen := d.made(d.a, writer, thing{id: 2, frozen: true})
	d.want(d.a.ModifyObject(writer, frozen, unchanged), session.CKR_ACTION_PROHIBITED)
	d.want(d.a.DestroyObject(writer, frozen, nil), session.CKR_ACTION_PROHIBITED)
	o := d.made(d.a, writer, thing{id: 3})
	d.want(d.a.ModifyObject(writer, o, func(session.Object) error { return session.CKR_ATTRIBUTE_READ_ONLY }), session.CKR_ATTRIBUTE_READ_ONLY)
	// What make returns has to be what the access was granted for.
	_, err = d.a.CreateObject(reader, session.PublicSessionObject, func() (session.Object, error) { return thing{token: true}, nil })
	d.want(err, session.CKR_TEMPLATE_INCONSISTENT)
	_, err = d.a.CreateObject(reader, session.PublicSessionObject, func() (session.Object, error) { return thing{private: true}, nil })
	d.want(err, session.CKR_TEMPLATE_INCONSISTENT)
	// Only a token may decide itself what is private on it, and only for who may have that.
	private := func() (session.Object, error) { return thing{id: 4, token: true, private: true}, nil }
	_, err = d.a.CreateObject(writer, session.PublicTokenObject, private)
	d.want(err, session.CKR_USER_NOT_LOGGED_IN)
	d.login(d.a, writer, session.CKU_USER)
	_, err = d.a.CreateObject(writer, session.PublicTokenObject, private)
	d.want(err, session.CKR_OK)
	_, err = d.a.CreateObject(writer, session.PrivateTokenObject, func() (session.Object, error) { return thing{id: 5, token: true}, nil })
	d.want(err, session.CKR_OK)
}

func TestS17_SessionObjectsAreTheApplications(t *testing.T) {
	d := newDesk(t)
	mine, theirs := d.open(d.a, 1, rw), d.open(d.b, 1, rw)
	o := d.made(d.a, mine, thing{id: 1})
	d.sees(d.a, mine, 1, 10)
	d.sees(d.b, theirs, 10)
	if o == d.found(d.b, theirs)[10] {
		return // the number is another object's there, as it may be
	}
	d.exists(d.b, theirs, o, false)
	d.sees(d.a, d.open(d.a, 2, rw), 20) // nor are they seen at another token
}

func TestS18_EventsMoveStates(t *testing.T) {
	for _, s := range session.States() {
		for _, e := range session.Events() {
			t.Run(s.String()+"/"+e.String(), func(t *testing.T) {
				d := newDesk(t)
				h := d.inState(s)
				want := session.Transition(s, e)
				err := map[session.Event]func() error{
					session.LogInSO:       func() error { return d.a.Login(h, session.CKU_SO, good) },
					session.LogInUser:     func() error { return d.a.Login(h, session.CKU_USER, good) },
					session.LogOut:        func() error { return d.a.Logout(h) },
					session.CloseSession:  func() error { return d.a.CloseSession(h) },
					session.DeviceRemoved: func() error { d.m.Remove(1); return nil },
				}[e]()
				d.want(err, want.Refused)
				switch {
				case want.Closed:
					_, err := d.a.SessionInfo(h)
					d.want(err, session.CKR_SESSION_HANDLE_INVALID)
				case want.Refused != session.CKR_OK:
					d.state(d.a, h, s)
				default:
					d.state(d.a, h, want.Next)
				}
			})
		}
	}
}

// inState opens a session of application a at slot 1 and brings it into a state.
func (d *desk) inState(s session.State) session.SessionHandle {
	d.Helper()
	flags := ro
	if s.ReadWrite() {
		flags = rw
	}
	h := d.open(d.a, 1, flags)
	switch s.Login() {
	case session.User:
		d.login(d.a, h, session.CKU_USER)
	case session.SO:
		d.login(d.a, h, session.CKU_SO)
	}
	d.state(d.a, h, s)
	return h
}

func TestS19_LogoutTakesWhatIsPrivate(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.a, 1, rw)
	d.login(d.a, h, session.CKU_USER)
	public, private := d.made(d.a, h, thing{id: 1}), d.made(d.a, h, thing{id: 2, private: true})
	card := d.found(d.a, h)
	d.want(d.a.Logout(h), session.CKR_OK)
	d.exists(d.a, h, public, true)
	d.exists(d.a, h, card[10], true)
	d.exists(d.a, h, private, false)
	d.exists(d.a, h, card[11], false)
	d.login(d.a, h, session.CKU_USER)
	d.exists(d.a, h, private, false)
	d.exists(d.a, h, card[11], false)
	again := d.found(d.a, h)
	if again[11] == card[11] || again[11] == 0 {
		t.Error("the private object has its old handle:", again[11])
	}
	if again[10] != card[10] {
		t.Error("the public object has another handle")
	}
	d.sees(d.a, h, 1, 10, 11)
}

func TestS20_RemovalClosesEverything(t *testing.T) {
	d := newDesk(t)
	mine, theirs, elsewhere := d.open(d.a, 1, rw), d.open(d.b, 1, ro), d.open(d.a, 2, rw)
	d.login(d.a, mine, session.CKU_USER)
	d.m.Remove(1)
	d.m.Insert(1, d.card[1], session.Limits{}) // back before anybody asks
	for _, c := range []struct {
		a *session.Application
		h session.SessionHandle
	}{{d.a, mine}, {d.b, theirs}} {
		_, err := c.a.SessionInfo(c.h)
		d.want(err, session.CKR_SESSION_HANDLE_INVALID)
		d.want(c.a.Logout(c.h), session.CKR_SESSION_HANDLE_INVALID)
		d.want(c.a.CloseSession(c.h), session.CKR_SESSION_HANDLE_INVALID)
	}
	d.state(d.a, elsewhere, session.CKS_RW_PUBLIC_SESSION)
	d.state(d.a, d.open(d.a, 1, rw), session.CKS_RW_PUBLIC_SESSION)
}

// A call that is under way when the token goes, or the session, or the application, is told so.
func TestS20_CallsInFlight(t *testing.T) {
	ways := []struct {
		name string
		end  func(*desk, session.SessionHandle)
		want session.RV
	}{
		{"removal", func(d *desk, _ session.SessionHandle) { d.m.Remove(1) }, session.CKR_DEVICE_REMOVED},
		{"swap", func(d *desk, _ session.SessionHandle) { d.m.Insert(1, d.card[1], session.Limits{}) }, session.CKR_DEVICE_REMOVED},
		{"close", func(d *desk, h session.SessionHandle) { _ = d.a.CloseSession(h) }, session.CKR_SESSION_CLOSED},
		{"close all", func(d *desk, _ session.SessionHandle) { _ = d.a.CloseAllSessions(1) }, session.CKR_SESSION_CLOSED},
		{"finalize", func(d *desk, _ session.SessionHandle) { _ = d.a.Close() }, session.CKR_CRYPTOKI_NOT_INITIALIZED},
	}
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			for name, call := range map[string]func(d *desk, h session.SessionHandle, end func(session.SessionHandle)) error{
				"create": func(d *desk, h session.SessionHandle, end func(session.SessionHandle)) error {
					_, err := d.a.CreateObject(h, session.PublicSessionObject, func() (session.Object, error) { end(h); return thing{}, nil })
					return err
				},
				"begin": func(d *desk, h session.SessionHandle, end func(session.SessionHandle)) error {
					return d.a.Begin(h, session.OpSign, 0, func(session.Object) (any, error) { end(h); return nil, nil })
				},
				"finish": func(d *desk, h session.SessionHandle, end func(session.SessionHandle)) error {
					return errors.Join(d.a.Begin(h, session.OpSign, 0, nothing),
						d.a.Finish(h, session.OpSign, func(*session.Operation) error { end(h); return nil }))
				},
				"failing": func(d *desk, h session.SessionHandle, end func(session.SessionHandle)) error {
					return d.a.Do(h, func() error { end(h); return session.CKR_DEVICE_ERROR })
				},
				"search": func(d *desk, h session.SessionHandle, end func(session.SessionHandle)) error {
					first := true
					return d.a.FindInit(h, func(session.Object) bool {
						if first {
							first = false
							end(h)
						}
						return true
					})
				},
				"login": func(d *desk, h session.SessionHandle, end func(session.SessionHandle)) error {
					slow := &slowCard{card: d.card[1]}
					d.m.Insert(1, slow, session.Limits{})
					h = d.open(d.a, 1, rw)
					slow.during = func() { end(h) }
					return d.a.Login(h, session.CKU_USER, good)
				},
			} {
				d := newDesk(t)
				h := d.open(d.a, 1, rw)
				err := call(d, h, func(h session.SessionHandle) { w.end(d, h) })
				if session.Code(err) != w.want {
					t.Errorf("%s: got %v, want %s", name, err, w.want.Name())
				}
			}
		})
	}
}

// slowCard does something while it checks a PIN.
type slowCard struct {
	*card
	during func()
}

func (c *slowCard) Login(user session.UserType, name string, pin []byte) error {
	c.during()
	return c.card.Login(user, name, pin)
}

func TestS21_CloseAllIsTheCallersAtOneSlot(t *testing.T) {
	d := newDesk(t)
	here, there, theirs := d.open(d.a, 1, rw), d.open(d.a, 2, rw), d.open(d.b, 1, rw)
	d.open(d.a, 1, ro)
	d.want(d.a.CloseAllSessions(1), session.CKR_OK)
	_, err := d.a.SessionInfo(here)
	d.want(err, session.CKR_SESSION_HANDLE_INVALID)
	d.state(d.a, there, session.CKS_RW_PUBLIC_SESSION)
	d.state(d.b, theirs, session.CKS_RW_PUBLIC_SESSION)
	d.want(d.a.CloseAllSessions(9), session.CKR_SLOT_ID_INVALID)
	d.want(d.a.Close(), session.CKR_OK)
	_, err = d.a.SessionInfo(there)
	d.want(err, session.CKR_CRYPTOKI_NOT_INITIALIZED)
	d.want(d.a.Close(), session.CKR_CRYPTOKI_NOT_INITIALIZED)
	_, err = d.a.OpenSession(1, rw, nil)
	d.want(err, session.CKR_CRYPTOKI_NOT_INITIALIZED)
	d.state(d.b, theirs, session.CKS_RW_PUBLIC_SESSION)
}

func TestS22_HandlesAreTheApplications(t *testing.T) {
	d := newDesk(t)
	mine, theirs := d.open(d.a, 1, ro), d.open(d.b, 2, rw)
	if mine != theirs {
		t.Log("the numbers could be the same")
	}
	d.state(d.a, mine, session.CKS_RO_PUBLIC_SESSION)
	d.state(d.b, theirs, session.CKS_RW_PUBLIC_SESSION)
	second := d.open(d.a, 1, ro)
	d.want(d.b.CloseSession(second), session.CKR_SESSION_HANDLE_INVALID)
	d.made(d.b, theirs, thing{id: 1})
	o := d.made(d.a, mine, thing{id: 1})
	o = d.made(d.a, mine, thing{id: 2}) + 0*o
	d.exists(d.b, theirs, o, false)
}

func TestS23_HandlesAreNeverReused(t *testing.T) {
	d := newDesk(t)
	keep := d.open(d.a, 1, rw)
	sessions, objects := make(map[session.SessionHandle]bool), make(map[session.ObjectHandle]bool)
	for range 5000 {
		h := d.open(d.a, 1, rw)
		o := d.made(d.a, keep, thing{id: 1})
		if h == 0 || o == 0 || sessions[h] || objects[o] {
			t.Fatal("given out again:", h, o)
		}
		sessions[h], objects[o] = true, true
		d.want(d.a.CloseSession(h), session.CKR_OK)
		d.want(d.a.DestroyObject(keep, o, nil), session.CKR_OK)
	}
	for h := range sessions {
		_, err := d.a.SessionInfo(h)
		d.want(err, session.CKR_SESSION_HANDLE_INVALID)
	}
}

func TestS24_OneHandleForAnObject(t *testing.T) {
	d := newDesk(t)
	first, second := d.open(d.a, 1, ro), d.open(d.a, 1, rw)
	d.login(d.a, first, session.CKU_USER)
	made := d.made(d.a, second, thing{id: 12, token: true})
	d.card[1].add(thing{id: 12, token: true})
	one, two := d.found(d.a, first), d.found(d.a, second)
	for id, h := range one {
		if two[id] != h {
			t.Errorf("object %d has handles %d and %d", id, h, two[id])
		}
	}
	if one[12] != made {
		t.Error("found under another handle than it was made")
	}
	// Destroyed by another application, it is gone for all, and in all.
	theirs := d.open(d.b, 1, rw)
	d.want(d.b.DestroyObject(theirs, d.found(d.b, theirs)[12], func(session.Object) error { d.card[1].remove(12); return nil }), session.CKR_OK)
	d.exists(d.a, first, made, false)
	d.m.ForgetObject(1, thing{id: 10, token: true})
	d.exists(d.a, first, one[10], false)
}

func TestS25_SearchIsAnOperation(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.a, 1, rw)
	d.login(d.a, h, session.CKU_USER)
	doomed := d.made(d.a, h, thing{id: 1})
	_, err := d.a.Find(h, 1)
	d.want(err, session.CKR_OPERATION_NOT_INITIALIZED)
	d.want(d.a.FindFinal(h), session.CKR_OPERATION_NOT_INITIALIZED)
	d.want(d.a.FindInit(h, anything), session.CKR_OK)
	d.want(d.a.FindInit(h, anything), session.CKR_OPERATION_ACTIVE)
	d.want(d.a.Begin(h, session.OpDigest, 0, nothing), session.CKR_OPERATION_ACTIVE)

	// What it found is settled at its start; what went since is left out.
	d.made(d.a, h, thing{id: 2})
	d.want(d.a.DestroyObject(h, doomed, nil), session.CKR_OK)
	found, err := d.a.Find(h, 1)
	rest, err2 := d.a.Find(h, 10)
	if err != nil || err2 != nil || len(found) != 1 || len(rest) != 1 {
		t.Error(found, rest, err, err2)
	}
	none, err := d.a.Find(h, 10)
	if len(none) != 0 || err != nil {
		t.Error(none, err)
	}
	d.want(d.a.FindFinal(h), session.CKR_OK)
	d.sees(d.a, h, 2, 10, 11)
	// A search that ends with a logout under way tells nothing private.
	d.want(d.a.FindInit(h, anything), session.CKR_OK)
	d.want(d.a.Logout(h), session.CKR_OK)
	found, err = d.a.Find(h, 10)
	if len(found) != 2 || err != nil {
		t.Error("found after logout:", found, err)
	}
}

func TestS26_Pairs(t *testing.T) {
	allowed := map[string]bool{
		"digest+encrypt": true, "encrypt+digest": true, "decrypt+digest": true, "digest+decrypt": true,
		"sign+encrypt": true, "encrypt+sign": true, "decrypt+verify": true, "verify+decrypt": true,
	}
	d := newDesk(t)
	begin := func(h session.SessionHandle, k session.OpKind) error {
		if k == session.OpFind {
			return d.a.FindInit(h, anything)
		}
		return d.a.Begin(h, k, 0, nothing)
	}
	for _, first := range session.OpKinds() {
		for _, second := range session.OpKinds() {
			h := d.open(d.a, 1, rw)
			d.want(begin(h, first), session.CKR_OK)
			want := session.CKR_OPERATION_ACTIVE
			if allowed[fmt.Sprintf("%v+%v", first, second)] {
				want = session.CKR_OK
			}
			if err := begin(h, second); session.Code(err) != want {
				t.Errorf("%v beside %v: %v", second, first, err)
			}
			if want == session.CKR_OK {
				d.want(d.a.UpdatePair(h, first, second, func(a, b *session.Operation) error {
					if a.Kind() != first || b.Kind() != second {
						t.Error("got", a.Kind(), b.Kind())
					}
					return nil
				}), session.CKR_OK)
				// Never three, and cancelling one leaves the other.
				d.want(begin(h, session.OpEncrypt), session.CKR_OPERATION_ACTIVE)
				d.want(d.a.Cancel(h, first), session.CKR_OK)
				d.want(d.a.Update(h, second, works), session.CKR_OK)
			}
			d.want(d.a.CloseSession(h), session.CKR_OK)
		}
		h := d.open(d.a, 1, rw)
		if first != session.OpFind {
			d.want(d.a.Update(h, first, works), session.CKR_OPERATION_NOT_INITIALIZED)
		}
		d.want(d.a.Cancel(h, first), session.CKR_OPERATION_NOT_INITIALIZED)
	}
}

func TestS27_WhenAnOperationEnds(t *testing.T) {
	small := func(*session.Operation) error { return fmt.Errorf("wrapped: %w", session.CKR_BUFFER_TOO_SMALL) }
	fails := func(*session.Operation) error { return session.CKR_DEVICE_ERROR }
	type step = func(*session.Application, session.SessionHandle, session.OpKind, func(*session.Operation) error) error
	query, update, finish := step((*session.Application).Query), step((*session.Application).Update), step((*session.Application).Finish)
	for _, c := range []struct {
		name string
		do   step
		what func(*session.Operation) error
		ends bool
	}{
		{"length query", query, works, false},
		{"length query, small", query, small, false},
		{"length query fails", query, fails, true},
		{"part", update, works, false},
		{"part, small", update, small, false},
		{"part fails", update, fails, true},
		{"last", finish, works, true},
		{"last, small", finish, small, false},
		{"last fails", finish, fails, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			h := d.open(d.a, 1, ro)
			d.want(d.a.Begin(h, session.OpSign, 0, func(session.Object) (any, error) { return "state", nil }), session.CKR_OK)
			_ = c.do(d.a, h, session.OpSign, c.what)
			want := session.CKR_OK
			if c.ends {
				want = session.CKR_OPERATION_NOT_INITIALIZED
			}
			d.want(d.a.Query(h, session.OpSign, func(o *session.Operation) error {
				if o.State() != "state" {
					t.Error("lost its state")
				}
				return nil
			}), want)
		})
	}
	t.Run("cancel", func(t *testing.T) {
		d := newDesk(t)
		h := d.open(d.a, 1, ro)
		d.want(d.a.SessionCancel(h, session.CKF_SIGN), session.CKR_OK) // nothing active: ignored
		for _, k := range session.OpKinds() {
			if k == session.OpFind {
				d.want(d.a.FindInit(h, anything), session.CKR_OK)
			} else {
				d.want(d.a.Begin(h, k, 0, nothing), session.CKR_OK)
			}
			d.want(d.a.SessionCancel(h, 0), session.CKR_OK)
			d.want(d.a.Begin(h, k, 0, nothing), session.CKR_OPERATION_ACTIVE)
			d.want(d.a.SessionCancel(h, ^session.Flags(0)), session.CKR_OK)
			d.want(d.a.Cancel(h, k), session.CKR_OPERATION_NOT_INITIALIZED)
		}
		// A failed start leaves nothing behind, nor does a panic in a step.
		d.want(d.a.Begin(h, session.OpSign, 0, func(session.Object) (any, error) { return nil, session.CKR_DEVICE_ERROR }), session.CKR_DEVICE_ERROR)
		d.want(d.a.Begin(h, session.OpSign, 0, nothing), session.CKR_OK)
		func() {
			defer func() { _ = recover() }()
			_ = d.a.Update(h, session.OpSign, func(*session.Operation) error { panic("a bug") })
		}()
		d.want(d.a.Begin(h, session.OpSign, 0, nothing), session.CKR_OK)
		d.want(d.a.Begin(h, session.OpDigest, 12345, nothing), session.CKR_OPERATION_ACTIVE)
		d.want(d.a.Cancel(h, session.OpSign), session.CKR_OK)
		d.want(d.a.Begin(h, session.OpSign, 12345, nothing), session.CKR_KEY_HANDLE_INVALID)
	})
}
