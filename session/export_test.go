package session

import (
	"fmt"
	"maps"
)

// Check looks at everything inside the manager, at a moment when nothing is under way.
func (m *Manager) Check() error {
	m.Wait()
	users := make(map[*presence]*[numLogins]int)
	open := make(map[*presence]int64)
	for _, a := range m.everyone() {
		if err := a.check(users, open); err != nil {
			return err
		}
	}
	for _, s := range *m.slots.Load() {
		p := s.present.Load()
		if p == nil {
			continue
		}
		if users[p] == nil {
			users[p] = new([numLogins]int)
		}
		for l := range p.users {
			if p.users[l] != users[p][l] || p.opened[l] != (users[p][l] > 0) && Login(l) != Public {
				return fmt.Errorf("slot %d: %d applications are logged in as %d, %d counted, token told %v", s.id, users[p][l], l, p.users[l], p.opened[l])
			}
		}
		if n := p.sessions.Load(); n != open[p] {
			return fmt.Errorf("slot %d: %d sessions, %d counted", s.id, open[p], n)
		}
		if len(p.turn) != 0 {
			return fmt.Errorf("slot %d: someone still has the turn", s.id)
		}
	}
	return nil
}

func (a *Application) check(users map[*presence]*[numLogins]int, open map[*presence]int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	sessions, objects := 0, 0
	for p, b := range a.bound {
		if p.dead.Load() {
			return fmt.Errorf("bound to a token that is gone")
		}
		if (*a.bindings.Load())[b.index] != b {
			return fmt.Errorf("binding %d is not at its index", b.index)
		}
		login, logouts := b.who()
		if users[p] == nil {
			users[p] = new([numLogins]int)
		}
		if login != Public {
			users[p][login]++
		}
		n, err := a.checkSessions(b, login)
		if err != nil {
			return err
		}
		sessions += n
		open[p] += int64(n)
		if n == 0 && login != Public {
			return fmt.Errorf("logged in without a session (S13)")
		}
		if n, err = a.checkObjects(b, logouts); err != nil {
			return err
		}
		objects += n
	}
	if sessions != a.nSession || objects != a.nObject {
		return fmt.Errorf("%d sessions, %d counted; %d objects, %d counted", sessions, a.nSession, objects, a.nObject)
	}
	live := 0
	for _, chunk := range *a.sessions.chunks.Load() {
		for i := range chunk {
			if chunk[i].handle.Load() != 0 {
				live++
			}
		}
	}
	if live != sessions {
		return fmt.Errorf("%d sessions in lists, %d live", sessions, live)
	}
	for p, b := range a.bound {
		if err := a.checkKeysInUse(b); err != nil {
			return fmt.Errorf("%w at %v", err, p.token)
		}
	}
	for i := range a.extras {
		for h, x := range a.extras[i].m {
			if a.sessions.find(uint64(h)) == nil || x.h != h || len(x.turn) != 0 {
				return fmt.Errorf("session %d has left its operations behind", h)
			}
		}
	}
	return nil
}

func (a *Application) checkSessions(b *binding, login Login) (n int, err error) {
	var modes [numModes]int
	prev := uint32(0)
	for i := b.first; i != 0; n++ {
		c := a.sessions.cell(i)
		if a.sessions.find(c.last) != c || c.v.prev != prev {
			return 0, fmt.Errorf("session %d is in a list, but not as it should", c.last)
		}
		meta := c.v.meta.Load()
		if uint32(meta>>1) != b.index {
			return 0, fmt.Errorf("session %d is in another binding's list", c.last)
		}
		modes[meta&1]++
		prev, i = i, c.v.next
	}
	if modes != b.open {
		return 0, fmt.Errorf("%v sessions, counted %v", modes, b.open)
	}
	if login == SO && modes[readOnly] > 0 {
		return 0, fmt.Errorf("%d R/O sessions beside the SO (S11)", modes[readOnly])
	}
	return n, nil
}

func (a *Application) checkKeysInUse(b *binding) error {
	left := maps.Clone(b.inUse.by)
	for i := range a.extras {
		for _, x := range a.extras[i].m {
			for _, o := range x.ops {
				if o.key != nil && o.r.b == b {
					left[x]--
				}
			}
		}
	}
	for x, n := range left {
		if n != 0 {
			return fmt.Errorf("session %d: %d keys in use too many", x.h, n)
		}
	}
	return nil
}

// Tangle makes a ring of the list that a session is in, so that whoever walks along all sessions never comes to an end.
func (a *Application) Tangle(h SessionHandle) (untangle func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.session(h)
	if err != nil {
		panic(err)
	}
	last := a.sessions.cell(r.b.first)
	for last.v.next != 0 {
		last = a.sessions.cell(last.v.next)
	}
	last.v.next = r.b.first
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		last.v.next = 0
	}
}

func (a *Application) checkObjects(b *binding, logouts uint64) (n int, err error) {
	ids := 0
	for kind, first := range b.objects {
		var prev *object
		for o := first; o != nil; prev, o = o, o.next {
			n++
			c := a.objects.find(o.handle)
			if c == nil || c.v.Load() != o || o.prev != prev || o.b != b || o.kind != ObjectKind(kind) {
				return 0, fmt.Errorf("object %d is in a list, but not as it should", o.handle)
			}
			if o.kind.Private() && o.logouts != logouts {
				return 0, fmt.Errorf("private object %d has outlived a logout (S19)", o.handle)
			}
			if o.kind.Token() {
				ids++
				if b.ids[o.id] != o {
					return 0, fmt.Errorf("token object %d has two handles (S24)", o.handle)
				}
			} else if a.sessions.find(o.owner) == nil {
				return 0, fmt.Errorf("object %d is orphaned (S4)", o.handle)
			}
		}
	}
	if ids != len(b.ids) {
		return 0, fmt.Errorf("%d token objects, %d identities", ids, len(b.ids))
	}
	return n, nil
}
