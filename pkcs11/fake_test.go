package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/internal/secret"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// A fakeCard is a token in memory. It counts what a card would be asked.
type fakeCard struct {
	mu    sync.Mutex
	keys  map[card.KeyRef]crypto.PrivateKey
	infos map[card.KeyRef]card.KeyInfo
	certs map[card.KeyRef][]byte
	data  map[string][]byte
	pin   string
	admin string
	tries int

	withheld map[card.KeyRef]bool // certificates that this reader is not given

	user, so  bool
	answered  func()         // called when PINState has its answer
	confirmed *secret.Secret // the last PIN of Confirm
	gone      error          // of every use of a key
	asked     int            // everything that would be an APDU
	uses      int            // private key operations
}

const (
	fakePIN   = "123456"
	fakeAdmin = "010203"
)

var fakeSlots = []KeySlot{
	{"a", 1, "First", false},
	{"b", 2, "Second", false},
	{"c", 3, "Third", false},
	{"d", 4, "Fourth", false},
	{"e", 5, "Fifth", false},
	{"z", 25, "Hidden", true},
}

func newFakeCard() *fakeCard {
	return &fakeCard{
		keys: map[card.KeyRef]crypto.PrivateKey{}, infos: map[card.KeyRef]card.KeyInfo{}, certs: map[card.KeyRef][]byte{},
		data: map[string][]byte{}, pin: fakePIN, admin: fakeAdmin, tries: 3,
	}
}

func (f *fakeCard) ask() func() {
	f.mu.Lock()
	f.asked++
	return f.mu.Unlock
}

func (f *fakeCard) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *fakeCard) put(ref card.KeyRef, key crypto.PrivateKey, policy card.PINPolicy, origin card.Origin) {
	for _, s := range fakeSlots {
		if s.Ref == ref {
			f.keys[ref] = key
			f.infos[ref] = card.KeyInfo{
				Ref: ref, ID: s.ID, Label: s.Label, Public: key.(interface{ Public() crypto.PublicKey }).Public(),
				PINPolicy: policy, Origin: origin,
			}
		}
	}
}

func (f *fakeCard) Applet() card.Applet { return card.PIV }
func (f *fakeCard) KeySlots() []KeySlot { return fakeSlots }
func (f *fakeCard) DataObjects() []DataObject {
	return []DataObject{{"Open", []int{1, 2, 3}, false}, {"Closed", []int{1, 2, 4}, true}}
}

func (f *fakeCard) Together(ctx context.Context, g func(context.Context) error) error { return g(ctx) }

func (f *fakeCard) PINLimits() (int, int) { return 4, 8 }

func (f *fakeCard) Identity(context.Context) (card.Identity, error) {
	defer f.ask()()
	return card.Identity{Applet: card.PIV, Manufacturer: "Nobody", Model: "Fake", Serial: "42", Version: card.Version{Major: 1, Minor: 2, Patch: 3}}, nil
}

func (f *fakeCard) PINState(_ context.Context, n card.SecretName) (card.PINState, error) {
	done := f.ask()
	s := card.PINState{Name: n, Tries: f.tries, Max: 3}
	done()
	if f.answered != nil {
		f.answered()
	}
	return s, nil
}

func (f *fakeCard) Keys(context.Context) (all []card.KeyInfo, _ error) {
	defer f.ask()()
	for _, s := range fakeSlots {
		if i, ok := f.infos[s.Ref]; ok && !s.Hidden {
			all = append(all, i)
		}
	}
	return all, nil
}

func (f *fakeCard) Key(_ context.Context, ref card.KeyRef) (card.KeyInfo, error) {
	defer f.ask()()
	i, ok := f.infos[ref]
	if !ok && f.withheld[ref] {
		return i, fmt.Errorf("%w: %w", card.ErrWithheld, apdu.ErrSecurityStatus)
	}
	if !ok {
		return i, card.ErrNotFound
	}
	return i, nil
}

func (f *fakeCard) Certificate(_ context.Context, ref card.KeyRef) ([]byte, error) {
	defer f.ask()()
	if f.withheld[ref] {
		return nil, fmt.Errorf("%w: %w", card.ErrWithheld, apdu.ErrSecurityStatus)
	}
	c, ok := f.certs[ref]
	if !ok {
		return nil, card.ErrNotFound
	}
	return c, nil
}

func (f *fakeCard) ReadData(_ context.Context, name string) ([]byte, error) {
	defer f.ask()()
	v, ok := f.data[name]
	if !ok {
		return nil, card.ErrNotFound
	}
	return v, nil
}

func (f *fakeCard) Login(_ context.Context, pin *secret.Secret, spend bool) error {
	defer f.ask()()
	switch {
	case f.tries == 0:
		return &card.Blocked{Name: card.PIN}
	case f.tries == 1 && !spend:
		return card.ErrLastTry
	case !f.right(pin):
		f.tries--
		return &card.WrongPIN{Name: card.PIN, Tries: f.tries}
	}
	f.tries, f.user = 3, true
	return nil
}

func (f *fakeCard) Confirm(ctx context.Context, pin *secret.Secret, spend bool) error {
	f.confirmed = pin
	if f.user && f.right(pin) {
		return nil
	}
	return f.Login(ctx, pin, spend)
}

func (f *fakeCard) right(pin *secret.Secret) (ok bool) {
	_ = pin.Use(func(b []byte) error {
		ok = string(b) == f.pin
		return nil
	})
	return ok
}

func (f *fakeCard) Logout(context.Context) error {
	defer f.ask()()
	f.user = false
	return nil
}

func (f *fakeCard) LoginAdmin(_ context.Context, pin []byte) error {
	defer f.ask()()
	if pin == nil {
		return card.ErrAdminRequired
	}
	if string(pin) != f.admin {
		return &card.WrongPIN{Name: card.ManagementKey, Tries: -1}
	}
	f.so = true
	return nil
}

func (f *fakeCard) ProveAdmin(ctx context.Context, pin []byte) error { return f.LoginAdmin(ctx, pin) }

func (f *fakeCard) LogoutAdmin(context.Context) error {
	defer f.ask()()
	f.so = false
	return nil
}

func (f *fakeCard) needSO() error {
	if !f.so {
		return card.ErrAdminRequired
	}
	return nil
}

func (f *fakeCard) Generate(_ context.Context, ref card.KeyRef, alg card.Algorithm, p Policy) (card.KeyInfo, error) {
	defer f.ask()()
	if err := f.needSO(); err != nil {
		return card.KeyInfo{}, err
	}
	var key crypto.PrivateKey
	var err error
	switch alg {
	case card.RSA2048:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case card.P256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case card.Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case card.X25519:
		key, err = ecdh.X25519().GenerateKey(rand.Reader)
	default:
		return card.KeyInfo{}, card.ErrUnsupported
	}
	if p.PIN == card.PINUnknown {
		p.PIN = card.PINOnce
	}
	f.put(ref, key, p.PIN, card.OriginGenerated)
	return f.infos[ref], err
}

func (f *fakeCard) Import(_ context.Context, ref card.KeyRef, key crypto.PrivateKey, p Policy) (card.KeyInfo, error) {
	defer f.ask()()
	if err := f.needSO(); err != nil {
		return card.KeyInfo{}, err
	}
	if p.PIN == card.PINUnknown {
		p.PIN = card.PINOnce
	}
	f.put(ref, key, p.PIN, card.OriginImported)
	return f.infos[ref], nil
}

func (f *fakeCard) DeleteKey(_ context.Context, ref card.KeyRef) error {
	defer f.ask()()
	delete(f.infos, ref)
	delete(f.keys, ref)
	return f.needSO()
}

func (f *fakeCard) PutCertificate(_ context.Context, ref card.KeyRef, der []byte) error {
	defer f.ask()()
	f.certs[ref] = der
	return f.needSO()
}

func (f *fakeCard) DeleteCertificate(_ context.Context, ref card.KeyRef) error {
	defer f.ask()()
	delete(f.certs, ref)
	return f.needSO()
}

func (f *fakeCard) WriteData(_ context.Context, name string, v []byte) error {
	defer f.ask()()
	f.data[name] = v
	return f.needSO()
}

func (f *fakeCard) DeleteData(_ context.Context, name string) error {
	defer f.ask()()
	delete(f.data, name)
	return f.needSO()
}

func (f *fakeCard) ChangePIN(_ context.Context, old, replacement *secret.Secret, spend bool) error {
	defer f.ask()()
	if f.tries == 1 && !spend {
		return card.ErrLastTry
	}
	if !f.right(old) {
		f.tries--
		return &card.WrongPIN{Name: card.PIN, Tries: f.tries}
	}
	return replacement.Use(func(b []byte) error {
		f.pin = string(b)
		return nil
	})
}

func (f *fakeCard) ChangeAdmin(_ context.Context, old, replacement []byte) error {
	defer f.ask()()
	if string(old) != f.admin {
		return &card.WrongPIN{Name: card.ManagementKey, Tries: -1}
	}
	f.admin = string(replacement)
	return nil
}

func (f *fakeCard) UnblockPIN(_ context.Context, _, replacement *secret.Secret) error {
	defer f.ask()()
	f.tries = 3
	return replacement.Use(func(b []byte) error {
		f.pin = string(b)
		return nil
	})
}

func (f *fakeCard) Reset(context.Context) error {
	defer f.ask()()
	clear(f.keys)
	clear(f.infos)
	clear(f.certs)
	return nil
}

func (f *fakeCard) Close(bool) error { return nil }

func (f *fakeCard) PrivateKey(_ context.Context, info card.KeyInfo, pin *secret.Secret, _ bool) card.PrivateKey {
	return fakeKey{softKey{f.keys[info.Ref]}, f, info, pin}
}

// A fakeKey wants what the key's policy wants.
type fakeKey struct {
	softKey
	f    *fakeCard
	info card.KeyInfo
	pin  *secret.Secret
}

func (k fakeKey) Info() card.KeyInfo { return k.info }

func (k fakeKey) allowed() error {
	defer k.f.ask()()
	k.f.uses++
	if k.f.gone != nil {
		return k.f.gone
	}
	switch k.info.PINPolicy {
	case card.PINNever:
		return nil
	case card.PINAlways:
		if k.pin == nil || !k.f.right(k.pin) {
			return card.ErrLoginRequired
		}
		return nil
	}
	if !k.f.user {
		return card.ErrLoginRequired
	}
	return nil
}

func (k fakeKey) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := k.allowed(); err != nil {
		return nil, err
	}
	return k.softKey.Sign(r, digest, opts)
}

func (k fakeKey) Decrypt(r io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if err := k.allowed(); err != nil {
		return nil, err
	}
	return k.softKey.Decrypt(r, msg, opts)
}

func (k fakeKey) ECDH(peer *ecdh.PublicKey) ([]byte, error) {
	if err := k.allowed(); err != nil {
		return nil, err
	}
	return k.softKey.ECDH(peer)
}

func (k fakeKey) RSA(b []byte) ([]byte, error) {
	if err := k.allowed(); err != nil {
		return nil, err
	}
	return k.softKey.RSA(b)
}

// A fakeSource has events put into it.
type fakeSource chan SlotEvent

func (s fakeSource) Watch(ctx context.Context, deliver func(SlotEvent), ready func()) error {
	for {
		select {
		case e := <-s:
			if e.Slot.Reader == "" {
				ready()
				continue
			}
			deliver(e)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var fakeSlot = Slot{"Reader", card.PIV}

// newModule is a module with one card in slot 0.
func newModule(t testing.TB, f *fakeCard, c Config) *Module {
	t.Helper()
	s := make(fakeSource, 8)
	s <- SlotEvent{Slot: fakeSlot, Token: f}
	s <- SlotEvent{}
	l := New(s, c)
	t.Cleanup(l.Close)
	m := l.Module()
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func open(t testing.TB, m *Module, flags ck.Flags) session.SessionHandle {
	t.Helper()
	s, err := m.OpenSession(0, flags|ck.CKF_SERIAL_SESSION, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// want fails unless err is the code.
func want(t testing.TB, what string, err error, code ck.RV) {
	t.Helper()
	if got := Code(err); got != code {
		t.Fatalf("%s: %v (%v), want %v", what, got, err, code)
	}
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	want(t, what, err, ck.CKR_OK)
}

// out runs the two-call dance and returns the output.
func out(t testing.TB, what string, f func(*Out) error) []byte {
	t.Helper()
	o := &Out{Null: true}
	must(t, what+" (length)", f(o))
	o = &Out{Room: o.Len}
	must(t, what, f(o))
	return o.Data[:o.Len]
}

// A fakeMemory has what parameters point to; addresses are 1000, 2000, ...
type fakeMemory struct{ at [][]byte }

func (m *fakeMemory) add(b []byte) uint64 {
	m.at = append(m.at, b)
	return uint64(len(m.at)) * 1000
}

func (m *fakeMemory) Read(address uint64, n uint) ([]byte, error) {
	i := address/1000 - 1
	if i >= uint64(len(m.at)) || n > uint(len(m.at[i])) {
		return nil, errors.New("segmentation fault")
	}
	return append([]byte{}, m.at[i][:n]...), nil
}

func (m *fakeMemory) Write(address uint64, b []byte) error {
	copy(m.at[address/1000-1], b)
	return nil
}

// param lays out a structure of CK_ULONGs and pointers. A []byte becomes a
// pointer; follow it with its length where the structure has it there.
func param(fields ...any) Parameter {
	mem := &fakeMemory{}
	p := Parameter{Memory: mem, Bytes: []byte{}}
	for _, f := range fields {
		switch v := f.(type) {
		case []byte:
			if ck.PointerSize == 4 {
				p.Bytes = binary.NativeEndian.AppendUint32(p.Bytes, uint32(mem.add(v)))
			} else {
				p.Bytes = binary.NativeEndian.AppendUint64(p.Bytes, mem.add(v))
			}
		case uint:
			p.Bytes = append(p.Bytes, encodeULong(v)...)
		case int:
			p.Bytes = append(p.Bytes, encodeULong(uint(v))...)
		case ck.MechanismType:
			p.Bytes = append(p.Bytes, encodeULong(uint(v))...)
		case ck.Generator:
			p.Bytes = append(p.Bytes, encodeULong(uint(v))...)
		case string: // raw bytes
			p.Bytes = append(p.Bytes, v...)
		}
	}
	return p
}
