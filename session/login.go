package session

// loginEvents says which event a user type's login is. Where it leads to is for the state table to say.
var loginEvents = map[UserType]Event{
	CKU_SO:   LogInSO,
	CKU_USER: LogInUser,
}

var userTypes = [numLogins]UserType{User: CKU_USER, SO: CKU_SO}

// Login is C_Login, including CKU_CONTEXT_SPECIFIC (S14). A nil pin means the token's own keypad. The PIN is passed to
// the token and not kept.
func (a *Application) Login(h SessionHandle, user UserType, pin []byte) error {
	return a.LoginUser(h, user, pin, "")
}

// LoginUser is C_LoginUser (3.0). The manager tells users of one type apart no more than the standard's states do: while
// one normal user is logged in, another gets CKR_USER_ALREADY_LOGGED_IN.
func (a *Application) LoginUser(h SessionHandle, user UserType, pin []byte, username string) error {
	if user == CKU_CONTEXT_SPECIFIC {
		return a.authorize(h, pin)
	}
	r, err := a.session(h)
	if err != nil {
		return err
	}
	event, ok := loginEvents[user]
	if !ok {
		return CKR_USER_TYPE_INVALID
	}
	// First without the token: who is logged in already need not wait to hear it.
	if _, err := a.after(r, event); err != nil {
		return err
	}
	if err := a.takeTurn(r); err != nil {
		return err
	}
	defer r.b.p.passTurn()
	next, err := a.after(r, event)
	if err != nil {
		return err
	}
	if err := r.b.p.token.Login(user, username, pin); err != nil {
		if gone := a.ended(r); gone != nil {
			return gone
		}
		return err
	}
	r.b.p.told(next)
	if err := a.commitLogin(r, event); err != nil {
		// What the token was told has to be taken back, unless another application is logged in.
		_ = r.b.p.tellLogout(next)
		return err
	}
	return nil
}

// after asks the state table who is logged in after an event, or why it may not happen. It happens to all sessions that share
// the login: the R/O ones have a word in it even if the caller's is R/W (S11).
func (a *Application) after(r ref, e Event) (Login, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.afterLocked(r, e)
}

func (a *Application) afterLocked(r ref, e Event) (next Login, err error) {
	if err := a.ended(r); err != nil {
		return 0, err
	}
	login, _ := r.b.who()
	for mode, n := range r.b.open {
		if n == 0 {
			continue
		}
		o := transitions[opening[login][mode].Next][e]
		if o.Refused != CKR_OK {
			return 0, o.Refused
		}
		next = o.Next.Login()
	}
	return next, nil
}

// commitLogin changes the state of all sessions in one store (S10). While the token thought, another thread may have
// opened a R/O session, or closed this one.
func (a *Application) commitLogin(r ref, e Event) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	next, err := a.afterLocked(r, e)
	if err != nil {
		return err
	}
	_, logouts := r.b.who()
	r.b.p.mu.Lock()
	r.b.p.users[next]++
	r.b.p.mu.Unlock()
	r.b.login.Store(logouts<<2 | uint64(next))
	return nil
}

// Logout is C_Logout: all sessions with the token become public ones, private session objects are destroyed, and handles
// of private objects become invalid for good (S10, S19). If the application was the last one logged in there, the token
// is told, and its error returned; the application is logged out even so.
func (a *Application) Logout(h SessionHandle) error {
	r, err := a.session(h)
	if err != nil {
		return err
	}
	a.mu.Lock()
	if _, err := a.afterLocked(r, LogOut); err != nil {
		a.mu.Unlock()
		if Code(err) == CKR_SESSION_CLOSED {
			return CKR_SESSION_HANDLE_INVALID
		}
		return err
	}
	login, last := a.logout(r.b)
	a.mu.Unlock()
	if !last {
		return nil
	}
	if err := a.takeTurn(r); err != nil {
		return nil // whatever happened meanwhile, the caller is logged out
	}
	defer r.b.p.passTurn()
	return r.b.p.tellLogout(login)
}

// logout is the step itself, under the application's lock. last tells whether no other application has this login.
func (a *Application) logout(b *binding) (was Login, last bool) {
	was, logouts := b.who()
	b.login.Store((logouts+1)<<2 | uint64(Public))
	// Nobody can reach the private objects any more; this gives their memory back.
	for _, k := range Kinds() {
		if !k.Private() {
			continue
		}
		for o := b.objects[k]; o != nil; o = o.next {
			a.removeObject(o)
		}
	}
	b.endKeyless()
	b.p.mu.Lock()
	defer b.p.mu.Unlock()
	b.p.users[was]--
	return was, b.p.users[was] == 0
}

// leave logs out an application that has no session left (S13). The token hears of it in the background.
func (a *Application) leave(b *binding) {
	if login, _ := b.who(); login == Public {
		return
	}
	if login, last := a.logout(b); last {
		p := b.p
		a.m.background.run(func() {
			select {
			case p.turn <- struct{}{}:
				defer p.passTurn()
				_ = p.tellLogout(login)
			case <-p.gone:
			}
		})
	}
}

// takeTurn waits for the token to be free for a login or logout, but not longer than the token or the application lasts.
func (a *Application) takeTurn(r ref) error {
	select {
	case r.b.p.turn <- struct{}{}:
		return nil
	case <-r.b.p.gone:
	case <-a.done:
	}
	return a.ended(r)
}

func (p *presence) passTurn() { <-p.turn }

// told remembers that the token accepted a login. With the turn held.
func (p *presence) told(l Login) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened[l] = true
}

// tellLogout logs the token out if it still has a login that no application has. With the turn held.
func (p *presence) tellLogout(l Login) error {
	p.mu.Lock()
	due := p.opened[l] && p.users[l] == 0
	if due {
		p.opened[l] = false
	}
	p.mu.Unlock()
	if !due || p.dead.Load() {
		return nil
	}
	return p.token.Logout(userTypes[l])
}
