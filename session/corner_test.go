package session_test

import (
	"sync"
	"testing"

	"cardbridge/session"
)

// S5, and "never a panic": when handles run out the caller is told, and what is freed can be used again as long as there
// are handles that were never given out.
func TestS5_HandlesRunOut(t *testing.T) {
	m := session.NewManager(session.Options{HandleBits: 16}) // 10 bits of index, 6 of use
	m.Insert(1, newCard(), session.Limits{})
	a := m.NewApplication()
	var all []session.SessionHandle
	for {
		h, err := a.OpenSession(1, rw, nil)
		if err != nil {
			if session.Code(err) != session.CKR_SESSION_COUNT {
				t.Fatal(err)
			}
			break
		}
		all = append(all, h)
	}
	if len(all) != 1<<10-1 {
		t.Error("sessions at once:", len(all))
	}
	var objects []session.ObjectHandle
	for {
		o, err := a.CreateObject(all[0], session.PublicSessionObject, func() (session.Object, error) { return thing{}, nil })
		if err != nil {
			if session.Code(err) != session.CKR_DEVICE_MEMORY {
				t.Fatal(err)
			}
			break
		}
		objects = append(objects, o)
	}
	for _, o := range objects {
		if err := a.DestroyObject(all[0], o, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.CreateObject(all[0], session.PublicSessionObject, func() (session.Object, error) { return thing{}, nil }); err != nil {
		t.Error("nothing works after freeing:", err)
	}
	seen := make(map[session.SessionHandle]bool)
	for _, h := range all {
		seen[h] = true
		if err := a.CloseSession(h); err != nil {
			t.Fatal(err)
		}
	}
	// Then every handle there is, once.
	for {
		h, err := a.OpenSession(1, rw, nil)
		if err != nil {
			if session.Code(err) != session.CKR_SESSION_COUNT {
				t.Fatal(err)
			}
			break
		}
		if h == 0 || h >= 1<<16 || seen[h] {
			t.Fatal("handle", h)
		}
		seen[h] = true
		if err := a.CloseSession(h); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 1<<16-64 { // all but the ones whose index would be zero
		t.Error("handles in all:", len(seen))
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, err := m.NewApplication().OpenSession(1, rw, nil); err != nil {
		t.Error("a new application:", err)
	}
}

func TestS5_LimitsOfAnApplication(t *testing.T) {
	m := session.NewManager(session.Options{MaxSessions: 2, MaxObjects: 2})
	m.Insert(1, newCard(thing{id: 1, token: true}), session.Limits{})
	a := m.NewApplication()
	first, _ := a.OpenSession(1, rw, nil)
	second, _ := a.OpenSession(1, rw, nil)
	if _, err := a.OpenSession(1, rw, nil); session.Code(err) != session.CKR_SESSION_COUNT {
		t.Error(err)
	}
	two := []session.ObjectKind{session.PublicSessionObject, session.PublicSessionObject}
	if _, err := a.CreateObjects(first, two, func() ([]session.Object, error) { return []session.Object{thing{}, thing{}}, nil }); err != nil {
		t.Error(err)
	}
	called := false
	_, err := a.CreateObject(second, session.PublicSessionObject, func() (session.Object, error) { called = true; return thing{}, nil })
	if session.Code(err) != session.CKR_DEVICE_MEMORY || called {
		t.Error(err, called)
	}
	if err := a.FindInit(second, anything); session.Code(err) != session.CKR_DEVICE_MEMORY {
		t.Error("a search that needs one more handle:", err)
	}
	if err := a.CloseSession(first); err != nil {
		t.Error(err)
	}
	if err := a.FindInit(second, anything); err != nil {
		t.Error("after freeing:", err)
	}
	if _, err := a.OpenSession(1, rw, nil); err != nil {
		t.Error("after freeing:", err)
	}
}

func TestInitToken(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.b, 1, rw)
	wipe := func(session.Token) error { return nil }
	d.want(d.m.InitToken(1, wipe), session.CKR_SESSION_EXISTS)
	d.want(d.b.CloseSession(h), session.CKR_OK)
	h = d.open(d.a, 1, rw)
	o := d.found(d.a, h)[10]
	d.want(d.a.CloseSession(h), session.CKR_OK)
	d.want(d.m.InitToken(1, func(session.Token) error { return session.CKR_PIN_INCORRECT }), session.CKR_PIN_INCORRECT)
	d.exists(d.a, d.open(d.a, 1, rw), o, true)
	d.want(d.a.CloseAllSessions(1), session.CKR_OK)
	d.want(d.m.InitToken(1, func(session.Token) error {
		_, err := d.a.OpenSession(1, rw, nil)
		d.want(err, session.CKR_FUNCTION_FAILED)
		return nil
	}), session.CKR_OK)
	h = d.open(d.a, 1, rw)
	d.exists(d.a, h, o, false)
	d.want(d.a.CloseSession(h), session.CKR_OK)
	d.want(d.m.InitToken(1, func(session.Token) error { d.m.Remove(1); return nil }), session.CKR_DEVICE_REMOVED)
	d.want(d.m.InitToken(1, wipe), session.CKR_TOKEN_NOT_PRESENT)
	d.want(d.m.InitToken(9, wipe), session.CKR_SLOT_ID_INVALID)
}

func TestCallbacks(t *testing.T) {
	d := newDesk(t)
	var h session.SessionHandle
	var heard []session.Notification
	answer := session.CKR_OK
	notify := func(of session.SessionHandle, n session.Notification) session.RV {
		if of != h {
			t.Error("called for session", of)
		}
		heard = append(heard, n)
		// From inside, the session is busy; others are not, nor are calls that need no turn.
		d.want(d.a.SessionCancel(h, ^session.Flags(0)), session.CKR_FUNCTION_FAILED)
		d.want(d.a.Do(h, func() error { return nil }), session.CKR_FUNCTION_FAILED)
		d.state(d.a, h, session.CKS_RW_PUBLIC_SESSION)
		other := d.open(d.a, 1, ro)
		d.want(d.a.Do(other, func() error { return nil }), session.CKR_OK)
		d.want(d.a.CloseSession(other), session.CKR_OK)
		return answer
	}
	h, err := d.a.OpenSession(1, rw, notify)
	d.want(err, session.CKR_OK)
	d.want(d.a.Begin(h, session.OpSign, 0, nothing), session.CKR_OK)
	surrender := func(o *session.Operation) error { return o.Surrender() }
	d.want(d.a.Update(h, session.OpSign, surrender), session.CKR_OK)
	answer = session.CKR_CANCEL
	d.want(d.a.Finish(h, session.OpSign, surrender), session.CKR_FUNCTION_CANCELED)
	d.want(d.a.Finish(h, session.OpSign, works), session.CKR_OPERATION_NOT_INITIALIZED)
	answer = session.CKR_OK
	d.want(d.a.Notify(h, session.CKN_OTP_CHANGED), session.CKR_OK)
	if len(heard) != 3 || heard[0] != session.CKN_SURRENDER || heard[2] != session.CKN_OTP_CHANGED {
		t.Error("heard", heard)
	}
	d.want(d.a.Notify(d.open(d.a, 1, ro), session.CKN_SURRENDER), session.CKR_OK) // no callback
	// A callback may close its own session: the call it came from is told.
	closer, err := d.a.OpenSession(1, rw, func(h session.SessionHandle, _ session.Notification) session.RV {
		d.want(d.a.CloseSession(h), session.CKR_OK)
		return session.CKR_OK
	})
	d.want(err, session.CKR_OK)
	d.want(d.a.Begin(closer, session.OpSign, 0, nothing), session.CKR_OK)
	d.want(d.a.Update(closer, session.OpSign, surrender), session.CKR_SESSION_CLOSED)
}

func TestValidationFlags(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.a, 1, rw)
	if f, err := d.a.ValidationFlags(h); f != 0 || err != nil {
		t.Error(f, err)
	}
	d.want(d.a.SetValidationFlags(h, 5), session.CKR_OK)
	if f, err := d.a.ValidationFlags(h); f != 5 || err != nil {
		t.Error(f, err)
	}
	if f, err := d.a.ValidationFlags(d.open(d.a, 1, rw)); f != 0 || err != nil {
		t.Error(f, err)
	}
}

func TestSlotEvents(t *testing.T) {
	d := newDesk(t)
	late := d.m.NewApplication()
	_, err := d.a.WaitForSlotEvent(false)
	d.want(err, session.CKR_NO_EVENT) // C_Initialize clears all flags
	d.m.Remove(2)
	d.m.Remove(1)
	d.m.Insert(2, d.card[2], session.Limits{})
	for _, a := range []*session.Application{d.a, d.b, late} {
		one, err1 := a.WaitForSlotEvent(false)
		two, err2 := a.WaitForSlotEvent(true)
		_, err3 := a.WaitForSlotEvent(false)
		if one != 2 || two != 1 || err1 != nil || err2 != nil {
			t.Error(one, two, err1, err2)
		}
		d.want(err3, session.CKR_NO_EVENT)
	}
	// Many wait; each event wakes one of them, and Close wakes the rest.
	const waiters = 8
	results := make(chan error, waiters)
	var started sync.WaitGroup
	for range waiters {
		started.Add(1)
		go func() {
			started.Done()
			_, err := d.a.WaitForSlotEvent(true)
			results <- err
		}()
	}
	started.Wait()
	d.m.Insert(1, d.card[1], session.Limits{})
	d.want(<-results, session.CKR_OK)
	d.m.Remove(1)
	d.want(<-results, session.CKR_OK)
	d.want(d.a.Close(), session.CKR_OK)
	for range waiters - 2 {
		d.want(<-results, session.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
}

func TestCodes(t *testing.T) {
	if session.Code(nil) != session.CKR_OK || session.Code(session.CKR_CANCEL) != session.CKR_CANCEL {
		t.Error("Code")
	}
	if got := session.RV(0x80000123).Error(); got != "CKR_0x80000123" {
		t.Error(got)
	}
	if got := session.CKR_SESSION_READ_ONLY.Error(); got != "the session is read-only (CKR_SESSION_READ_ONLY)" {
		t.Error(got)
	}
}

// listing is a token where something happens while its objects are listed.
type listing struct {
	*card
	during func()
}

func (l *listing) Objects(private bool) ([]session.Object, error) {
	list, err := l.card.Objects(private)
	if l.during != nil {
		l.during()
	}
	return list, err
}

// An object that is destroyed while another application searches is not found, however the two meet.
func TestS24_DestroyedDuringSearch(t *testing.T) {
	d := newDesk(t)
	token := &listing{card: newCard(thing{id: 1, token: true}, thing{id: 2, token: true}, thing{id: 3, token: true, private: true})}
	d.m.Insert(3, token, session.Limits{})
	mine, theirs := d.open(d.a, 3, rw), d.open(d.b, 3, rw)
	d.login(d.a, mine, session.CKU_USER)
	victim := d.found(d.b, theirs)[1]
	token.during = func() {
		token.during = nil
		d.want(d.b.DestroyObject(theirs, victim, func(session.Object) error { token.remove(1); return nil }), session.CKR_OK)
	}
	d.sees(d.a, mine, 2, 3)
	// Nor is a private one, when the application logs out meanwhile.
	token.during = func() {
		token.during = nil
		d.want(d.a.Logout(mine), session.CKR_OK)
	}
	d.sees(d.a, mine, 2)
	// A token that never comes to rest still gets its answer.
	token.during = func() { d.m.ForgetObject(3, thing{id: 9}) }
	d.sees(d.a, mine, 2)
}

// The last of several objects has no room: none is made, and what they had taken is given back.
func TestS5_AllOrNone(t *testing.T) {
	m := session.NewManager(session.Options{HandleBits: 8}) // 31 objects at once
	m.Insert(1, newCard(), session.Limits{})
	a := m.NewApplication()
	h, err := a.OpenSession(1, rw, nil)
	if err != nil {
		t.Fatal(err)
	}
	kinds := make([]session.ObjectKind, 40)
	_, err = a.CreateObjects(h, kinds, func() ([]session.Object, error) {
		list := make([]session.Object, len(kinds))
		for i := range list {
			list[i] = thing{id: i}
		}
		return list, nil
	})
	if session.Code(err) != session.CKR_DEVICE_MEMORY {
		t.Error(err)
	}
	if err := m.Check(); err != nil {
		t.Error(err)
	}
	if _, err := a.CreateObject(h, session.PublicSessionObject, func() (session.Object, error) { return thing{}, nil }); err != nil {
		t.Error(err)
	}
}

// What cannot be told from others has no handle, and does no harm.
func TestS24_IdentityMustCompare(t *testing.T) {
	d := newDesk(t)
	d.m.Insert(3, odd{newCard()}, session.Limits{})
	d.want(d.a.FindInit(d.open(d.a, 3, ro), anything), session.CKR_GENERAL_ERROR)
	d.m.ForgetObject(3, blob{1, 2})
}

type odd struct{ *card }

func (odd) Objects(bool) ([]session.Object, error) { return []session.Object{blob{1, 2}}, nil }

type blob []byte

func (blob) Token() bool   { return true }
func (blob) Private() bool { return false }
