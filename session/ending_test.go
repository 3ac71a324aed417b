package session_test

import (
	"sync/atomic"
	"testing"

	"cardbridge/session"
)

// purse is the state of an operation that takes a PIN and gives it up in the end.
type purse struct {
	during func() // an Authorize
	ends   atomic.Int32
}

func (p *purse) Authorize([]byte) error {
	if p.during != nil {
		p.during()
	}
	return nil
}

func (p *purse) End() { p.ends.Add(1) }

// endings are all the ways in which an operation ends without a step of its own.
var endings = []struct {
	name string
	end  func(d *desk, h, other session.SessionHandle, key session.ObjectHandle)
}{
	{"C_SessionCancel", func(d *desk, h, _ session.SessionHandle, _ session.ObjectHandle) {
		d.want(d.a.SessionCancel(h, session.CKF_SIGN), session.CKR_OK)
	}},
	{"C_SignInit with NULL", func(d *desk, h, _ session.SessionHandle, _ session.ObjectHandle) {
		d.want(d.a.Cancel(h, session.OpSign), session.CKR_OK)
	}},
	{"C_CloseSession", func(d *desk, h, _ session.SessionHandle, _ session.ObjectHandle) {
		d.want(d.a.CloseSession(h), session.CKR_OK)
	}},
	{"C_CloseAllSessions", func(d *desk, _, _ session.SessionHandle, _ session.ObjectHandle) {
		d.want(d.a.CloseAllSessions(1), session.CKR_OK)
	}},
	{"C_Logout", func(d *desk, _, other session.SessionHandle, _ session.ObjectHandle) {
		d.want(d.a.Logout(other), session.CKR_OK)
	}},
	{"C_DestroyObject", func(d *desk, _, other session.SessionHandle, key session.ObjectHandle) {
		d.want(d.a.DestroyObject(other, key, nil), session.CKR_OK)
	}},
	{"removal", func(d *desk, _, _ session.SessionHandle, _ session.ObjectHandle) { d.m.Remove(1) }},
	{"C_Finalize", func(d *desk, _, _ session.SessionHandle, _ session.ObjectHandle) {
		d.want(d.a.Close(), session.CKR_OK)
	}},
}

// begun is a session with an operation on a token's private key.
func (d *desk) begun(p *purse) (h, other session.SessionHandle, key session.ObjectHandle) {
	h, other = d.open(d.a, 1, rw), d.open(d.a, 1, rw)
	d.login(d.a, h, session.CKU_USER)
	key = d.made(d.a, h, thing{id: 77, token: true, private: true, always: true})
	d.want(d.a.Begin(h, session.OpSign, key, func(session.Object) (any, error) { return p, nil }), session.CKR_OK)
	return h, other, key
}

// What an operation holds goes with it at once, and once.
func TestEnder(t *testing.T) {
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			d, p := newDesk(t), &purse{}
			h, other, key := d.begun(p)
			d.want(d.a.Login(h, session.CKU_CONTEXT_SPECIFIC, good), session.CKR_OK)
			if p.ends.Load() != 0 {
				t.Error("ended too early")
			}
			e.end(d, h, other, key)
			if n := p.ends.Load(); n != 1 {
				t.Errorf("ended %d times", n)
			}
		})
		// While the PIN is being checked nobody waits for that; the end comes right after it.
		t.Run(e.name+" during the login", func(t *testing.T) {
			d, p := newDesk(t), &purse{}
			h, other, key := d.begun(p)
			p.during = func() {
				e.end(d, h, other, key)
				if p.ends.Load() != 0 {
					t.Error("ended under the login's hands")
				}
			}
			if err := d.a.Login(h, session.CKU_CONTEXT_SPECIFIC, good); err == nil {
				t.Error("the login succeeded")
			}
			if n := p.ends.Load(); n != 1 {
				t.Errorf("ended %d times", n)
			}
		})
	}
	for _, c := range []struct {
		name string
		step error
		ends int32
	}{{"last step", nil, 1}, {"failed step", session.CKR_DEVICE_ERROR, 1}, {"small buffer", session.CKR_BUFFER_TOO_SMALL, 0}} {
		t.Run(c.name, func(t *testing.T) {
			d, p := newDesk(t), &purse{}
			h, _, _ := d.begun(p)
			d.want(d.a.Login(h, session.CKU_CONTEXT_SPECIFIC, good), session.CKR_OK)
			d.want(d.a.Finish(h, session.OpSign, func(*session.Operation) error { return c.step }), session.Code(c.step))
			if n := p.ends.Load(); n != c.ends {
				t.Errorf("ended %d times, want %d", n, c.ends)
			}
		})
	}
	t.Run("never active", func(t *testing.T) {
		d, p := newDesk(t), &purse{}
		h := d.open(d.a, 1, rw)
		d.want(d.a.Begin(h, session.OpSign, 0, func(session.Object) (any, error) {
			d.want(d.a.CloseSession(h), session.CKR_OK)
			return p, nil
		}), session.CKR_SESSION_CLOSED)
		if n := p.ends.Load(); n != 1 {
			t.Errorf("ended %d times", n)
		}
	})
}

// Cancelling from many threads beside steps ends each operation just once.
func TestEnderConcurrent(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.a, 1, rw)
	done := make(chan struct{})
	cancelled := async(func() error {
		for {
			select {
			case <-done:
				return nil
			default:
				_ = d.a.SessionCancel(h, session.CKF_SIGN)
			}
		}
	})
	var purses []*purse
	for range 5000 {
		p := &purse{}
		d.want(d.a.Begin(h, session.OpSign, 0, func(session.Object) (any, error) { return p, nil }), session.CKR_OK)
		_ = d.a.Finish(h, session.OpSign, func(*session.Operation) error {
			if p.ends.Load() != 0 {
				t.Error("ended during a step")
			}
			return nil
		})
		purses = append(purses, p)
	}
	close(done)
	d.want(soon(t, "cancel", cancelled), session.CKR_OK)
	for i, p := range purses {
		if n := p.ends.Load(); n != 1 {
			t.Fatalf("operation %d ended %d times", i, n)
		}
	}
}
