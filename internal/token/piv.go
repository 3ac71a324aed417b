// Package token makes the tokens of package pkcs11 of the applets on cards. It
// stands between pkcs11, which knows no applet, and the applets, which know no
// PKCS #11.
package token

import (
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/secret"
	"cardbridge/pkcs11"
	"cardbridge/pkcs11/ck"
)

// A pivToken is the PIV applet as a token.
type pivToken struct {
	*piv.Card
	close func(reset bool) error

	// Who is logged in. User and SO may be both, in two applications; neither's
	// logout is the other's.
	mu   sync.Mutex
	user bool
	so   soLogin
	puk  *secret.Secret // what the SO logged in with, where that is the PUK
}

// soLogin is how the SO is logged in.
type soLogin int

const (
	soOut soLogin = iota
	soIn
	soWithPIN // with the user's PIN, which opens the management key
)

var (
	_ pkcs11.AdminToken = (*pivToken)(nil)
	_ pkcs11.PadToken   = (*pivToken)(nil)
)

// NewPIV returns the PIV applet behind conn as a token. close ends the
// connection, and may be told to reset the card before; it may be nil. PINs of any
// characters are sent: a program's user has no way to insist on one, and would be
// locked out of a card that takes it.
func NewPIV(conn card.Conn, close func(reset bool) error) pkcs11.AdminToken {
	return &pivToken{Card: piv.Open(conn, piv.WithAnyPIN()), close: close}
}

// Applet is card.PIV.
func (t *pivToken) Applet() card.Applet { return card.PIV }

// KeySlots lists PIV's slots.
func (t *pivToken) KeySlots() []pkcs11.KeySlot { return pivSlots() }

var pivSlots = sync.OnceValue(func() (all []pkcs11.KeySlot) {
	for _, s := range piv.Slots() {
		all = append(all, pkcs11.KeySlot{Ref: s.Ref, ID: s.ID, Label: s.Label, Hidden: s.Attestation})
	}
	return all
})

// dataOIDs are the object identifiers of PIV's data objects, below
// 2.16.840.1.101.3.7 (SP 800-73-4 part 1, table 3).
var dataOIDs = map[string][2]int{
	"ccc": {219, 0}, "chuid": {48, 0}, "fingerprints": {96, 16}, "security": {144, 0}, "facial-image": {96, 48},
	"printed": {48, 1}, "discovery": {96, 80}, "key-history": {96, 96}, "iris-images": {16, 21},
	"bit-group": {16, 22}, "sm-signer": {16, 23}, "pairing-code": {16, 24},
}

// DataObjects lists PIV's data objects less the certificates, which are objects
// of their own kind.
func (t *pivToken) DataObjects() []pkcs11.DataObject { return pivData() }

var pivData = sync.OnceValue(func() (all []pkcs11.DataObject) {
	for _, o := range piv.Objects() {
		if o.Slot != "" {
			continue
		}
		d := pkcs11.DataObject{Name: o.Label, Private: o.PIN}
		if oid, ok := dataOIDs[o.Name]; ok {
			d.OID = append([]int{2, 16, 840, 1, 101, 3, 7}, oid[:]...)
		} else {
			continue // Yubico's own objects are for its own programs
		}
		all = append(all, d)
	}
	return all
})

func dataTag(name string) (piv.Tag, error) {
	for _, o := range piv.Objects() {
		if o.Label == name {
			return o.Tag, nil
		}
	}
	return 0, card.ErrNotFound
}

// PINLimits is 6 to 8 (SP 800-73-4 part 1, section 2.4.3).
func (t *pivToken) PINLimits() (least, greatest int) { return 6, 8 }

// ReadData reads a data object.
func (t *pivToken) ReadData(ctx context.Context, name string) ([]byte, error) {
	tag, err := dataTag(name)
	if err != nil {
		return nil, err
	}
	return t.ReadObject(ctx, tag)
}

// WriteData writes a data object.
func (t *pivToken) WriteData(ctx context.Context, name string, value []byte) error {
	tag, err := t.writable(ctx, name)
	if err != nil {
		return err
	}
	return t.WriteObject(ctx, tag, value)
}

// DeleteData empties a data object.
func (t *pivToken) DeleteData(ctx context.Context, name string) error {
	tag, err := t.writable(ctx, name)
	if err != nil {
		return err
	}
	return t.DeleteObject(ctx, tag)
}

// writable is dataTag for writing: where the management key is kept in the place
// of the printed information, that is its only copy.
func (t *pivToken) writable(ctx context.Context, name string) (piv.Tag, error) {
	tag, err := dataTag(name)
	if err != nil || tag != piv.TagPrinted {
		return tag, err
	}
	info, err := t.ManagementKey(ctx)
	if err != nil && !errors.Is(err, card.ErrUnsupported) {
		return 0, err
	}
	if info.Protected {
		return 0, fmt.Errorf("%w: the card's management key is kept there", ck.CKR_ACTION_PROHIBITED)
	}
	return tag, nil
}

// Login verifies the user's PIN.
func (t *pivToken) Login(ctx context.Context, pin *secret.Secret, spendLastTry bool) error {
	return t.userIn(t.Card.Login(ctx, pin, piv.LoginOptions{SpendLastTry: spendLastTry}))
}

// userIn takes note of a login of the user's.
func (t *pivToken) userIn(err error) error {
	if err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.user = true
	}
	return err
}

// Confirm verifies the PIN, unless it is the one of Login.
func (t *pivToken) Confirm(ctx context.Context, pin *secret.Secret, spendLastTry bool) error {
	return t.Card.Confirm(ctx, pin, piv.LoginOptions{SpendLastTry: spendLastTry})
}

// LoginOnPad verifies a PIN typed on the reader's keys.
func (t *pivToken) LoginOnPad(ctx context.Context, spendLastTry bool) error {
	return t.userIn(t.Card.LoginOnPad(ctx, piv.LoginOptions{SpendLastTry: spendLastTry}))
}

// ChangePINOnPad changes the user's PIN, old and new typed on the reader's keys.
func (t *pivToken) ChangePINOnPad(ctx context.Context, spendLastTry bool) error {
	return t.Card.ChangePINOnPad(ctx, card.PIN, piv.LoginOptions{SpendLastTry: spendLastTry})
}

// UnblockPINOnPad sets the PIN, typed on the reader's keys, with the PUK that
// LoginAdmin was given, or one that is typed as well.
func (t *pivToken) UnblockPINOnPad(ctx context.Context, typePUK bool) error {
	var puk *secret.Secret
	if !typePUK {
		if puk = t.keptPUK(); puk == nil {
			return card.ErrLoginRequired
		}
		defer puk.Wipe()
	}
	return t.Card.UnblockPINOnPad(ctx, puk, piv.LoginOptions{})
}

// PrivateKeyOnPad is the key with a PIN typed on the reader's keys.
func (t *pivToken) PrivateKeyOnPad(ctx context.Context, info card.KeyInfo, spendLastTry bool) card.PrivateKey {
	return t.Card.PrivateKey(ctx, info, piv.UseOptions{Pad: true, SpendLastTry: spendLastTry})
}

// LoginAdmin takes what C_Login gets for the SO: the management key in hex; or,
// being shorter, the user's PIN where the management key is kept on the card
// behind it, and the PUK otherwise. A PUK cannot be checked without being used:
// that is left to UnblockPIN. nil is the key behind the PIN, after Login.
func (t *pivToken) LoginAdmin(ctx context.Context, pin []byte) error {
	if pin == nil {
		return t.Card.LoginAdmin(ctx, nil)
	}
	if key, ok := managementKey(pin); ok {
		defer key.Wipe()
		if err := t.Card.LoginAdmin(ctx, key); err != nil {
			return err
		}
		t.setSO(soIn, nil)
		return nil
	}
	short := secret.New(slices.Clone(pin))
	isPIN, err := t.pinOpensKey(ctx)
	switch {
	case err == nil && isPIN:
		defer short.Wipe()
		if err := t.Card.Login(ctx, short, piv.LoginOptions{}); err != nil {
			return err
		}
		t.setSO(soWithPIN, nil)
		if err := t.Card.LoginAdmin(ctx, nil); err != nil {
			return errors.Join(err, t.LogoutAdmin(ctx))
		}
		return nil
	case err == nil && (short.Len() < 6 || short.Len() > 8):
		err = card.ErrWrongSecretFormat
	}
	if err != nil {
		short.Wipe()
		return err
	}
	t.setSO(soIn, short)
	return nil
}

// pinOpensKey tells whether the management key is kept on the card behind the
// PIN, or made of it, so that the PIN is the SO's secret too.
func (t *pivToken) pinOpensKey(ctx context.Context) (bool, error) {
	info, err := t.ManagementKey(ctx)
	if err != nil && !errors.Is(err, card.ErrUnsupported) {
		return false, err
	}
	return info.Protected || info.Derived, nil
}

// setSO takes note of how the SO is logged in, and keeps the PUK if with that.
func (t *pivToken) setSO(how soLogin, puk *secret.Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.so = how
	t.puk.Wipe()
	t.puk = puk
}

// ProveAdmin is LoginAdmin with what a card can check without harm: a PUK is not.
func (t *pivToken) ProveAdmin(ctx context.Context, pin []byte) error {
	if pin == nil {
		return fmt.Errorf("%w: a secret must be given", ck.CKR_ARGUMENTS_BAD)
	}
	if err := t.LoginAdmin(ctx, pin); err != nil {
		return err
	}
	t.mu.Lock()
	unproven := t.puk != nil
	t.mu.Unlock()
	if unproven {
		t.setSO(soOut, nil)
		return fmt.Errorf("%w: it is no management key, and a PUK cannot be checked without being used", ck.CKR_PIN_INCORRECT)
	}
	return nil
}

// keptPUK is a copy of it, nil where there is none.
func (t *pivToken) keptPUK() *secret.Secret {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.puk == nil {
		return nil
	}
	return t.puk.Clone()
}

// managementKey reads a key in hex: 16, 24 or 32 bytes.
func managementKey(text []byte) (*secret.Secret, bool) {
	b := make([]byte, hex.DecodedLen(len(text)))
	n, err := hex.Decode(b, text)
	if err != nil || n != 16 && n != 24 && n != 32 {
		clear(b)
		return nil, false
	}
	return secret.New(b), true
}

// LogoutAdmin forgets the SO's secret.
func (t *pivToken) LogoutAdmin(ctx context.Context) error {
	t.mu.Lock()
	pin := t.so == soWithPIN && !t.user
	t.puk.Wipe()
	t.puk = nil
	t.mu.Unlock()
	err := t.Card.LogoutAdmin(ctx)
	if pin {
		err = errors.Join(err, t.Card.Logout(ctx))
	}
	if err == nil {
		t.setSO(soOut, nil)
	}
	return err
}

// Logout forgets the user's PIN, and a management key that the PIN opened for
// the user.
func (t *pivToken) Logout(ctx context.Context) (err error) {
	t.mu.Lock()
	so := t.so
	t.mu.Unlock()
	if so == soOut {
		err = t.Card.LogoutAdmin(ctx)
	}
	if so != soWithPIN {
		err = errors.Join(err, t.Card.Logout(ctx))
	}
	if err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.user = false
	}
	return err
}

// UnblockPIN sets the PIN with the PUK.
func (t *pivToken) UnblockPIN(ctx context.Context, puk, replacement *secret.Secret) error {
	if puk == nil {
		if puk = t.keptPUK(); puk == nil {
			return card.ErrLoginRequired
		}
		defer puk.Wipe()
	}
	return t.Card.UnblockPIN(ctx, puk, replacement, piv.LoginOptions{})
}

// ChangePIN changes the user's PIN.
func (t *pivToken) ChangePIN(ctx context.Context, old, replacement *secret.Secret, spendLastTry bool) error {
	return t.Card.ChangePIN(ctx, card.PIN, old, replacement, piv.LoginOptions{SpendLastTry: spendLastTry})
}

// ChangeAdmin changes the management key, both given in hex, or what else
// LoginAdmin takes: the PIN where that opens the key, else the PUK. The new management key's kind follows from its length: 24 bytes stay what the key
// was, where that had 24.
func (t *pivToken) ChangeAdmin(ctx context.Context, old, replacement []byte) error {
	before, isKey := managementKey(old)
	after, alsoKey := managementKey(replacement)
	if isKey != alsoKey {
		before.Wipe()
		after.Wipe()
		return card.ErrWrongSecretFormat
	}
	if !isKey {
		which := card.PUK
		if isPIN, err := t.pinOpensKey(ctx); err != nil {
			return err
		} else if isPIN {
			which = card.PIN
		}
		b, a := secret.New(slices.Clone(old)), secret.New(slices.Clone(replacement))
		defer b.Wipe()
		defer a.Wipe()
		return t.Card.ChangePIN(ctx, which, b, a, piv.LoginOptions{})
	}
	defer before.Wipe()
	defer after.Wipe()
	if err := t.Card.LoginAdmin(ctx, before); err != nil {
		return err
	}
	info, err := t.ManagementKey(ctx)
	if err != nil && !errors.Is(err, card.ErrUnsupported) {
		return err
	}
	alg := info.Algorithm
	if alg.KeyLength() != after.Len() {
		alg = map[int]piv.ManagementAlgorithm{16: piv.AES128, 24: piv.TripleDES, 32: piv.AES256}[after.Len()]
	}
	return t.SetManagementKey(ctx, alg, after, piv.ManagementKeyOptions{Touch: info.TouchPolicy == card.TouchAlways})
}

// PrivateKey is the key itself.
func (t *pivToken) PrivateKey(ctx context.Context, info card.KeyInfo, pin *secret.Secret, spendLastTry bool) card.PrivateKey {
	return t.Card.PrivateKey(ctx, info, piv.UseOptions{PIN: pin, SpendLastTry: spendLastTry})
}

// Generate makes a key on the card.
func (t *pivToken) Generate(ctx context.Context, ref card.KeyRef, alg card.Algorithm, p pkcs11.Policy) (card.KeyInfo, error) {
	info, err := t.Card.Generate(ctx, ref, piv.GenerateOptions{Algorithm: alg, PINPolicy: p.PIN, TouchPolicy: p.Touch})
	return t.complete(ctx, info, err)
}

// Import puts a key on the card.
func (t *pivToken) Import(ctx context.Context, ref card.KeyRef, key crypto.PrivateKey, p pkcs11.Policy) (card.KeyInfo, error) {
	info, err := t.Card.Import(ctx, ref, key, piv.ImportOptions{PINPolicy: p.PIN, TouchPolicy: p.Touch})
	return t.complete(ctx, info, err)
}

// complete asks the card for the policies that it gave a new key by itself:
// CKA_ALWAYS_AUTHENTICATE must be true. Where it does not tell, the standard's
// default for the slot is what a key without metadata is taken for later on.
func (t *pivToken) complete(ctx context.Context, info card.KeyInfo, err error) (card.KeyInfo, error) {
	if err != nil || info.PINPolicy != card.PINUnknown {
		return info, err
	}
	if asked, err := t.Key(ctx, info.Ref); err == nil {
		return asked, nil
	}
	if s, ok := piv.SlotByName(string(info.Ref)); ok {
		info.PINPolicy = s.PINPolicy
	}
	return info, nil
}

// PutCertificate stores a certificate, compressed where it would not fit
// otherwise.
func (t *pivToken) PutCertificate(ctx context.Context, ref card.KeyRef, der []byte) error {
	return t.Card.PutCertificate(ctx, ref, der, piv.PutCertificateOptions{Compress: len(der) > uncompressed})
}

// uncompressed is the longest certificate that SP 800-73-4 part 1, table 7 makes
// room for as it is.
const uncompressed = 1856

// Close forgets secrets and ends the connection. A card that was not seen to
// forget what it took - C_Finalize does not wait for a logout, programs rely on
// that rather than log out, and no logout reaches a management key - is reset,
// which costs no command: the next program must not find it open.
func (t *pivToken) Close(gone bool) error {
	t.setSO(soOut, nil)
	err := t.Card.Close()
	if t.close != nil {
		err = errors.Join(err, t.close(t.Unlocked() && !gone))
	}
	return err
}
