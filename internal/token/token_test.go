package token

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/big"
	"path/filepath"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/card/softcard"
	"cardbridge/internal/host"
	"cardbridge/internal/secret"
	"cardbridge/pkcs11"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

const (
	userPIN = "123456"
	puk     = "12345678"
	factory = "010203040506070801020304050607080102030405060708"
)

// newModule is a module over one software card.
func newModule(t *testing.T, personality string, config pkcs11.Config) (*pkcs11.Module, *host.Host) {
	t.Helper()
	h, _ := newHost(t, personality)
	return load(t, h, config), h
}

// newHost has one software card, in the reader that is named.
func newHost(t *testing.T, personality string) (h *host.Host, reader string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "card")
	if err := softcard.Create(path, personality); err != nil {
		t.Fatal(err)
	}
	reader = "softcard:" + path
	h, err := host.New(host.Options{Readers: reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h, reader
}

// load is C_Initialize.
func load(t *testing.T, h *host.Host, config pkcs11.Config) *pkcs11.Module {
	t.Helper()
	l := pkcs11.New(NewSource(h), config)
	t.Cleanup(l.Close)
	m := l.Module()
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func want(t *testing.T, what string, err error, code ck.RV) {
	t.Helper()
	if got := pkcs11.Code(err); got != code {
		t.Fatalf("%s: %v (%v), want %v", what, got, err, code)
	}
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	want(t, what, err, ck.CKR_OK)
}

func open(t *testing.T, m *pkcs11.Module) session.SessionHandle {
	t.Helper()
	s, err := m.OpenSession(0, ck.CKF_SERIAL_SESSION|ck.CKF_RW_SESSION, nil)
	must(t, "C_OpenSession", err)
	return s
}

func number(n uint) []byte { return binary.NativeEndian.AppendUint64(nil, uint64(n)) }

var p256 = []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}

func generate(m *pkcs11.Module, s session.SessionHandle, id byte) (pub session.ObjectHandle, err error) {
	pub, _, err = m.GenerateKeyPair(s, &pkcs11.Mechanism{Type: ck.CKM_EC_KEY_PAIR_GEN},
		pkcs11.Template{{Type: ck.CKA_TOKEN, Value: []byte{1}}, {Type: ck.CKA_EC_PARAMS, Value: p256}},
		pkcs11.Template{{Type: ck.CKA_TOKEN, Value: []byte{1}}, {Type: ck.CKA_ID, Value: []byte{id}}})
	return pub, err
}

func value(t *testing.T, m *pkcs11.Module, s session.SessionHandle, o session.ObjectHandle, typ ck.AttributeType) []byte {
	t.Helper()
	r := []pkcs11.Request{{Type: typ, Out: pkcs11.Out{Room: 4096}}}
	must(t, typ.String(), m.GetAttributeValue(s, o, r))
	return r[0].Out.Data
}

// sign signs with the key of that ID and checks the signature with point.
func sign(t *testing.T, m *pkcs11.Module, s session.SessionHandle, id byte, point []byte) {
	t.Helper()
	must(t, "search", m.FindObjectsInit(s, pkcs11.Template{{Type: ck.CKA_CLASS, Value: number(uint(ck.CKO_PRIVATE_KEY))}, {Type: ck.CKA_ID, Value: []byte{id}}}))
	found, err := m.FindObjects(s, 2)
	must(t, "search", err)
	must(t, "search", m.FindObjectsFinal(s))
	if len(found) != 1 {
		t.Fatalf("%d private keys %02x", len(found), id)
	}
	digest := sha256.Sum256([]byte("message"))
	must(t, "C_SignInit", m.SignInit(s, &pkcs11.Mechanism{Type: ck.CKM_ECDSA}, found[0]))
	if value(t, m, s, found[0], ck.CKA_ALWAYS_AUTHENTICATE)[0] == 1 {
		must(t, "C_Login for the key", m.Login(s, ck.CKU_CONTEXT_SPECIFIC, []byte(userPIN)))
	}
	out := &pkcs11.Out{Room: 64}
	must(t, "C_Sign", m.Sign(s, digest[:], out))
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point[2:])
	if err != nil {
		t.Fatal(err)
	}
	if !ecdsa.Verify(pub, digest[:], new(big.Int).SetBytes(out.Data[:32]), new(big.Int).SetBytes(out.Data[32:])) {
		t.Error("a wrong signature")
	}
}

// On every kind of card: the SO makes keys in the four main slots, the user
// signs with them, as each key's policy wants.
func TestKeys(t *testing.T) {
	for _, p := range softcard.Personalities() {
		t.Run(p.Name, func(t *testing.T) {
			m, _ := newModule(t, p.Name, pkcs11.Config{})
			s := open(t, m)
			info, err := m.GetTokenInfo(0)
			must(t, "C_GetTokenInfo", err)
			if info.Label == "" || info.Flags&ck.CKF_LOGIN_REQUIRED == 0 {
				t.Errorf("%+v", info)
			}
			must(t, "C_Login of the SO", m.Login(s, ck.CKU_SO, []byte(factory)))
			points := map[byte][]byte{}
			for id := byte(1); id <= 4; id++ {
				pub, err := generate(m, s, id)
				must(t, "C_GenerateKeyPair", err)
				points[id] = value(t, m, s, pub, ck.CKA_EC_POINT)
			}
			must(t, "C_Logout", m.Logout(s))
			must(t, "C_Login", m.Login(s, ck.CKU_USER, []byte(userPIN)))
			for id := byte(1); id <= 4; id++ {
				sign(t, m, s, id, points[id])
			}
		})
	}
}

// C_Login for the SO with what is no management key: the PUK, for C_InitPIN; a
// wrong PUK is C_InitPIN's to tell.
func TestInitPIN(t *testing.T) {
	m, _ := newModule(t, softcard.DefaultPersonality, pkcs11.Config{})
	s := open(t, m)
	for range 2 {
		want(t, "wrong PIN", m.Login(s, ck.CKU_USER, []byte("999998")), ck.CKR_PIN_INCORRECT)
		_, err := m.GetTokenInfo(0)
		must(t, "C_GetTokenInfo", err)
		want(t, "another", m.Login(s, ck.CKU_USER, []byte("999999")), ck.CKR_PIN_INCORRECT)
		_, err = m.GetTokenInfo(0) // which tells that the next one is the last
		must(t, "C_GetTokenInfo", err)
		want(t, "the last", m.Login(s, ck.CKU_USER, []byte("999997")), ck.CKR_PIN_LOCKED)
		want(t, "the right one", m.Login(s, ck.CKU_USER, []byte(userPIN)), ck.CKR_PIN_LOCKED)

		want(t, "neither key nor PUK", m.Login(s, ck.CKU_SO, []byte("abc")), ck.CKR_PIN_LEN_RANGE)
		want(t, "a wrong key", m.Login(s, ck.CKU_SO, []byte("000000000000000000000000000000000000000000000000")), ck.CKR_PIN_INCORRECT)
		must(t, "the PUK", m.Login(s, ck.CKU_SO, []byte(puk)))
		must(t, "C_InitPIN", m.InitPIN(s, []byte(userPIN)))
		must(t, "C_Logout", m.Logout(s))
		must(t, "C_Login", m.Login(s, ck.CKU_USER, []byte(userPIN)))
		must(t, "C_Logout", m.Logout(s))
	}
	must(t, "a wrong PUK", m.Login(s, ck.CKU_SO, []byte("87654321")))
	want(t, "C_InitPIN", m.InitPIN(s, []byte("654321")), ck.CKR_PIN_INCORRECT)
	_, err := generate(m, s, 1)
	want(t, "making a key with a PUK", err, ck.CKR_USER_NOT_LOGGED_IN)
}

// The management key changed by C_SetPIN, and one that is kept behind the PIN:
// then the PIN is the SO's secret, and a user may do what the SO does.
func TestManagementKey(t *testing.T) {
	m, h := newModule(t, softcard.DefaultPersonality, pkcs11.Config{})
	s := open(t, m)
	other := "0f0e0d0c0b0a09080706050403020100f0e0d0c0b0a09080"
	must(t, "C_Login of the SO", m.Login(s, ck.CKU_SO, []byte(factory)))
	want(t, "C_SetPIN, wrong", m.SetPIN(s, []byte(other), []byte(other)), ck.CKR_PIN_INCORRECT)
	must(t, "C_SetPIN", m.SetPIN(s, []byte(factory), []byte(other)))
	must(t, "C_Logout", m.Logout(s))
	want(t, "the old one", m.Login(s, ck.CKU_SO, []byte(factory)), ck.CKR_PIN_INCORRECT)
	must(t, "the new one", m.Login(s, ck.CKU_SO, []byte(other)))
	must(t, "C_Logout", m.Logout(s))

	must(t, "C_Login", m.Login(s, ck.CKU_USER, []byte(userPIN)))
	_, err := generate(m, s, 1)
	want(t, "the user makes a key", err, ck.CKR_USER_NOT_LOGGED_IN)
	must(t, "C_Logout", m.Logout(s))

	protect(t, h, other)
	// Nothing tells a program that another one did this while the card was in.
	must(t, "C_Finalize", m.Close())
	m = load(t, h, pkcs11.Config{})
	s = open(t, m)
	must(t, "C_Login of the SO with the PIN", m.Login(s, ck.CKU_SO, []byte(userPIN)))
	_, err = generate(m, s, 1)
	must(t, "the SO makes a key", err)
	must(t, "C_Logout", m.Logout(s))
	must(t, "C_Login", m.Login(s, ck.CKU_USER, []byte(userPIN)))
	pub, err := generate(m, s, 3)
	must(t, "the user makes a key", err)
	sign(t, m, s, 3, value(t, m, s, pub, ck.CKA_EC_POINT))
	// In 9E a key is no private object, and the card's printed information is one.
	pub, err = generate(m, s, 4)
	must(t, "the user makes a key that needs no PIN", err)
	sign(t, m, s, 4, value(t, m, s, pub, ck.CKA_EC_POINT))
	facial := pkcs11.Template{
		{Type: ck.CKA_CLASS, Value: number(uint(ck.CKO_DATA))},
		{Type: ck.CKA_TOKEN, Value: []byte{1}},
		{Type: ck.CKA_LABEL, Value: []byte("Cardholder Facial Image")},
		{Type: ck.CKA_VALUE, Value: []byte("a face")},
	}
	for _, user := range []struct {
		typ ck.UserType
		pin string
	}{{ck.CKU_USER, userPIN}, {ck.CKU_SO, other}} {
		must(t, "C_Logout", m.Logout(s))
		must(t, "C_Login", m.Login(s, user.typ, []byte(user.pin)))
		o, err := m.CreateObject(s, facial)
		must(t, "C_CreateObject of private data", err)
		if user.typ == ck.CKU_USER {
			if got := value(t, m, s, o, ck.CKA_VALUE); string(got) != "a face" {
				t.Errorf("read back: %q", got)
			}
		}
	}
}

// The SO who logged in with the PIN: what C_SetPIN changes then is the PIN, and
// no try of the PUK is spent; and the PIN is forgotten with the SO's logout.
func TestSOWithPIN(t *testing.T) {
	m, h := newModule(t, softcard.DefaultPersonality, pkcs11.Config{})
	protect(t, h, factory)
	s := open(t, m)
	must(t, "C_Login of the SO with the PIN", m.Login(s, ck.CKU_SO, []byte(userPIN)))
	_, err := generate(m, s, 1)
	must(t, "the SO makes a key", err)
	must(t, "C_SetPIN", m.SetPIN(s, []byte(userPIN), []byte("654321")))
	must(t, "C_Logout", m.Logout(s))
	must(t, "C_Login with the new PIN", m.Login(s, ck.CKU_USER, []byte("654321")))
	must(t, "C_Finalize", m.Close())

	ctx := context.Background()
	tok := cardIn(t, h)
	puk, err := tok.PINState(ctx, card.PUK)
	must(t, "PINState", err)
	if puk.Tries >= 0 && puk.Tries != puk.Max {
		t.Errorf("the PUK has %d tries of %d left", puk.Tries, puk.Max)
	}
	key, err := tok.Key(ctx, "9a")
	must(t, "Key", err)
	digest := make([]byte, 32)
	sign := func() error {
		_, err := tok.PrivateKey(ctx, key, nil, false).Sign(nil, digest, crypto.SHA256)
		return err
	}
	must(t, "LoginAdmin", tok.LoginAdmin(ctx, []byte("654321")))
	must(t, "LogoutAdmin", tok.LogoutAdmin(ctx))
	if err := sign(); !errors.Is(err, card.ErrLoginRequired) {
		t.Errorf("a signature after the SO's logout: %v", err)
	}
	// Where the user is logged in as well, in another application, the login stays.
	pin := secret.New([]byte("654321"))
	must(t, "LoginAdmin", tok.LoginAdmin(ctx, []byte("654321")))
	must(t, "Login", tok.Login(ctx, pin, false))
	must(t, "LogoutAdmin", tok.LogoutAdmin(ctx))
	must(t, "a signature of the user", sign())
	must(t, "Logout", tok.Logout(ctx))
	if err := sign(); !errors.Is(err, card.ErrLoginRequired) {
		t.Errorf("a signature after the user's logout: %v", err)
	}
}

// A key in 9E is no private object, so that the SO who made it finds it, under the
// handle that making it gave (S24).
func TestOneHandleForTheSO(t *testing.T) {
	m, _ := newModule(t, softcard.DefaultPersonality, pkcs11.Config{})
	s := open(t, m)
	must(t, "C_Login of the SO", m.Login(s, ck.CKU_SO, []byte(factory)))
	_, made, err := m.GenerateKeyPair(s, &pkcs11.Mechanism{Type: ck.CKM_EC_KEY_PAIR_GEN},
		pkcs11.Template{{Type: ck.CKA_TOKEN, Value: []byte{1}}, {Type: ck.CKA_EC_PARAMS, Value: p256}},
		pkcs11.Template{{Type: ck.CKA_TOKEN, Value: []byte{1}}, {Type: ck.CKA_ID, Value: []byte{4}}})
	must(t, "C_GenerateKeyPair", err)
	must(t, "search", m.FindObjectsInit(s, pkcs11.Template{{Type: ck.CKA_CLASS, Value: number(uint(ck.CKO_PRIVATE_KEY))}}))
	found, err := m.FindObjects(s, 2)
	must(t, "search", err)
	if len(found) != 1 || found[0] != made {
		t.Errorf("made as %d, found as %v", made, found)
	}
}

// A user who logs out does not log out the SO of another application.
func TestUserBesideSO(t *testing.T) {
	_, h := newModule(t, softcard.DefaultPersonality, pkcs11.Config{})
	l := pkcs11.New(NewSource(h), pkcs11.Config{})
	t.Cleanup(l.Close)
	user, so := l.Module(), l.Module()
	us, sos := open(t, user), open(t, so)
	must(t, "C_Login of the SO", so.Login(sos, ck.CKU_SO, []byte(factory)))
	must(t, "C_Login", user.Login(us, ck.CKU_USER, []byte(userPIN)))
	must(t, "C_Logout", user.Logout(us))
	_, err := generate(so, sos, 1)
	must(t, "the SO makes a key", err)
}

// C_Finalize leaves no card open to the next program, though it waits for none.
func TestFinalizeClosesTheCard(t *testing.T) {
	_, h := newModule(t, softcard.DefaultPersonality, pkcs11.Config{})
	protect(t, h, factory)
	states, err := h.Readers(context.Background())
	must(t, "Readers", err)
	conn, err := h.Connect(states[0].Reader)
	must(t, "Connect", err)
	defer conn.Close() //nolint:errcheck // the test is over
	for _, user := range []ck.UserType{ck.CKU_USER, ck.CKU_SO} {
		l := pkcs11.New(NewSource(h), pkcs11.Config{})
		m := l.Module()
		must(t, "C_Login", m.Login(open(t, m), user, []byte(userPIN)))
		must(t, "C_Finalize", m.Close())
		l.Close()
		must(t, "Transact", conn.Transact(context.Background(), func(tx apdu.Transaction) error {
			const selectPIV = "\x00\xA4\x04\x00\x09\xA0\x00\x00\x03\x08\x00\x00\x10\x00\x00"
			for _, command := range []string{"\x00\x20\x00\x80", selectPIV, "\x00\x20\x00\x80"} {
				answer, err := tx.Transmit([]byte(command))
				if err != nil {
					return err
				}
				if command != selectPIV && bytes.HasSuffix(answer, []byte{0x90, 0}) {
					t.Errorf("user %d: the PIN is still verified", user)
				}
			}
			return nil
		}))
	}
}

// Nor with its management key taken, of which the SO's logout tells no card of the
// standard.
func TestFinalizeTakesTheManagementKeyBack(t *testing.T) {
	_, h := newModule(t, "nist", pkcs11.Config{})
	states, err := h.Readers(context.Background())
	must(t, "Readers", err)
	conn, err := h.Connect(states[0].Reader)
	must(t, "Connect", err)
	defer conn.Close() //nolint:errcheck // the test is over
	l := pkcs11.New(NewSource(h), pkcs11.Config{})
	m := l.Module()
	s := open(t, m)
	must(t, "C_Login", m.Login(s, ck.CKU_SO, []byte(factory)))
	must(t, "C_Logout", m.Logout(s))
	must(t, "C_Finalize", m.Close())
	l.Close()
	must(t, "Transact", conn.Transact(context.Background(), func(tx apdu.Transaction) error {
		if _, err := tx.Transmit([]byte("\x00\xA4\x04\x00\x05\xA0\x00\x00\x03\x08\x00")); err != nil {
			return err
		}
		answer, err := tx.Transmit([]byte("\x00\xDB\x3F\xFF\x07\x5C\x03\x5F\xC1\x0A\x53\x00"))
		if err == nil && !bytes.HasSuffix(answer, []byte{0x69, 0x82}) {
			t.Errorf("PUT DATA: %X", answer)
		}
		return err
	}))
}

// cardIn is the card in the first reader, past the module.
func cardIn(t *testing.T, h *host.Host) pkcs11.AdminToken {
	t.Helper()
	states, err := h.Readers(context.Background())
	must(t, "Readers", err)
	conn, err := h.Connect(states[0].Reader)
	must(t, "Connect", err)
	tok := NewPIV(conn, func(bool) error { return conn.Close() })
	t.Cleanup(func() { _ = tok.Close(true) })
	return tok
}

// protect keeps the management key behind the PIN, as ykman does.
func protect(t *testing.T, h *host.Host, key string) {
	t.Helper()
	ctx := context.Background()
	c := cardIn(t, h).(*pivToken).Card
	raw, err := hex.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	must(t, "Login", c.Login(ctx, secret.New([]byte(userPIN)), piv.LoginOptions{}))
	must(t, "LoginAdmin", c.LoginAdmin(ctx, secret.New(append([]byte{}, raw...))))
	must(t, "SetManagementKey", c.SetManagementKey(ctx, piv.AES192, secret.New(raw), piv.ManagementKeyOptions{Protect: true}))
}

// C_InitToken resets where that is allowed, with the SO's secret only.
func TestInitToken(t *testing.T) {
	m, _ := newModule(t, softcard.DefaultPersonality, pkcs11.Config{AllowReset: true})
	s := open(t, m)
	must(t, "C_SetPIN", m.SetPIN(s, []byte(userPIN), []byte("654321")))
	want(t, "with a session open", m.InitToken(0, []byte(factory), "x"), ck.CKR_SESSION_EXISTS)
	must(t, "C_CloseSession", m.CloseSession(s))
	want(t, "a wrong key", m.InitToken(0, []byte("000000000000000000000000000000000000000000000000"), "x"), ck.CKR_PIN_INCORRECT)
	must(t, "C_InitToken", m.InitToken(0, []byte(factory), "x"))
	must(t, "C_Login", m.Login(open(t, m), ck.CKU_USER, []byte(userPIN)))
}

// Every data object has an OID, and the names are those the tokens take.
func TestDataObjects(t *testing.T) {
	tok := NewPIV(nil, nil).(*pivToken)
	if len(tok.DataObjects()) != len(dataOIDs) {
		t.Errorf("%d data objects, %d OIDs", len(tok.DataObjects()), len(dataOIDs))
	}
	for _, d := range tok.DataObjects() {
		if _, err := dataTag(d.Name); err != nil || len(d.OID) != 9 {
			t.Errorf("%+v: %v", d, err)
		}
	}
	if s := tok.KeySlots(); len(s) != 25 || s[0].Ref != card.KeyRef("9a") || !s[24].Hidden {
		t.Errorf("%+v", s)
	}
}
