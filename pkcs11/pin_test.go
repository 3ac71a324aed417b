package pkcs11

import (
	"testing"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// The PIN of a context-specific login is wiped when its operation ends, however
// it ends, and not when the collector comes.
func TestContextPINIsWiped(t *testing.T) {
	type stage struct {
		m      *Module
		source fakeSource
		s      session.SessionHandle
	}
	ecdsa := &Mechanism{Type: ck.CKM_ECDSA}
	digest := make([]byte, 32)
	for _, c := range []struct {
		name string
		end  func(*testing.T, stage)
	}{
		{"C_Sign", func(t *testing.T, g stage) { must(t, "C_Sign", g.m.Sign(g.s, digest, &Out{Room: 64})) }},
		{"C_Sign that fails", func(t *testing.T, g stage) {
			want(t, "C_Sign", g.m.Sign(g.s, make([]byte, 1000), &Out{Room: 64}), ck.CKR_DATA_LEN_RANGE)
		}},
		{"C_SignUpdate that fails", func(t *testing.T, g stage) {
			if g.m.SignUpdate(g.s, make([]byte, 1000)) == nil {
				t.Error("too much was taken")
			}
		}},
		{"C_SessionCancel", func(t *testing.T, g stage) {
			must(t, "C_SessionCancel", g.m.SessionCancel(g.s, ck.CKF_SIGN))
		}},
		{"C_SignInit with NULL", func(t *testing.T, g stage) {
			must(t, "C_SignInit", g.m.SignInit(g.s, nil, session.CK_INVALID_HANDLE))
		}},
		{"C_CloseSession", func(t *testing.T, g stage) { must(t, "C_CloseSession", g.m.CloseSession(g.s)) }},
		{"C_CloseAllSessions", func(t *testing.T, g stage) { must(t, "C_CloseAllSessions", g.m.CloseAllSessions(0)) }},
		{"C_Logout", func(t *testing.T, g stage) { must(t, "C_Logout", g.m.Logout(g.s)) }},
		{"removal", func(t *testing.T, g stage) {
			g.source <- SlotEvent{Slot: fakeSlot}
			// The event is posted after all was ended.
			if _, err := g.m.WaitForSlotEvent(0); err != nil {
				t.Error(err)
			}
		}},
		{"C_Finalize", func(t *testing.T, g stage) { must(t, "C_Finalize", g.m.Close()) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := filled(t)
			source := make(fakeSource, 8)
			source <- SlotEvent{Slot: fakeSlot, Token: f}
			source <- SlotEvent{}
			l := New(source, Config{})
			t.Cleanup(l.Close)
			m := l.Module()
			s := open(t, m, 0)
			must(t, "C_Login", m.Login(s, ck.CKU_USER, []byte(fakePIN)))
			key := only(t, m, s, keyTemplate(ck.CKO_PRIVATE_KEY, 2))
			must(t, "C_SignInit", m.SignInit(s, ecdsa, key))
			want(t, "a wrong PIN", m.Login(s, ck.CKU_CONTEXT_SPECIFIC, []byte("000000")), ck.CKR_PIN_INCORRECT)
			if f.confirmed.Len() != 0 {
				t.Error("a wrong PIN was kept")
			}
			must(t, "context-specific login", m.Login(s, ck.CKU_CONTEXT_SPECIFIC, []byte(fakePIN)))
			must(t, "length", m.Sign(s, digest, &Out{Null: true}))
			want(t, "small buffer", m.Sign(s, digest, &Out{Room: 63}), ck.CKR_BUFFER_TOO_SMALL)
			if f.confirmed.Len() == 0 {
				t.Fatal("the PIN is gone before it was used")
			}
			c.end(t, stage{m, source, s})
			if f.confirmed.Len() != 0 {
				t.Error("the PIN is still there")
			}
		})
	}
}

// What this program did to the PIN shows in the very next C_GetTokenInfo, though
// its state is otherwise asked for once in a while.
func TestOwnTriesShowAtOnce(t *testing.T) {
	const low, final, locked = ck.CKF_USER_PIN_COUNT_LOW, ck.CKF_USER_PIN_FINAL_TRY, ck.CKF_USER_PIN_LOCKED
	flags := func(t *testing.T, m *Module, want ck.Flags) {
		t.Helper()
		info, err := m.GetTokenInfo(0)
		must(t, "C_GetTokenInfo", err)
		if got := info.Flags & (low | final | locked); got != want {
			t.Errorf("flags %#x, want %#x", got, want)
		}
	}
	wrong, right := []byte("000000"), []byte(fakePIN)
	t.Run("C_Login", func(t *testing.T) {
		m := newModule(t, filled(t), Config{})
		s := open(t, m, 0)
		for _, c := range []struct {
			pin  []byte
			code ck.RV
			want ck.Flags
		}{
			{wrong, ck.CKR_PIN_INCORRECT, low},
			{wrong, ck.CKR_PIN_INCORRECT, low | final},
			{right, ck.CKR_OK, 0},
			{wrong, ck.CKR_PIN_INCORRECT, low},
			{wrong, ck.CKR_PIN_INCORRECT, low | final},
			{wrong, ck.CKR_PIN_LOCKED, low | locked},
		} {
			want(t, "C_Login", m.Login(s, ck.CKU_USER, c.pin), c.code)
			flags(t, m, c.want)
			if c.code == ck.CKR_OK {
				must(t, "C_Logout", m.Logout(s))
			}
		}
	})
	t.Run("context-specific", func(t *testing.T) {
		m := newModule(t, filled(t), Config{})
		s := open(t, m, 0)
		must(t, "C_Login", m.Login(s, ck.CKU_USER, right))
		key := only(t, m, s, keyTemplate(ck.CKO_PRIVATE_KEY, 2))
		must(t, "C_SignInit", m.SignInit(s, &Mechanism{Type: ck.CKM_ECDSA}, key))
		flags(t, m, 0)
		want(t, "wrong", m.Login(s, ck.CKU_CONTEXT_SPECIFIC, wrong), ck.CKR_PIN_INCORRECT)
		flags(t, m, low)
	})
	t.Run("C_SetPIN and C_InitPIN", func(t *testing.T) {
		m := newModule(t, filled(t), Config{})
		s := open(t, m, ck.CKF_RW_SESSION)
		flags(t, m, 0)
		want(t, "C_SetPIN", m.SetPIN(s, wrong, []byte("111111")), ck.CKR_PIN_INCORRECT)
		flags(t, m, low)
		must(t, "C_Login of the SO", m.Login(s, ck.CKU_SO, []byte(fakeAdmin)))
		must(t, "C_InitPIN", m.InitPIN(s, []byte("111111")))
		flags(t, m, 0)
	})
	t.Run("C_Sign", func(t *testing.T) {
		f := filled(t)
		m := newModule(t, f, Config{})
		s := open(t, m, 0)
		must(t, "C_Login", m.Login(s, ck.CKU_USER, right))
		key := only(t, m, s, keyTemplate(ck.CKO_PRIVATE_KEY, 2))
		must(t, "C_SignInit", m.SignInit(s, &Mechanism{Type: ck.CKM_ECDSA}, key))
		must(t, "context-specific login", m.Login(s, ck.CKU_CONTEXT_SPECIFIC, right))
		flags(t, m, 0)
		f.pin, f.tries = "999999", 2 // another program changed it, and the operation's PIN is refused
		if m.Sign(s, make([]byte, 32), &Out{Room: 64}) == nil {
			t.Error("C_Sign with the old PIN")
		}
		flags(t, m, low)
	})
	t.Run("an answer under way", func(t *testing.T) {
		f := filled(t)
		m := newModule(t, f, Config{})
		s := open(t, m, 0)
		f.answered = func() {
			f.answered = nil
			want(t, "C_Login", m.Login(s, ck.CKU_USER, wrong), ck.CKR_PIN_INCORRECT)
		}
		_, err := m.GetTokenInfo(0)
		must(t, "C_GetTokenInfo", err)
		flags(t, m, low)
	})
}

// Being told of the last try holds for that try: once the PIN was accepted, the
// next last one is spent only by who was told of it.
func TestLastTryIsToldAnew(t *testing.T) {
	wrong := []byte("000000")
	f := filled(t)
	m := newModule(t, f, Config{})
	s := open(t, m, 0)
	login := func(pin []byte, code ck.RV) {
		t.Helper()
		want(t, "C_Login", m.Login(s, ck.CKU_USER, pin), code)
	}
	login(wrong, ck.CKR_PIN_INCORRECT)
	login(wrong, ck.CKR_PIN_INCORRECT)
	login([]byte(fakePIN), ck.CKR_FUNCTION_REJECTED)
	_, err := m.GetTokenInfo(0)
	must(t, "C_GetTokenInfo", err)
	login([]byte(fakePIN), ck.CKR_OK)
	must(t, "C_Logout", m.Logout(s))
	login(wrong, ck.CKR_PIN_INCORRECT)
	login(wrong, ck.CKR_PIN_INCORRECT)
	login(wrong, ck.CKR_FUNCTION_REJECTED)
	if f.tries != 1 {
		t.Errorf("%d tries left", f.tries)
	}
}
