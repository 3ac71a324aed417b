package token

import (
	"context"
	"crypto/sha256"
	"path/filepath"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/card/softcard"
	"cardbridge/internal/host"
	"cardbridge/pkcs11"
	"cardbridge/pkcs11/ck"
)

// A padConn is a reader with a PIN pad, and the person before it.
type padConn struct {
	host.Conn
	pad   bool
	types string // the PIN that the person types; "" for the cancel key
	typed int
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
	command := append([]byte{}, e.Command...)
	copy(command[5:], t.c.types)
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

// A PIN pad: the flag, a login without a PIN, a key that wants the PIN for each
// signature, a person who does not type, a wrong PIN, the last try.
func TestPINPad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	if err := softcard.Create(path, "yubikey-5.7"); err != nil {
		t.Fatal(err)
	}
	h, err := host.New(host.Options{Readers: "softcard:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close() //nolint:errcheck // the test is over
	bare, err := h.Connect("softcard:" + path)
	if err != nil {
		t.Fatal(err)
	}
	conn := &padConn{Conn: bare, pad: true, types: userPIN}
	l := pkcs11.New(padSource{conn}, pkcs11.Config{})
	defer l.Close()
	m := l.Module()
	defer m.Close() //nolint:errcheck // the test is over

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
	must(t, "reset", bare.Reset(t.Context()))
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
