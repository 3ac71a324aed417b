package session_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cardbridge/session"
)

// walker is one of several goroutines that do whatever comes to their mind, with the same applications and tokens.
type walker struct {
	*rand.Rand
	m        *session.Manager
	cards    []*card
	apps     []*atomic.Pointer[session.Application]
	sessions [2][]session.SessionHandle // by application: handles this walker was given, open or not
	objects  [2][]session.ObjectHandle
	given    *sync.Map // every handle of all walkers (S23)
	ids      *atomic.Int64
	counts   map[session.RV]int
}

// allowed is what a call may answer in such company. Anything else is not a defined code for it (S28).
var allowed = func() map[session.RV]bool {
	codes := make(map[session.RV]bool)
	for _, rv := range []session.RV{
		session.CKR_OK, session.CKR_SESSION_HANDLE_INVALID, session.CKR_OBJECT_HANDLE_INVALID, session.CKR_KEY_HANDLE_INVALID,
		session.CKR_SESSION_CLOSED, session.CKR_DEVICE_REMOVED, session.CKR_TOKEN_NOT_PRESENT, session.CKR_CRYPTOKI_NOT_INITIALIZED,
		session.CKR_SESSION_READ_ONLY, session.CKR_SESSION_READ_ONLY_EXISTS, session.CKR_SESSION_READ_WRITE_SO_EXISTS,
		session.CKR_SESSION_COUNT, session.CKR_USER_NOT_LOGGED_IN, session.CKR_USER_ALREADY_LOGGED_IN,
		session.CKR_USER_ANOTHER_ALREADY_LOGGED_IN, session.CKR_PIN_INCORRECT, session.CKR_OPERATION_ACTIVE,
		session.CKR_OPERATION_NOT_INITIALIZED, session.CKR_FUNCTION_CANCELED, session.CKR_FUNCTION_FAILED, session.CKR_BUFFER_TOO_SMALL, session.CKR_NO_EVENT,
	} {
		codes[rv] = true
	}
	return codes
}()

func (w *walker) walk(steps int) error {
	for range steps {
		err := w.step()
		code := session.Code(err)
		w.counts[code]++
		if !allowed[code] {
			return err
		}
		if w.IntN(64) == 0 {
			runtime.Gosched()
		}
	}
	return nil
}

func (w *walker) step() error {
	app := w.IntN(2)
	a := w.apps[app].Load()
	slot := session.SlotID(w.IntN(len(w.cards)))
	pick := func(n int) int { return w.IntN(n) }
	var h session.SessionHandle
	if list := w.sessions[app]; len(list) > 0 {
		h = list[max(0, len(list)-1-pick(8))] // mostly young ones: those are open
	}
	var o session.ObjectHandle
	if list := w.objects[app]; len(list) > 0 {
		o = list[max(0, len(list)-1-pick(8))]
	}
	switch pick(28) {
	case 0, 1, 2, 3:
		flags := ro
		if pick(2) == 0 {
			flags = rw
		}
		h, err := a.OpenSession(slot, flags, nil)
		if err == nil {
			w.sessions[app] = append(w.sessions[app], h)
			return w.fresh(a, "session", uint64(h))
		}
		return err
	case 4, 5:
		return a.CloseSession(h)
	case 6, 7:
		return a.Login(h, session.UserType(pick(2)), good)
	case 8:
		return a.Logout(h)
	case 9, 10, 11:
		kind := session.ObjectKind(pick(4))
		t := thing{id: int(w.ids.Add(1)), token: kind.Token(), private: kind.Private(), always: pick(2) == 0}
		o, err := a.CreateObject(h, kind, func() (session.Object, error) { return t, nil })
		if err == nil {
			w.objects[app] = append(w.objects[app], o)
			return w.fresh(a, "object", uint64(o))
		}
		return err
	case 12:
		return a.DestroyObject(h, o, unchanged)
	case 13:
		return a.ModifyObject(h, o, unchanged)
	case 14:
		if err := a.FindInit(h, anything); err != nil {
			return err
		}
		if _, err := a.Find(h, 100); err != nil {
			return err
		}
		return a.FindFinal(h)
	case 15:
		return a.Begin(h, session.OpSign, 0, nothing)
	case 16:
		return a.Begin(h, session.OpSign, o, nothing)
	case 17:
		return a.Finish(h, session.OpSign, works)
	case 18:
		return a.SessionCancel(h, session.CKF_SIGN|session.CKF_FIND_OBJECTS)
	case 20:
		return a.Do(h, func() error { return nil })
	case 21:
		return a.Begin(h, session.OpEncrypt, o, nothing)
	case 22:
		return a.Update(h, session.OpEncrypt, func(*session.Operation) error { return ways[[]string{"works", "small"}[pick(2)]] })
	case 23:
		return a.Login(h, session.CKU_CONTEXT_SPECIFIC, good)
	case 19:
		info, err := a.SessionInfo(h)
		if err == nil && info.State.Login() == session.SO && !info.State.ReadWrite() {
			return fmt.Errorf("a R/O SO session")
		}
		return err
	default:
		return w.rare(a, app, slot)
	}
}

func (w *walker) rare(a *session.Application, app int, slot session.SlotID) error {
	switch w.IntN(200) {
	case 0:
		w.m.Remove(slot)
	case 1, 2:
		w.m.Insert(slot, w.cards[slot], session.Limits{Sessions: 40})
	case 3:
		return a.CloseAllSessions(slot)
	case 4:
		if w.IntN(10) > 0 {
			return nil
		}
		err := a.Close()
		if err == nil {
			w.apps[app].Store(w.m.NewApplication())
		}
		return err
	case 5:
		_, err := a.WaitForSlotEvent(false)
		return err
	case 6:
		err := w.m.InitToken(slot, func(session.Token) error { runtime.Gosched(); return nil })
		if session.Code(err) == session.CKR_SESSION_EXISTS {
			return nil
		}
		return err
	}
	return nil
}

type givenKey struct {
	a    *session.Application
	sort string
	h    uint64
}

func (w *walker) fresh(a *session.Application, sort string, h uint64) error {
	if _, seen := w.given.LoadOrStore(givenKey{a, sort, h}, true); seen || h == 0 {
		return fmt.Errorf("%s handle %d again", sort, h)
	}
	return nil
}

// TestConcurrentWalks lets eight goroutines walk at random in two applications with three tokens that come and go, and
// looks at everything inside whenever all of them pause.
func TestConcurrentWalks(t *testing.T) {
	rounds, steps := 100, 5000
	if raceEnabled {
		rounds, steps = 40, 2500
	}
	if testing.Short() {
		rounds = 5
	}
	m := session.NewManager(session.Options{})
	var cards []*card
	for slot := range 3 {
		cards = append(cards, newCard(thing{id: -1 - 2*slot, token: true}, thing{id: -2 - 2*slot, token: true, private: true}))
		m.Insert(session.SlotID(slot), cards[slot], session.Limits{})
	}
	apps := []*atomic.Pointer[session.Application]{new(atomic.Pointer[session.Application]), new(atomic.Pointer[session.Application])}
	for _, a := range apps {
		a.Store(m.NewApplication())
	}
	var given sync.Map
	var ids atomic.Int64
	walkers := make([]*walker, 8)
	for i := range walkers {
		walkers[i] = &walker{
			Rand: rand.New(rand.NewPCG(uint64(i), 7)), m: m, cards: cards, apps: apps, given: &given, ids: &ids,
			counts: make(map[session.RV]int),
		}
	}
	for range rounds {
		var all sync.WaitGroup
		for _, w := range walkers {
			all.Go(func() {
				if err := w.walk(steps); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := m.Check(); err != nil {
			t.Fatal(err)
		}
		for slot := range cards {
			m.Insert(session.SlotID(slot), cards[slot], session.Limits{})
		}
	}
	total := make(map[string]int)
	for _, w := range walkers {
		for rv, n := range w.counts {
			total[rv.Name()] += n
		}
	}
	t.Logf("%d steps in %d rounds: %v", len(walkers)*rounds*steps, rounds, total)
}

// TestS10_NoHalfDoneLogin looks at three sessions and a private object, over and over, while another thread logs in and
// out. While one change is under way, what is seen may change once, from old to new, and never back.
func TestS10_NoHalfDoneLogin(t *testing.T) {
	d := newDesk(t)
	d.m.Insert(1, lazyCard{d.card[1]}, session.Limits{})
	s := []session.SessionHandle{d.open(d.a, 1, ro), d.open(d.a, 1, rw), d.open(d.a, 1, ro)}
	var object atomic.Uint64 // made in this login
	var version atomic.Int64 // odd while a change is under way
	loggedIn := func(i int) bool {
		if i == len(s) {
			_, err := d.a.Object(s[0], session.ObjectHandle(object.Load()))
			return err == nil
		}
		info, err := d.a.SessionInfo(s[i])
		if err != nil {
			t.Error(err)
		}
		return info.State.Login() == session.User
	}
	var stop atomic.Bool
	var watchers sync.WaitGroup
	var looks, changed atomic.Int64
	for range 3 {
		watchers.Go(func() {
			for !stop.Load() {
				runtime.Gosched()
				before := version.Load()
				var seen [12]bool
				for i := range seen {
					seen[i] = loggedIn(i % (len(s) + int(before/2%2))) // the object is only looked at during a logout
				}
				if version.Load() != before {
					continue
				}
				changes := 0
				for i := range seen[1:] {
					if seen[i+1] != seen[i] {
						changes++
					}
				}
				if changes > int(before%2) {
					t.Errorf("seen at version %d: %v", before, seen)
				}
				looks.Add(before % 2)
				changed.Add(int64(changes))
			}
		})
	}
	// 200 changes seen take a moment; who is slow gets a few seconds, and the
	// first gets minutes.
	deadline := time.Now().Add(5 * time.Second)
	for changed.Load() < 200 && (time.Now().Before(deadline) || changed.Load() == 0 && time.Now().Before(deadline.Add(3*time.Minute))) {
		version.Add(1)
		d.login(d.a, s[0], session.CKU_USER)
		object.Store(uint64(d.made(d.a, s[1], thing{id: 1, private: true})))
		version.Add(1)
		version.Add(1)
		if err := d.a.Logout(s[2]); err != nil {
			t.Error(err)
		}
		version.Add(1)
	}
	stop.Store(true)
	watchers.Wait()
	t.Logf("%d looks during a change, %d of which saw it happen", looks.Load(), changed.Load())
	if changed.Load() == 0 {
		t.Error("no change was seen")
	}
}

// lazyCard gives others time to look.
type lazyCard struct{ *card }

func (c lazyCard) Login(user session.UserType, name string, pin []byte) error {
	runtime.Gosched()
	return c.card.Login(user, name, pin)
}

func (c lazyCard) Logout(user session.UserType) error {
	err := c.card.Logout(user)
	runtime.Gosched()
	return err
}

// TestS28_OneSessionManyThreads: the steps of one session never run at the same time, and every call gets a defined code.
func TestS28_OneSessionManyThreads(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.a, 1, rw)
	var inside atomic.Int32
	var ran atomic.Int64
	step := func() {
		if inside.Add(1) != 1 {
			t.Error("two steps at once")
		}
		runtime.Gosched()
		inside.Add(-1)
		ran.Add(1)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for range 500 {
				var err error
				switch random.IntN(5) {
				case 0:
					err = d.a.Begin(h, session.OpDigest, 0, func(session.Object) (any, error) { step(); return nil, nil })
				case 1:
					err = d.a.Update(h, session.OpDigest, func(*session.Operation) error { step(); return nil })
				case 2:
					err = d.a.Finish(h, session.OpDigest, func(*session.Operation) error { step(); return nil })
				case 3:
					err = d.a.Do(h, func() error { step(); return nil })
				case 4:
					err = d.a.Cancel(h, session.OpDigest)
				}
				if !allowed[session.Code(err)] {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if ran.Load() == 0 {
		t.Error("no step ran")
	}
}

// stuck is a token whose login does not come back until it is told to.
type stuck struct {
	*card
	entered chan struct{}
	release chan struct{}
}

func newStuck() *stuck {
	return &stuck{card: newCard(), entered: make(chan struct{}, 8), release: make(chan struct{})}
}

func (s *stuck) Login(user session.UserType, name string, pin []byte) error {
	s.entered <- struct{}{}
	<-s.release
	return s.card.Login(user, name, pin)
}

// soon fails a test whose calls hang, without measuring how long they take.
func soon(t *testing.T, what string, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(3 * time.Minute):
		t.Fatal(what, "hangs")
		return nil
	}
}

func async(call func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	return done
}

// A token that waits for a touch holds up nobody who does not need it.
func TestSlowTokenBlocksOnlyItself(t *testing.T) {
	d := newDesk(t)
	slow := newStuck()
	d.m.Insert(3, slow, session.Limits{})
	h, spare, theirs := d.open(d.a, 3, rw), d.open(d.a, 3, rw), d.open(d.b, 3, rw)
	first := async(func() error { return d.a.Login(h, session.CKU_USER, good) })
	<-slow.entered
	second := async(func() error { return d.b.Login(theirs, session.CKU_USER, good) }) // needs the token: waits
	err := soon(t, "a call without need of the token", async(func() error {
		d.login(d.a, d.open(d.a, 1, rw), session.CKU_USER) // another token
		d.state(d.a, h, session.CKS_RW_PUBLIC_SESSION)     // not yet
		more := d.open(d.a, 3, ro)
		d.exists(d.a, more, d.made(d.a, more, thing{id: 1}), true)
		d.want(d.a.Logout(h), session.CKR_USER_NOT_LOGGED_IN)
		d.want(d.a.Begin(h, session.OpDigest, 0, nothing), session.CKR_OK)
		d.want(d.a.Finish(h, session.OpDigest, works), session.CKR_OK)
		d.found(d.a, spare)
		d.want(d.a.CloseSession(spare), session.CKR_OK)
		if n, err := d.a.SessionCounts(3); n.Sessions != 2 || err != nil {
			t.Error(n, err)
		}
		d.m.Insert(2, d.card[2], session.Limits{})
		_, err := d.a.WaitForSlotEvent(true)
		return err
	}))
	d.want(err, session.CKR_OK)
	d.m.Remove(3)
	if code := session.Code(soon(t, "a waiter after removal", second)); code != session.CKR_DEVICE_REMOVED && code != session.CKR_SESSION_HANDLE_INVALID {
		t.Error("the waiter got", code)
	}
	d.want(soon(t, "finalize", async(d.b.Close)), session.CKR_OK)
	close(slow.release)
	d.want(soon(t, "the login itself", first), session.CKR_DEVICE_REMOVED)
}

// A R/O session that was opened while the SO's PIN was looked at wins: the SO is not logged in, and the token is told so.
func TestS11_ReadOnlySessionDuringLogin(t *testing.T) {
	d := newDesk(t)
	slow := newStuck()
	d.m.Insert(3, slow, session.Limits{})
	h := d.open(d.a, 3, rw)
	login := async(func() error { return d.a.Login(h, session.CKU_SO, good) })
	<-slow.entered
	d.open(d.a, 3, ro)
	close(slow.release)
	d.want(soon(t, "login", login), session.CKR_SESSION_READ_ONLY_EXISTS)
	if slow.loggedIn(session.CKU_SO) {
		t.Error("the token is still logged in")
	}
	if err := d.m.Check(); err != nil {
		t.Error(err)
	}
}

// Nothing waits for a step that is stuck, but the next step in the same session; and that only as long as there is hope.
func TestS28_StuckStep(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(*desk, session.SessionHandle) error
		want session.RV // for the stuck call and the one that waits
	}{
		"close":    {func(d *desk, h session.SessionHandle) error { return d.a.CloseSession(h) }, session.CKR_SESSION_CLOSED},
		"remove":   {func(d *desk, _ session.SessionHandle) error { d.m.Remove(1); return nil }, session.CKR_DEVICE_REMOVED},
		"finalize": {func(d *desk, _ session.SessionHandle) error { return d.a.Close() }, session.CKR_CRYPTOKI_NOT_INITIALIZED},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			h := d.open(d.a, 1, rw)
			d.want(d.a.Begin(h, session.OpSign, 0, nothing), session.CKR_OK)
			entered, release := make(chan struct{}), make(chan struct{})
			first := async(func() error {
				return d.a.Finish(h, session.OpSign, func(*session.Operation) error { close(entered); <-release; return nil })
			})
			<-entered
			second := async(func() error { return d.a.Finish(h, session.OpSign, works) })
			d.want(soon(t, name, async(func() error { return end.do(d, h) })), session.CKR_OK)
			if code := session.Code(soon(t, "the waiter", second)); code != end.want && code != session.CKR_SESSION_HANDLE_INVALID {
				t.Error("the waiter got", code)
			}
			close(release)
			d.want(soon(t, "the step", first), end.want)
		})
	}
}

func TestS27_CancelDoesNotWait(t *testing.T) {
	d := newDesk(t)
	h := d.open(d.a, 1, rw)
	d.want(d.a.Begin(h, session.OpSign, 0, nothing), session.CKR_OK)
	entered, release := make(chan struct{}), make(chan struct{})
	stuck := async(func() error {
		return d.a.Finish(h, session.OpSign, func(*session.Operation) error { close(entered); <-release; return nil })
	})
	<-entered
	d.want(soon(t, "cancel", async(func() error { return d.a.SessionCancel(h, session.CKF_SIGN) })), session.CKR_OK)
	close(release)
	d.want(soon(t, "the step", stuck), session.CKR_FUNCTION_CANCELED)
	d.want(d.a.Begin(h, session.OpSign, 0, nothing), session.CKR_OK)
}
