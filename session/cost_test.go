package session_test

import (
	"runtime"
	"testing"

	"cardbridge/session"
)

// What can be counted is a test; what can only be timed is a benchmark.

// crowd opens n sessions, spread over applications.
func crowd(tb testing.TB, m *session.Manager, apps, n int) []*session.Application {
	tb.Helper()
	list := make([]*session.Application, apps)
	for i := range list {
		list[i] = m.NewApplication()
	}
	for i := range n {
		// Of every application, at both tokens, of both kinds.
		turn := i / apps
		flags := ro
		if turn/2%2 == 0 {
			flags = rw
		}
		if _, err := list[i%apps].OpenSession(session.SlotID(turn%2), flags, nil); err != nil {
			tb.Fatal(err)
		}
	}
	return list
}

func twoSlots() *session.Manager {
	m := session.NewManager(session.Options{})
	for slot := range session.SlotID(2) {
		m.Insert(slot, newCard(), session.Limits{})
	}
	return m
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func TestCostBytesPerSession(t *testing.T) {
	const n = 200_000
	m := twoSlots()
	before := heap()
	apps := crowd(t, m, 4, n)
	per := float64(heap()-before) / n
	t.Logf("%.1f bytes a session", per)
	if per > 200 {
		t.Error("more than 200 bytes a session")
	}
	runtime.KeepAlive(apps)
}

func TestCostAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, too")
	}
	m := twoSlots()
	a := crowd(t, m, 1, 1000)[0]
	h, err := a.OpenSession(0, rw, nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err := a.CreateObject(h, session.PublicSessionObject, func() (session.Object, error) { return &thing{id: 1}, nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"session info", func() error { _, err := a.SessionInfo(h); return err }},
		{"session token", func() error { _, err := a.SessionToken(h); return err }},
		{"object", func() error { _, err := a.Object(h, o); return err }},
		{"open and close", func() error {
			h, err := a.OpenSession(1, ro, nil)
			if err != nil {
				return err
			}
			return a.CloseSession(h)
		}},
	} {
		n := testing.AllocsPerRun(1000, func() {
			if err := c.do(); err != nil {
				t.Error(err)
			}
		})
		if n != 0 {
			t.Errorf("%s allocates %v times", c.name, n)
		}
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = a.SessionInfo(999999) }); n != 0 {
		t.Errorf("a refusal allocates %v times", n)
	}
}

// A handle that is used and given back a million times leaves nothing behind.
func TestCostNothingLeftBehind(t *testing.T) {
	m := twoSlots()
	a := crowd(t, m, 1, 1)[0]
	work := func(n int) {
		for range n {
			h, err := a.OpenSession(0, rw, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.CreateObject(h, session.PublicSessionObject, func() (session.Object, error) { return thing{}, nil }); err != nil {
				t.Fatal(err)
			}
			if err := a.Begin(h, session.OpDigest, 0, nothing); err != nil {
				t.Fatal(err)
			}
			if err := a.CloseSession(h); err != nil {
				t.Fatal(err)
			}
		}
	}
	work(100)
	before := heap()
	work(20_000)
	if after := heap(); after > before+100_000 {
		t.Errorf("%d bytes left behind", after-before)
	}
	runtime.KeepAlive(a)
}

// Logging in and out, destroying a key and opening and closing beside others do not go along all sessions: in a ring of
// them that would never end.
func TestCostOnlyWhatMustBeTouched(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.a, 1, rw)
	for range 100 {
		d.open(d.a, 1, rw)
	}
	untangle := d.a.Tangle(h)
	err := soon(t, "a walk along all sessions", async(func() error {
		for _, user := range []session.UserType{session.CKU_USER, session.CKU_SO} {
			d.login(d.a, h, user)
			d.want(d.a.Logout(h), session.CKR_OK)
		}
		d.login(d.a, h, session.CKU_USER)
		for _, kind := range []thing{{id: 1}, {id: 2, private: true}, {id: 3, token: true}} {
			key := d.made(d.a, h, kind)
			d.want(d.a.Begin(h, session.OpSign, key, nothing), session.CKR_OK)
			d.want(d.a.DestroyObject(h, key, nil), session.CKR_OK)
			d.want(d.a.Finish(h, session.OpSign, works), session.CKR_OPERATION_NOT_INITIALIZED)
		}
		d.found(d.a, h)
		return d.a.CloseSession(d.open(d.a, 1, ro))
	}))
	d.want(err, session.CKR_OK)
	untangle()
}
