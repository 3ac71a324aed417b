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
