package token

import (
	"context"
	"crypto/sha256"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/internal/host"
	"cardbridge/pkcs11"
	"cardbridge/pkcs11/ck"
)

// A padConn is a reader with a PIN pad, and the person before it.
type padConn struct {
	host.Conn
	pad   bool
	types string // the PIN that the person types; "" for the cancel key
	// changesTo is the new PIN that they type where one is asked for; an answer of
	// the reader's own, if it has one, comes instead of the card's.
	changesTo string
	answer    []byte
	typed     int
}

func (c *padConn) PINPad(context.Context) (bool, error) { return c.pad, nil }

func (c *padConn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	return c.Conn.Transact(ctx, func(t apdu.Transaction) error { return f(padTransaction{t, c}) })
}

type padTransaction struct {
	apdu.Transaction
	c *padConn
}

// TransmitPIN is the reader's part.
func (t padTransaction) TransmitPIN(e apdu.PINEntry) ([]byte, error) {
	if !t.c.pad {
		return nil, apdu.ErrNoPINPad
	}
	t.c.typed++
	if t.c.types == "" {
		return []byte{0x64, 0x01}, nil
	}
	if t.c.answer != nil {
		return t.c.answer, nil
	}
	command := append([]byte{}, e.Command...)
	if e.Typed != apdu.TypedNew {
		copy(command[5:], t.c.types)
	}
	if e.Typed != apdu.TypedPIN {
		copy(command[5+(len(command)-5)/2:], t.c.changesTo)
	}
	return t.Transmit(command)
}

// A padSource has one reader, with a PIN pad.
type padSource struct{ conn *padConn }

func (s padSource) Watch(ctx context.Context, deliver func(pkcs11.SlotEvent), ready func()) error {
	deliver(pkcs11.SlotEvent{Slot: pkcs11.Slot{Reader: "pad", Applet: card.PIV}, Token: NewPIV(s.conn, nil)})
	ready()
	<-ctx.Done()
	return nil
}

// padModule is a module with one reader that has a PIN pad, and a card in it.
func padModule(t *testing.T, personality string) (*pkcs11.Module, *padConn) {
	t.Helper()
	h, reader := newHost(t, personality)
	bare, err := h.Connect(reader)
	if err != nil {
		t.Fatal(err)
	}
	conn := &padConn{Conn: bare, pad: true, types: userPIN}
	l := pkcs11.New(padSource{conn}, pkcs11.Config{})
	t.Cleanup(l.Close)
	m := l.Module()
	t.Cleanup(func() { _ = m.Close() })
	return m, conn
}

// The PIN changed and unblocked with what a person types: C_SetPIN and C_InitPIN
// without PINs.
func TestPINPadChanges(t *testing.T) {
	for _, personality := range []string{"yubikey-5.7", "nist", "max255"} {
		t.Run(personality, func(t *testing.T) {
			m, conn := padModule(t, personality)
			s := open(t, m)
			want(t, "one of two given", m.SetPIN(s, nil, []byte("654321")), ck.CKR_ARGUMENTS_BAD)
			conn.types, conn.changesTo = "000000", "654321"
			want(t, "wrong", m.SetPIN(s, nil, nil), ck.CKR_PIN_INCORRECT)
			for _, sw := range [][]byte{{0x64, 0}, {0x64, 1}, {0x64, 2}, {0x64, 3}} {
				conn.answer = sw
				want(t, "not typed", m.SetPIN(s, nil, nil), ck.CKR_FUNCTION_CANCELED)
			}
			conn.types, conn.answer = userPIN, nil
			must(t, "C_SetPIN", m.SetPIN(s, nil, nil))
			want(t, "the old PIN", m.Login(s, ck.CKU_USER, []byte(userPIN)), ck.CKR_PIN_INCORRECT)
			must(t, "the new PIN", m.Login(s, ck.CKU_USER, []byte("654321")))
			// The PIN that was given is kept, and must not be sent once it is changed.
			conn.types, conn.changesTo = "654321", "777777"
			must(t, "C_SetPIN, logged in", m.SetPIN(s, nil, nil))
			must(t, "C_Logout", m.Logout(s))

			want(t, "SO without a key", m.InitPIN(s, nil), ck.CKR_USER_NOT_LOGGED_IN)
			must(t, "SO", m.Login(s, ck.CKU_SO, []byte(factory)))
			want(t, "C_SetPIN of the SO", m.SetPIN(s, nil, nil), ck.CKR_ARGUMENTS_BAD)
			want(t, "C_InitPIN without the PUK", m.InitPIN(s, nil), ck.CKR_USER_NOT_LOGGED_IN)
			must(t, "C_Logout", m.Logout(s))
			must(t, "SO with the PUK", m.Login(s, ck.CKU_SO, []byte("12345678")))
			conn.changesTo = "888888"
			must(t, "C_InitPIN", m.InitPIN(s, nil))
			must(t, "C_Logout", m.Logout(s))
			must(t, "the PIN of C_InitPIN", m.Login(s, ck.CKU_USER, []byte("888888")))
			must(t, "C_Logout", m.Logout(s))

			for _, wrong := range []string{"000001", "000002"} {
				want(t, "wrong", m.Login(s, ck.CKU_USER, []byte(wrong)), ck.CKR_PIN_INCORRECT)
			}
			typed := conn.typed
			want(t, "the last try, untold", m.SetPIN(s, nil, nil), ck.CKR_FUNCTION_REJECTED)
			if conn.typed != typed {
				t.Error("the last try was spent unasked")
			}
			if _, err := m.GetTokenInfo(0); err != nil { // told
				t.Fatal(err)
			}
			want(t, "the last", m.Login(s, ck.CKU_USER, []byte("000003")), ck.CKR_PIN_LOCKED)
			conn.types, conn.changesTo = "12345678", userPIN
			must(t, "C_SetPIN of a blocked PIN, the PUK typed", m.SetPIN(s, nil, nil))
			must(t, "C_Login", m.Login(s, ck.CKU_USER, []byte(userPIN)))

			conn.pad = false
			want(t, "the pad is gone", m.SetPIN(s, nil, nil), ck.CKR_ARGUMENTS_BAD)
		})
	}
}

// A login that a person typed outlives a look at slots without keys, which no
// proof of the applet's being selected is in, and a change of the PIN.
func TestPINPadKeepsLogin(t *testing.T) {
	m, conn := padModule(t, "yubikey-5.7")
	s := open(t, m)
	must(t, "SO", m.Login(s, ck.CKU_SO, []byte(factory)))
	_, err := generate(m, s, 3)
	must(t, "C_GenerateKeyPair", err)
	must(t, "C_Logout", m.Logout(s))
	must(t, "C_Login", m.Login(s, ck.CKU_USER, nil))
	must(t, "C_FindObjectsInit", m.FindObjectsInit(s, pkcs11.Template{{Type: ck.CKA_CLASS, Value: number(uint(ck.CKO_PRIVATE_KEY))}}))
	found, err := m.FindObjects(s, 1)
	must(t, "C_FindObjects", err)
	must(t, "C_FindObjectsFinal", m.FindObjectsFinal(s))
	sign := func() error {
		must(t, "C_SignInit", m.SignInit(s, &pkcs11.Mechanism{Type: ck.CKM_ECDSA}, found[0]))
		return m.Sign(s, make([]byte, 32), &pkcs11.Out{Room: 64})
	}
	must(t, "C_Sign after a search", sign())
	conn.changesTo = "654321"
	must(t, "C_SetPIN", m.SetPIN(s, nil, nil))
	must(t, "C_Sign after a change", sign())
}

// A PIN pad: the flag, a login without a PIN, a key that wants the PIN for each
// signature, a person who does not type, a wrong PIN, the last try.
func TestPINPad(t *testing.T) {
	m, conn := padModule(t, "yubikey-5.7")
	info, err := m.GetTokenInfo(0)
	must(t, "C_GetTokenInfo", err)
	if info.Flags&ck.CKF_PROTECTED_AUTHENTICATION_PATH == 0 {
		t.Error("CKF_PROTECTED_AUTHENTICATION_PATH is not set")
	}
	s := open(t, m)
	want(t, "SO without a key", m.Login(s, ck.CKU_SO, nil), ck.CKR_ARGUMENTS_BAD)
	must(t, "SO", m.Login(s, ck.CKU_SO, []byte(factory)))
	for _, id := range []byte{2, 3} {
		_, err := generate(m, s, id)
		must(t, "C_GenerateKeyPair", err)
	}
	must(t, "C_Logout", m.Logout(s))

	conn.types = ""
	want(t, "cancelled", m.Login(s, ck.CKU_USER, nil), ck.CKR_FUNCTION_CANCELED)
	conn.types = "000000"
	want(t, "wrong", m.Login(s, ck.CKU_USER, nil), ck.CKR_PIN_INCORRECT)
	conn.types = userPIN
	must(t, "right", m.Login(s, ck.CKU_USER, nil))
	typed := conn.typed
	digest := sha256.Sum256([]byte("text"))
	sign := func(id byte, context bool) error {
		t.Helper()
		must(t, "C_FindObjectsInit", m.FindObjectsInit(s, pkcs11.Template{{Type: ck.CKA_CLASS, Value: number(uint(ck.CKO_PRIVATE_KEY))}, {Type: ck.CKA_ID, Value: []byte{id}}}))
		found, err := m.FindObjects(s, 2)
		must(t, "C_FindObjects", err)
		must(t, "C_FindObjectsFinal", m.FindObjectsFinal(s))
		if len(found) != 1 {
			t.Fatalf("%d keys with CKA_ID %d", len(found), id)
		}
		must(t, "C_SignInit", m.SignInit(s, &pkcs11.Mechanism{Type: ck.CKM_ECDSA}, found[0]))
		if context {
			must(t, "C_Login for the operation", m.Login(s, ck.CKU_CONTEXT_SPECIFIC, nil))
		}
		out := &pkcs11.Out{Room: 64}
		return m.Sign(s, digest[:], out)
	}
	must(t, "C_Sign", sign(3, false))
	if conn.typed != typed {
		t.Error("the PIN was typed again for a key that wants it once")
	}
	must(t, "C_Sign with a key that wants the PIN each time", sign(2, true))
	if conn.typed != typed+1 {
		t.Errorf("typed %d times, want 1", conn.typed-typed)
	}
	// The PIN is nobody's here, so a reset by another program ends the login.
	must(t, "reset", conn.Reset(t.Context()))
	want(t, "C_Sign after a reset", sign(3, false), ck.CKR_USER_NOT_LOGGED_IN)
	must(t, "C_Logout", m.Logout(s))

	conn.types = "000000"
	want(t, "wrong", m.Login(s, ck.CKU_USER, nil), ck.CKR_PIN_INCORRECT)
	want(t, "wrong", m.Login(s, ck.CKU_USER, nil), ck.CKR_PIN_INCORRECT)
	typed = conn.typed
	want(t, "the last try, untold", m.Login(s, ck.CKU_USER, nil), ck.CKR_FUNCTION_REJECTED)
	if conn.typed != typed {
		t.Error("the last try was spent unasked")
	}
}

// Without a PIN pad the PIN has to be given.
func TestNoPINPad(t *testing.T) {
	m, _ := newModule(t, "yubikey-5.7", pkcs11.Config{})
	info, err := m.GetTokenInfo(0)
	must(t, "C_GetTokenInfo", err)
	if info.Flags&ck.CKF_PROTECTED_AUTHENTICATION_PATH != 0 {
		t.Error("CKF_PROTECTED_AUTHENTICATION_PATH is set")
	}
	want(t, "C_Login", m.Login(open(t, m), ck.CKU_USER, nil), ck.CKR_ARGUMENTS_BAD)
}
