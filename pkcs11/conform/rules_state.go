//go:build linux && cgo

package conform

import (
	"sync"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

var stateRules = []rule{
	{"S7", "R/O sessions are public or the user's", ruleS7},
	{"S8", "R/W sessions are public, the user's or the SO's", ruleS8},
	{"S9", "a session opens straight into the state of the application's login", ruleS9},
	{"S10", "all sessions of an application at a token share one login", ruleS10},
	{"S11", "the SO and R/O sessions exclude each other", ruleS11},
	{"S12", "one login at a time", ruleS12},
	{"S13", "closing the last session logs out", ruleS13},
	{"S14", "a context-specific login authorises one operation with one key", ruleS14},
}

func ruleS7(t *testing.T, tg *Target, a *App, slot uint) {
	s := a.MustOpen(slot, RO)
	at, state, flags, rv := a.SessionInfo(s)
	want(t, "C_GetSessionInfo", rv, p11.CKR_OK)
	if at != slot || flags != RO {
		t.Errorf("slot %d flags %#x, want slot %d flags %#x", at, flags, slot, uint(RO))
	}
	if state != roPublic {
		t.Errorf("state %s", stateNames[state])
	}
	want(t, "SO login with a R/O session", a.Login(s, SO, tg.SOPIN), p11.CKR_SESSION_READ_ONLY_EXISTS, p11.CKR_SESSION_READ_ONLY)
	want(t, "user login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	wantState(t, a.Caller, s, roUser)
	want(t, "logout", a.Logout(s), p11.CKR_OK)
	wantState(t, a.Caller, s, roPublic)
}

func ruleS8(t *testing.T, tg *Target, a *App, slot uint) {
	s := a.MustOpen(slot, RW)
	_, _, flags, _ := a.SessionInfo(s)
	if flags != RW {
		t.Errorf("flags %#x, want %#x", flags, uint(RW))
	}
	wantState(t, a.Caller, s, rwPublic)
	want(t, "user login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	wantState(t, a.Caller, s, rwUser)
	want(t, "logout", a.Logout(s), p11.CKR_OK)
	wantState(t, a.Caller, s, rwPublic)
	want(t, "SO login", a.Login(s, SO, tg.SOPIN), p11.CKR_OK)
	wantState(t, a.Caller, s, rwSO)
	want(t, "logout", a.Logout(s), p11.CKR_OK)
	wantState(t, a.Caller, s, rwPublic)
}

func ruleS9(t *testing.T, tg *Target, a *App, slot uint) {
	first := a.MustOpen(slot, RW)
	wantState(t, a.Caller, a.MustOpen(slot, RO), roPublic)
	want(t, "user login", a.Login(first, User, tg.PIN), p11.CKR_OK)
	wantState(t, a.Caller, a.MustOpen(slot, RO), roUser)
	wantState(t, a.Caller, a.MustOpen(slot, RW), rwUser)
	want(t, "C_CloseAllSessions", a.CloseAll(slot), p11.CKR_OK)
	first = a.MustOpen(slot, RW)
	want(t, "SO login", a.Login(first, SO, tg.SOPIN), p11.CKR_OK)
	wantState(t, a.Caller, a.MustOpen(slot, RW), rwSO)
}

func ruleS10(t *testing.T, tg *Target, a *App, slot uint) {
	var ro, rw []uint
	for range 5 {
		ro, rw = append(ro, a.MustOpen(slot, RO)), append(rw, a.MustOpen(slot, RW))
	}
	all := func(roState, rwState uint) {
		t.Helper()
		for i := range ro {
			wantState(t, a.Caller, ro[i], roState)
			wantState(t, a.Caller, rw[i], rwState)
		}
	}
	want(t, "login in a R/O session", a.Login(ro[2], User, tg.PIN), p11.CKR_OK)
	all(roUser, rwUser)
	want(t, "logout in a R/W session", a.Logout(rw[4]), p11.CKR_OK)
	all(roPublic, rwPublic)
	// Seen from another thread, a session that became the user's does not go back while nobody logs out.
	want(t, "login", a.Login(rw[0], User, tg.PIN), p11.CKR_OK)
	var wg sync.WaitGroup
	for th := 1; th <= 4; th++ {
		wg.Go(func() {
			c := a.Thread(th)
			for i := range 200 {
				_, state, _, rv := c.SessionInfo(rw[i%5])
				if rv != p11.CKR_OK || state != rwUser && state != rwPublic {
					t.Errorf("during logins and logouts: %v, state %d", rv, state)
				}
			}
		})
	}
	for range 5 {
		want(t, "logout", a.Logout(rw[1]), p11.CKR_OK)
		want(t, "login", a.Login(rw[2], User, tg.PIN), p11.CKR_OK)
	}
	wg.Wait()
	all(roUser, rwUser)
}

func ruleS11(t *testing.T, tg *Target, a *App, slot uint) {
	rw, ro := a.MustOpen(slot, RW), a.MustOpen(slot, RO)
	want(t, "SO login while there is a R/O session", a.Login(rw, SO, tg.SOPIN), p11.CKR_SESSION_READ_ONLY_EXISTS)
	wantState(t, a.Caller, rw, rwPublic)
	want(t, "close the R/O session", a.CloseSession(ro), p11.CKR_OK)
	want(t, "SO login", a.Login(rw, SO, tg.SOPIN), p11.CKR_OK)
	_, rv := a.Open(slot, RO)
	want(t, "open a R/O session while the SO is logged in", rv, p11.CKR_SESSION_READ_WRITE_SO_EXISTS)
	_, rv = a.Open(slot, RW)
	want(t, "open a R/W session while the SO is logged in", rv, p11.CKR_OK)
}

func ruleS12(t *testing.T, tg *Target, a *App, slot uint) {
	s, s2 := a.MustOpen(slot, RW), a.MustOpen(slot, RW)
	want(t, "logout without login", a.Logout(s), p11.CKR_USER_NOT_LOGGED_IN)
	want(t, "user login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	want(t, "user again", a.Login(s2, User, tg.PIN), p11.CKR_USER_ALREADY_LOGGED_IN)
	want(t, "SO beside the user", a.Login(s2, SO, tg.SOPIN), p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN)
	want(t, "logout", a.Logout(s2), p11.CKR_OK)
	want(t, "logout again", a.Logout(s), p11.CKR_USER_NOT_LOGGED_IN)
	want(t, "SO login", a.Login(s2, SO, tg.SOPIN), p11.CKR_OK)
	want(t, "SO again", a.Login(s, SO, tg.SOPIN), p11.CKR_USER_ALREADY_LOGGED_IN)
	want(t, "user beside the SO", a.Login(s, User, tg.PIN), p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN)
	want(t, "logout", a.Logout(s), p11.CKR_OK)
	want(t, "login of a user that is not", a.Login(s, 77, tg.PIN), p11.CKR_USER_TYPE_INVALID)
	want(t, "login with a wrong PIN", a.Login(s, User, "999999"), p11.CKR_PIN_INCORRECT)
	wantState(t, a.Caller, s, rwPublic)
	want(t, "login after it", a.Login(s, User, tg.PIN), p11.CKR_OK)
}

func ruleS13(t *testing.T, tg *Target, a *App, slot uint) {
	s, s2 := a.MustOpen(slot, RW), a.MustOpen(slot, RW)
	want(t, "login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	want(t, "close the session that logged in", a.CloseSession(s), p11.CKR_OK)
	wantState(t, a.Caller, s2, rwUser)
	want(t, "close the last session", a.CloseSession(s2), p11.CKR_OK)
	s = a.MustOpen(slot, RW)
	wantState(t, a.Caller, s, rwPublic)
	if a.Key(s, p11.CKO_PRIVATE_KEY, RSAKey) != 0 {
		t.Error("a private key is visible")
	}
}

func ruleS14(t *testing.T, tg *Target, a *App, slot uint) {
	s, s2 := a.MustOpen(slot, RO), a.MustOpen(slot, RO)
	want(t, "login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	key, free := a.Key(s, p11.CKO_PRIVATE_KEY, AlwaysKey), a.Key(s, p11.CKO_PRIVATE_KEY, ECKey)
	if v, rv := a.Get(s, key, p11.CKA_ALWAYS_AUTHENTICATE); rv != p11.CKR_OK || len(v) != 1 || v[0] != 1 {
		t.Fatalf("CKA_ALWAYS_AUTHENTICATE of key %d: %x, %v", AlwaysKey, v, rv)
	}
	if v, rv := a.Get(s, free, p11.CKA_ALWAYS_AUTHENTICATE); rv != p11.CKR_OK || len(v) != 1 || v[0] != 0 {
		t.Fatalf("CKA_ALWAYS_AUTHENTICATE of key %d: %x, %v", ECKey, v, rv)
	}
	pub, err := a.PublicKey(s, AlwaysKey)
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, 32)
	want(t, "context login without an operation", a.Login(s, Context, tg.PIN), p11.CKR_OPERATION_NOT_INITIALIZED)
	want(t, "C_SignInit", a.begin("C_SignInit", s, Mech(p11.CKM_ECDSA), key), p11.CKR_OK)
	if !tg.Store { // SoftHSM2 wants the login first
		_, rv := a.workLength("C_Sign", s, digest)
		want(t, "a length query without the login", rv, p11.CKR_OK)
		_, rv = a.work("C_Sign", s, digest, 10)
		want(t, "a short buffer without the login", rv, p11.CKR_BUFFER_TOO_SMALL)
	}
	_, rv := a.work("C_Sign", s, digest, 128)
	want(t, "C_Sign without the login", rv, p11.CKR_USER_NOT_LOGGED_IN)
	a.begin("C_SignInit", s, Mech(p11.CKM_ECDSA), key) // still active or ended, by the module's choice
	want(t, "context login in another session", a.Login(s2, Context, tg.PIN), p11.CKR_OPERATION_NOT_INITIALIZED)
	want(t, "context login", a.Login(s, Context, tg.PIN), p11.CKR_OK)
	sig, rv := a.work("C_Sign", s, digest, 128)
	want(t, "C_Sign after the login", rv, p11.CKR_OK)
	if !verify(pub, digest, sig) {
		t.Error("the signature is wrong")
	}
	want(t, "C_SignInit again", a.begin("C_SignInit", s, Mech(p11.CKM_ECDSA), key), p11.CKR_OK)
	_, rv = a.work("C_Sign", s, digest, 128)
	want(t, "the login is good for one operation", rv, p11.CKR_USER_NOT_LOGGED_IN)
	a.Call("C_SignInit", N(s), Null, N(0)) // 3.x: ends the operation, if it is still active
	wantState(t, a.Caller, s, roUser)
	if tg.Tries == 0 || tg.Tries > 2 {
		s3 := a.MustOpen(slot, RO)
		want(t, "C_SignInit", a.begin("C_SignInit", s3, Mech(p11.CKM_ECDSA), key), p11.CKR_OK)
		// A card tells a wrong PIN here or, if it verifies together with the operation, there.
		rv = a.Login(s3, Context, "999999")
		if rv == p11.CKR_OK {
			_, rv = a.work("C_Sign", s3, digest, 128)
		}
		want(t, "context login with a wrong PIN", rv, p11.CKR_PIN_INCORRECT)
		s4 := a.MustOpen(slot, RO)
		want(t, "C_SignInit", a.begin("C_SignInit", s4, Mech(p11.CKM_ECDSA), key), p11.CKR_OK)
		want(t, "context login", a.Login(s4, Context, tg.PIN), p11.CKR_OK)
		_, rv = a.work("C_Sign", s4, digest, 128)
		want(t, "C_Sign after the right PIN", rv, p11.CKR_OK)
	}
	want(t, "C_SignInit", a.begin("C_SignInit", s2, Mech(p11.CKM_ECDSA), free), p11.CKR_OK)
	_, rv = a.work("C_Sign", s2, digest, 128)
	want(t, "a key without CKA_ALWAYS_AUTHENTICATE", rv, p11.CKR_OK)
}
