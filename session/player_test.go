package session_test

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"cardbridge/session"
	"cardbridge/session/internal/model"
)

// thing is an object that can be told from others by its number. A token makes a new value of it for each list, as tokens
// that read cards do.
type thing struct {
	id             int
	token, private bool
	always, frozen bool
}

func (t thing) Token() bool              { return t.token }
func (t thing) Private() bool            { return t.private }
func (t thing) Identity() any            { return t.id }
func (t thing) AlwaysAuthenticate() bool { return t.always }
func (t thing) Modifiable() bool         { return !t.frozen }
func (t thing) Destroyable() bool        { return !t.frozen }

// card is a token in memory. Its PIN is "good".
type card struct {
	mu     sync.Mutex
	things []thing
	in     map[session.UserType]bool // who the card thinks is logged in
	calls  int
}

func newCard(things ...thing) *card {
	return &card{things: things, in: make(map[session.UserType]bool)}
}

func (c *card) Login(user session.UserType, _ string, pin []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if string(pin) != "good" {
		return session.CKR_PIN_INCORRECT
	}
	c.in[user] = true
	return nil
}

func (c *card) Logout(user session.UserType) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.in[user] = false
	return nil
}

func (c *card) loggedIn(user session.UserType) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in[user]
}

// pulled is what a card is after it left its reader.
func (c *card) pulled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.in)
}

func (c *card) Objects(private bool) ([]session.Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	var list []session.Object
	for _, t := range c.things {
		if private || !t.private {
			list = append(list, t)
		}
	}
	return list, nil
}

func (c *card) add(t thing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.things = append(c.things, t)
}

func (c *card) remove(id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.things = slices.DeleteFunc(c.things, func(t thing) bool { return t.id == id })
}

// player carries out the model's commands on the real manager. Sessions and handles go by the numbers the commands use.
type player struct {
	m        *session.Manager
	cards    []*card
	limits   []session.Limits
	apps     []*session.Application
	sessions []map[int]session.SessionHandle // by application
	handles  []map[int]session.ObjectHandle
	made     []map[int]session.ObjectHandle // by the object's number
	given    []map[uint64]string            // every handle an application ever got (S23)
}

func newPlayer(o session.Options, apps int, limits ...session.Limits) *player {
	p := &player{m: session.NewManager(o), limits: limits}
	for slot, l := range limits {
		p.cards = append(p.cards, newCard())
		p.m.Insert(session.SlotID(slot), p.cards[slot], l)
	}
	p.apps = make([]*session.Application, apps)
	p.sessions = make([]map[int]session.SessionHandle, apps)
	p.handles = make([]map[int]session.ObjectHandle, apps)
	p.made = make([]map[int]session.ObjectHandle, apps)
	p.given = make([]map[uint64]string, apps)
	for app := range apps {
		p.initialize(app)
	}
	return p
}

func (p *player) initialize(app int) {
	p.apps[app] = p.m.NewApplication()
	p.sessions[app] = make(map[int]session.SessionHandle)
	p.handles[app] = make(map[int]session.ObjectHandle)
	p.made[app] = make(map[int]session.ObjectHandle)
	p.given[app] = make(map[uint64]string)
}

// hit is an object that a search found.
type hit struct {
	object int
	handle session.ObjectHandle
}

// outcome is what the real manager answered.
type outcome struct {
	err     error
	session session.SessionHandle
	handle  session.ObjectHandle
	hits    []hit
}

func (o outcome) code() string { return session.Code(o.err).Name() }

// fresh tells whether a handle was never given to the application before.
func (p *player) fresh(app int, sort string, h uint64) bool {
	key := h<<1 | uint64(len(sort)&1) // "session" and "object" differ in it
	_, seen := p.given[app][key]
	p.given[app][key] = ""
	return !seen && h != session.CK_INVALID_HANDLE
}

// sessionOf is the handle behind a number: the application's own, or another application's, as step 8 of the chapter's
// example wants it.
func (p *player) sessionOf(app, id int) session.SessionHandle {
	if h, ok := p.sessions[app][id]; ok {
		return h
	}
	for _, others := range p.sessions {
		if h, ok := others[id]; ok {
			return h
		}
	}
	return 0
}

var users = map[string]session.UserType{"so": session.CKU_SO, "user": session.CKU_USER}

var kinds = map[string]session.ObjectKind{
	"public-session": session.PublicSessionObject, "private-session": session.PrivateSessionObject,
	"public-token": session.PublicTokenObject, "private-token": session.PrivateTokenObject,
}

var ops = func() map[string]session.OpKind {
	byName := make(map[string]session.OpKind)
	for _, k := range session.OpKinds() {
		byName[k.String()] = k
	}
	return byName
}()

var ways = map[string]error{"works": nil, "": nil, "small": session.CKR_BUFFER_TOO_SMALL, "fails": session.CKR_DEVICE_ERROR}

// play carries out one command. object is the number of the object it makes, if it makes one.
func (p *player) play(c model.Command, object int) (o outcome) {
	a, s, h := p.apps[c.App], p.sessionOf(c.App, c.Session), p.handles[c.App][c.Handle]
	slot := session.SlotID(c.Slot)
	switch c.Verb {
	case "insert":
		p.cards[c.Slot].pulled()
		p.m.Insert(slot, p.cards[c.Slot], p.limits[c.Slot])
	case "remove":
		p.m.Remove(slot)
		p.cards[c.Slot].pulled()
	case "card":
		p.m.Wait()
		if p.cards[c.Slot].loggedIn(users[c.Kind]) != (c.How == "in") {
			o.err = fmt.Errorf("the card's %s is not logged %s", c.Kind, c.How)
		}
	case "final":
		o.err = a.Close()
		p.initialize(c.App)
	case "open":
		flags := session.CKF_SERIAL_SESSION
		if c.Kind == "rw" {
			flags |= session.CKF_RW_SESSION
		}
		if c.How == "parallel" {
			flags &^= session.CKF_SERIAL_SESSION
		}
		o.session, o.err = a.OpenSession(slot, flags, nil)
	case "closeall":
		o.err = a.CloseAllSessions(slot)
	case "close":
		o.err = a.CloseSession(s)
	case "login":
		o.err = a.Login(s, users[c.Kind], []byte(c.How))
	case "context":
		o.err = a.Login(s, session.CKU_CONTEXT_SPECIFIC, []byte(c.How))
	case "logout":
		o.err = a.Logout(s)
	case "info":
		var info session.Info
		info, o.err = a.SessionInfo(s)
		if o.err == nil && c.Kind != "" && info.State.String() != infoNames[c.Kind] {
			o.err = fmt.Errorf("state is %v", info.State)
		}
	case "create":
		o.handle, o.err = p.create(a, s, c, object)
		p.made[c.App][object] = o.handle
	case "read":
		_, o.err = a.Object(s, h)
	case "modify":
		o.err = a.ModifyObject(s, h, func(session.Object) error { return nil })
	case "destroy":
		o.err = a.DestroyObject(s, h, func(victim session.Object) error {
			for _, card := range p.cards {
				card.remove(victim.(thing).id)
			}
			return nil
		})
	default:
		p.playOp(a, s, h, c, &o)
	}
	return o
}

var infoNames = map[string]string{
	"ro-public": "R/O Public Session", "ro-user": "R/O User Functions",
	"rw-public": "R/W Public Session", "rw-user": "R/W User Functions", "rw-so": "R/W SO Functions",
}

func (p *player) create(a *session.Application, s session.SessionHandle, c model.Command, object int) (session.ObjectHandle, error) {
	kind := kinds[c.Kind]
	return a.CreateObject(s, kind, func() (session.Object, error) {
		t := thing{id: object, token: kind.Token(), private: kind.Private(), always: c.How == "always", frozen: c.How == "frozen"}
		if t.token {
			info, err := a.SessionInfo(s)
			if err != nil {
				return nil, err
			}
			p.cards[info.Slot].add(t)
		}
		return t, nil
	})
}

func (p *player) playOp(a *session.Application, s session.SessionHandle, h session.ObjectHandle, c model.Command, o *outcome) {
	kind := ops[c.Kind]
	step := func(*session.Operation) error { return ways[c.How] }
	all := func(session.Object) bool { return true }
	switch {
	case c.Verb == "search":
		if o.err = a.FindInit(s, all); o.err != nil {
			return
		}
		for {
			found, err := a.Find(s, 2)
			if err != nil {
				o.err = err
				return
			}
			p.addHits(a, s, found, o)
			if len(found) < 2 {
				break
			}
		}
		o.err = a.FindFinal(s)
	case c.Verb == "find":
		var found []session.ObjectHandle
		found, o.err = a.Find(s, 1000)
		p.addHits(a, s, found, o)
	case c.Verb == "begin" && c.Kind == "find":
		o.err = p.beginFind(c.App, s, o)
	case c.Verb == "begin":
		if c.Handle != 0 && h == 0 {
			o.err = session.CKR_KEY_HANDLE_INVALID // a number without a handle: the caller has none to give
			return
		}
		o.err = a.Begin(s, kind, h, func(session.Object) (any, error) { return nil, nil })
	case c.Verb == "finish" && c.Kind == "find":
		o.err = a.FindFinal(s)
	case c.Verb == "query":
		o.err = a.Query(s, kind, step)
	case c.Verb == "update":
		o.err = a.Update(s, kind, step)
	case c.Verb == "finish":
		o.err = a.Finish(s, kind, step)
	case c.Verb == "cancel":
		o.err = a.Cancel(s, kind)
	case c.Verb == "cancelall":
		o.err = a.SessionCancel(s, ^session.Flags(0))
	default:
		panic("no such verb: " + c.Verb)
	}
}

// beginFind also tells what was found: the search itself does so only later.
func (p *player) beginFind(app int, s session.SessionHandle, o *outcome) error {
	a := p.apps[app]
	var found []thing
	err := a.FindInit(s, func(obj session.Object) bool {
		found = append(found, obj.(thing))
		return true
	})
	if err != nil {
		return err
	}
	var handles []session.ObjectHandle
	for _, t := range found {
		h := p.made[app][t.id]
		if t.token {
			if h, err = a.ObjectHandle(s, t); err != nil {
				return err
			}
		}
		handles = append(handles, h)
	}
	p.addHits(a, s, handles, o)
	return o.err
}

func (p *player) addHits(a *session.Application, s session.SessionHandle, found []session.ObjectHandle, o *outcome) {
	for _, h := range found {
		obj, err := a.Object(s, h)
		if err != nil {
			o.err = fmt.Errorf("found %d, but cannot read it: %w", h, err)
			return
		}
		o.hits = append(o.hits, hit{obj.(thing).id, h})
	}
	slices.SortFunc(o.hits, func(a, b hit) int { return cmp.Compare(a.object, b.object) })
}
