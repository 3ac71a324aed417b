//go:build linux && cgo

package conform

import (
	"testing"

	p11 "github.com/miekg/pkcs11"
)

var handleRules = []rule{
	{"S22", "handles belong to the application", ruleS22},
	{"S23", "zero is no handle, and none is used twice", ruleS23},
	{"S24", "an object has one handle in one application", ruleS24},
}

func ruleS22(t *testing.T, tg *Target, a *App, slot uint) {
	b := tg.Start(t)
	b.must("C_Initialize", b.Initialize())
	var mine []uint
	for range 10 {
		mine = append(mine, a.MustOpen(slot, RW))
	}
	yours := b.MustOpen(b.Slot(), RW)
	for _, h := range mine {
		if h == yours {
			continue // the same number, another session
		}
		_, _, _, rv := b.SessionInfo(h)
		want(t, "another application's session", rv, p11.CKR_SESSION_HANDLE_INVALID)
		want(t, "closing another application's session", b.CloseSession(h), p11.CKR_SESSION_HANDLE_INVALID)
		want(t, "logging out another application's session", b.Logout(h), p11.CKR_SESSION_HANDLE_INVALID)
	}
	want(t, "login", a.Login(mine[0], User, tg.PIN), p11.CKR_OK)
	wantState(t, b.Caller, yours, rwPublic)
	want(t, "login of the other application too", b.Login(yours, User, tg.PIN), p11.CKR_OK)
	want(t, "logout of the first", a.Logout(mine[0]), p11.CKR_OK)
	wantState(t, b.Caller, yours, rwUser)
	pub, err := b.PublicKey(yours, RSAKey)
	if err != nil {
		t.Fatal(err)
	}
	sig, rv := b.Sign(yours, Mech(p11.CKM_RSA_PKCS), b.Key(yours, p11.CKO_PRIVATE_KEY, RSAKey), append(append([]byte{}, digestInfoSHA256...), make([]byte, 32)...))
	want(t, "the second still signs", rv, p11.CKR_OK)
	if !verify(pub, make([]byte, 32), sig) {
		t.Error("the signature is wrong")
	}
}

func ruleS23(t *testing.T, _ *Target, a *App, slot uint) {
	keep := a.MustOpen(slot, RO)
	sessions, objects := map[uint]bool{keep: true}, map[uint]bool{}
	for range 300 {
		s := a.MustOpen(slot, RO)
		if s == 0 || sessions[s] {
			t.Fatalf("session handle %d is zero or was used before", s)
		}
		sessions[s] = true
		for range 2 {
			o, rv := a.Create(s, data(false, false, "S23")...)
			want(t, "create", rv, p11.CKR_OK)
			if o == 0 || objects[o] {
				t.Fatalf("object handle %d is zero or was used before", o)
			}
			objects[o] = true
			want(t, "destroy", a.Destroy(s, o), p11.CKR_OK)
			_, rv = a.Get(s, o, p11.CKA_LABEL)
			want(t, "a destroyed object", rv, p11.CKR_OBJECT_HANDLE_INVALID)
		}
		want(t, "close", a.CloseSession(s), p11.CKR_OK)
	}
	_, rv := a.Get(keep, 0, p11.CKA_CLASS)
	want(t, "object 0", rv, p11.CKR_OBJECT_HANDLE_INVALID)
	want(t, "C_DestroyObject(0)", a.Destroy(keep, 0), p11.CKR_OBJECT_HANDLE_INVALID)
}

func ruleS24(t *testing.T, tg *Target, a *App, slot uint) {
	s, s2 := a.MustOpen(slot, RO), a.MustOpen(slot, RW)
	want(t, "login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	for _, class := range []uint{p11.CKO_CERTIFICATE, p11.CKO_PUBLIC_KEY, p11.CKO_PRIVATE_KEY} {
		h := a.Key(s, class, RSAKey)
		if h == 0 {
			t.Fatalf("no object of class %d", class)
		}
		for _, c := range []Caller{a.Caller, a.Thread(1)} {
			for _, in := range []uint{s, s2, a.MustOpen(slot, RO)} {
				if got := c.Key(in, class, RSAKey); got != h {
					t.Errorf("class %d: handle %d in one session, %d in another", class, h, got)
				}
			}
		}
	}
	o, rv := a.Create(s, data(false, false, "S24")...)
	want(t, "create", rv, p11.CKR_OK)
	if h := a.Find(s2, A(p11.CKA_LABEL, "S24")); len(h) != 1 || h[0] != o {
		t.Errorf("another session finds %v, want %d", h, o)
	}
}
