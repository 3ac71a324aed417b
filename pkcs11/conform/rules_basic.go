//go:build linux && cgo

package conform

import (
	"testing"

	p11 "github.com/miekg/pkcs11"
)

var basicRules = []rule{
	{"S1", "without a session there is no access; an application may hold many", ruleS1},
	{"S2", "R/O and R/W differ in token objects only", ruleS2},
	{"S3", "a session sees public objects at once, private ones after the user's login", ruleS3},
	{"S4", "closing a session destroys the session objects it created, at once", ruleS4},
	{"S5", "a limit of sessions is told by CK_TOKEN_INFO and kept by CKR_SESSION_COUNT", ruleS5},
	{"S6", "a session that is not serial is refused", ruleS6},
}

// withoutSession calls every function that takes a session, with one that is not open, and arguments that are otherwise
// good.
func withoutSession(c Caller, s uint) map[string]RV {
	rv := map[string]RV{}
	h, one, out, n := N(s), N(1), Out(64), InOut(N(64))
	in := In([]byte("0123456789abcdef"))
	mech := Mech(p11.CKM_SHA256)
	tmpl := Template([]Attr{A(p11.CKA_LABEL, "x")})
	for _, f := range []struct {
		name string
		args []Arg
	}{
		{"C_CloseSession", nil},
		{"C_GetSessionInfo", []Arg{Out(32)}},
		{"C_GetOperationState", []Arg{out, n}},
		{"C_SetOperationState", []Arg{in, N(16), N(0), N(0)}},
		{"C_Login", []Arg{N(User), in, N(16)}},
		{"C_Logout", nil},
		{"C_InitPIN", []Arg{in, N(16)}},
		{"C_SetPIN", []Arg{in, N(16), in, N(16)}},
		{"C_CreateObject", []Arg{tmpl, one, InOut(N(0))}},
		{"C_CopyObject", []Arg{one, tmpl, one, InOut(N(0))}},
		{"C_DestroyObject", []Arg{one}},
		{"C_GetObjectSize", []Arg{one, InOut(N(0))}},
		{"C_GetAttributeValue", []Arg{one, InOut(N(p11.CKA_LABEL), Null, N(0)), one}},
		{"C_SetAttributeValue", []Arg{one, tmpl, one}},
		{"C_FindObjectsInit", []Arg{tmpl, one}},
		{"C_FindObjects", []Arg{Out(8), one, InOut(N(0))}},
		{"C_FindObjectsFinal", nil},
		{"C_DigestInit", []Arg{mech}},
		{"C_Digest", []Arg{in, N(16), out, n}},
		{"C_DigestUpdate", []Arg{in, N(16)}},
		{"C_DigestKey", []Arg{one}},
		{"C_DigestFinal", []Arg{out, n}},
		{"C_EncryptInit", []Arg{mech, one}},
		{"C_Encrypt", []Arg{in, N(16), out, n}},
		{"C_EncryptUpdate", []Arg{in, N(16), out, n}},
		{"C_EncryptFinal", []Arg{out, n}},
		{"C_DecryptInit", []Arg{mech, one}},
		{"C_Decrypt", []Arg{in, N(16), out, n}},
		{"C_DecryptUpdate", []Arg{in, N(16), out, n}},
		{"C_DecryptFinal", []Arg{out, n}},
		{"C_SignInit", []Arg{mech, one}},
		{"C_Sign", []Arg{in, N(16), out, n}},
		{"C_SignUpdate", []Arg{in, N(16)}},
		{"C_SignFinal", []Arg{out, n}},
		{"C_VerifyInit", []Arg{mech, one}},
		{"C_Verify", []Arg{in, N(16), in, N(16)}},
		{"C_VerifyUpdate", []Arg{in, N(16)}},
		{"C_VerifyFinal", []Arg{in, N(16)}},
		{"C_GenerateKey", []Arg{mech, tmpl, one, InOut(N(0))}},
		{"C_GenerateKeyPair", []Arg{mech, tmpl, one, tmpl, one, InOut(N(0)), InOut(N(0))}},
		{"C_WrapKey", []Arg{mech, one, one, out, n}},
		{"C_UnwrapKey", []Arg{mech, one, in, N(16), tmpl, one, InOut(N(0))}},
		{"C_DeriveKey", []Arg{mech, one, tmpl, one, InOut(N(0))}},
		{"C_SeedRandom", []Arg{in, N(16)}},
		{"C_GenerateRandom", []Arg{out, N(64)}},
	} {
		rv[f.name] = c.Call(f.name, append([]Arg{h}, f.args...)...).RV
	}
	return rv
}

func ruleS1(t *testing.T, tg *Target, a *App, slot uint) {
	for name, rv := range withoutSession(a.Caller, 0) {
		want(t, name+" with session 0", rv, p11.CKR_SESSION_HANDLE_INVALID)
	}
	for name, rv := range withoutSession(a.Caller, 0xdeadbeef) {
		want(t, name+" with a session that never was", rv, p11.CKR_SESSION_HANDLE_INVALID)
	}
	seen := map[uint]bool{}
	for i := range 100 {
		h := a.MustOpen(slot, []uint{RO, RW}[i%2])
		if h == 0 || seen[h] {
			t.Fatalf("session %d got handle %d, which is zero or taken", i, h)
		}
		seen[h] = true
	}
	for h := range seen {
		want(t, "C_CloseSession", a.CloseSession(h), p11.CKR_OK)
	}
	fresh := tg.Start(t)
	for name, rv := range withoutSession(fresh.Caller, 1) {
		want(t, name+" before C_Initialize", rv, p11.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
	_, rv := fresh.Open(slot, RO)
	want(t, "C_OpenSession before C_Initialize", rv, p11.CKR_CRYPTOKI_NOT_INITIALIZED)
}

func ruleS2(t *testing.T, tg *Target, a *App, slot uint) {
	s := a.MustOpen(slot, RO)
	o, rv := a.Create(s, data(false, false, "S2")...)
	want(t, "create a session object in a R/O session", rv, p11.CKR_OK)
	want(t, "change it", a.Set(s, o, A(p11.CKA_LABEL, "S2b")), p11.CKR_OK)
	if v, rv := a.Get(s, o, p11.CKA_LABEL); rv != p11.CKR_OK || string(v) != "S2b" {
		t.Errorf("read it: %q, %v", v, rv)
	}
	want(t, "destroy it", a.Destroy(s, o), p11.CKR_OK)
	cert := a.Key(s, p11.CKO_CERTIFICATE, RSAKey)
	if v, rv := a.Get(s, cert, p11.CKA_VALUE); rv != p11.CKR_OK || len(v) == 0 {
		t.Errorf("read a token object in a R/O session: %d bytes, %v", len(v), rv)
	}
	want(t, "log in", a.Login(s, User, tg.PIN), p11.CKR_OK)
	_, rv = a.Create(s, data(true, false, "S2")...)
	want(t, "create a token object in a R/O session", rv, p11.CKR_SESSION_READ_ONLY)
	want(t, "destroy a token object in a R/O session", a.Destroy(s, cert), p11.CKR_SESSION_READ_ONLY)
	if a.Key(s, p11.CKO_CERTIFICATE, RSAKey) == 0 {
		t.Error("and it is gone")
	}
}

func ruleS3(t *testing.T, tg *Target, a *App, slot uint) {
	s := a.MustOpen(slot, RO)
	for _, class := range []uint{p11.CKO_CERTIFICATE, p11.CKO_PUBLIC_KEY} {
		if h := a.Find(s, A(p11.CKA_CLASS, class), A(p11.CKA_TOKEN, true)); len(h) < 3 {
			t.Errorf("class %d: %d objects before login, want at least 3", class, len(h))
		}
	}
	private := []Attr{A(p11.CKA_CLASS, uint(p11.CKO_PRIVATE_KEY)), A(p11.CKA_PRIVATE, true)}
	if h := a.Find(s, private...); len(h) != 0 {
		t.Errorf("%d private objects before login", len(h))
	}
	want(t, "log in", a.Login(s, User, tg.PIN), p11.CKR_OK)
	if h := a.Find(s, private...); len(h) < 3 {
		t.Errorf("%d private objects after login, want at least 3", len(h))
	}
}

func ruleS4(t *testing.T, _ *Target, a *App, slot uint) {
	maker, other := a.MustOpen(slot, RO), a.MustOpen(slot, RO)
	o, rv := a.Create(maker, data(false, false, "S4")...)
	want(t, "create", rv, p11.CKR_OK)
	kept, rv := a.Create(other, data(false, false, "S4")...)
	want(t, "create", rv, p11.CKR_OK)
	if h := a.Find(other, A(p11.CKA_LABEL, "S4")); len(h) != 2 {
		t.Errorf("another session finds %d of 2 session objects", len(h))
	}
	want(t, "C_FindObjectsInit", a.FindInit(other, A(p11.CKA_LABEL, "S4")), p11.CKR_OK)
	want(t, "C_CloseSession", a.CloseSession(maker), p11.CKR_OK)
	_, rv = a.Get(other, o, p11.CKA_LABEL)
	want(t, "read the object of a closed session", rv, p11.CKR_OBJECT_HANDLE_INVALID)
	want(t, "C_FindObjectsFinal", a.FindFinal(other), p11.CKR_OK)
	if h := a.Find(other, A(p11.CKA_LABEL, "S4")); len(h) != 1 || h[0] != kept {
		t.Errorf("found %v, want only %d", h, kept)
	}
}

func ruleS5(t *testing.T, _ *Target, a *App, slot uint) {
	info, rv := a.TokenInfo(slot)
	want(t, "C_GetTokenInfo", rv, p11.CKR_OK)
	limit := info.MaxSessions
	if limit == p11.CK_EFFECTIVELY_INFINITE || limit == ^uint(0) || limit > 5000 {
		limit = 5000
	}
	opened := uint(0)
	for ; opened < limit; opened++ {
		if _, rv = a.Open(slot, RO); rv != p11.CKR_OK {
			break
		}
	}
	if opened < limit {
		t.Fatalf("session %d of %d: %v", opened+1, limit, rv)
	}
	if after, _ := a.TokenInfo(slot); after.Sessions != ^uint(0) && after.Sessions != opened {
		t.Errorf("ulSessionCount %d with %d sessions open", after.Sessions, opened)
	}
	if limit == info.MaxSessions {
		_, rv = a.Open(slot, RO)
		want(t, "one session more than ulMaxSessionCount", rv, p11.CKR_SESSION_COUNT)
	}
	want(t, "C_CloseAllSessions", a.CloseAll(slot), p11.CKR_OK)
	if after, _ := a.TokenInfo(slot); after.Sessions != ^uint(0) && after.Sessions != 0 {
		t.Errorf("ulSessionCount %d with no session open", after.Sessions)
	}
}

func ruleS6(t *testing.T, _ *Target, a *App, slot uint) {
	for _, flags := range []uint{0, p11.CKF_RW_SESSION} {
		_, rv := a.Open(slot, flags)
		want(t, "C_OpenSession without CKF_SERIAL_SESSION", rv, p11.CKR_SESSION_PARALLEL_NOT_SUPPORTED)
	}
	_, rv := a.Open(0x7fffffff, RO)
	want(t, "C_OpenSession at a slot that is not", rv, p11.CKR_SLOT_ID_INVALID)
	r := a.Call("C_OpenSession", N(slot), N(RO), Null, Null, Null)
	want(t, "C_OpenSession without a place for the handle", r.RV, p11.CKR_ARGUMENTS_BAD)
}
