package session

import (
	"slices"
	"sync"
	"sync/atomic"
)

type slot struct {
	id      SlotID
	present atomic.Pointer[presence] // nil while no token is there
}

// presence is one stay of a token in a slot. A token that comes back is a new presence, so nothing of the old one can
// come back with it (S20).
type presence struct {
	token  Token
	limits Limits

	dead atomic.Bool   // set by the removal: from this one step on, all sessions of all applications are closed
	gone chan struct{} // closed with it, for those who wait

	// turn is held during Login and Logout of the token. It is the only thing held during a token call, and nobody
	// waits for it who does not need the token's answer.
	turn chan struct{}

	sessions  atomic.Int64  // open ones of all applications; far below zero during InitToken
	destroyed atomic.Uint64 // token objects that went, to notice one that went during a search

	mu     sync.Mutex
	users  [numLogins]int  // applications logged in
	opened [numLogins]bool // what the token was told
}

const initialising = -1 << 40

func newPresence(t Token, l Limits) *presence {
	return &presence{token: t, limits: l, gone: make(chan struct{}), turn: make(chan struct{}, 1)}
}

// AddSlot makes a slot known, with no token in it. A slot stays known; adding it again does nothing.
func (m *Manager) AddSlot(id SlotID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addSlot(id)
}

func (m *Manager) addSlot(id SlotID) *slot {
	if s, err := m.slot(id); err == nil {
		return s
	}
	s := &slot{id: id}
	list := append(slices.Clip(*m.slots.Load()), s)
	m.slots.Store(&list)
	return s
}

// Slots lists the known slots in the order they were added.
func (m *Manager) Slots() []SlotID {
	var ids []SlotID
	for _, s := range *m.slots.Load() {
		ids = append(ids, s.id)
	}
	return ids
}

// Token is the token in a slot: CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_PRESENT.
func (m *Manager) Token(id SlotID) (Token, error) {
	p, err := m.presence(id)
	if err != nil {
		return nil, err
	}
	return p.token, nil
}

func (m *Manager) presence(id SlotID) (*presence, error) {
	s, err := m.slot(id)
	if err != nil {
		return nil, err
	}
	p := s.present.Load()
	if p == nil {
		return nil, CKR_TOKEN_NOT_PRESENT
	}
	return p, nil
}

// Insert says that a token was put into a slot, which becomes known if it was not. A token still there counts as removed
// first.
func (m *Manager) Insert(id SlotID, t Token, l Limits) {
	m.replace(id, newPresence(t, l))
}

// Remove says that the slot's token is gone: all sessions with it are closed and all applications logged out (S20), in
// one step for every thread. It never waits for the token.
func (m *Manager) Remove(id SlotID) {
	m.replace(id, nil)
}

func (m *Manager) replace(id SlotID, next *presence) {
	m.mu.Lock()
	s := m.addSlot(id)
	old := s.present.Swap(next)
	if old == nil && next == nil {
		m.mu.Unlock()
		return
	}
	old.end()
	apps := m.listed()
	m.mu.Unlock()
	// What follows is tidying up: nobody can reach it any more.
	for _, a := range apps {
		a.drop(old)
		a.events.post(id)
	}
}

// end is the one step of a removal.
func (p *presence) end() {
	if p == nil {
		return
	}
	p.dead.Store(true)
	close(p.gone)
}

// InitToken runs init while no session with the token is open and none can open (C_InitToken): CKR_SESSION_EXISTS. An
// application that opens one meanwhile is told CKR_FUNCTION_FAILED. When init has succeeded, all object handles of the
// token are invalid in every application.
func (m *Manager) InitToken(id SlotID, init func(Token) error) error {
	p, err := m.presence(id)
	if err != nil {
		return err
	}
	if !p.sessions.CompareAndSwap(0, initialising) {
		return CKR_SESSION_EXISTS
	}
	defer p.sessions.Add(-initialising) // of no use where the presence ends, but needed where init fails, or panics
	select {
	case p.turn <- struct{}{}: // a logout in the background may be under way
		defer p.passTurn()
	case <-p.gone:
		return CKR_DEVICE_REMOVED
	}
	err = init(p.token)
	if p.dead.Load() {
		return CKR_DEVICE_REMOVED
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	s := m.addSlot(id)
	if !s.present.CompareAndSwap(p, newPresence(p.token, p.limits)) {
		m.mu.Unlock()
		return CKR_DEVICE_REMOVED
	}
	p.end()
	apps := m.listed()
	m.mu.Unlock()
	for _, a := range apps {
		a.drop(p)
	}
	return nil
}
