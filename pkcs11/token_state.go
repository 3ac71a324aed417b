package pkcs11

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"cardbridge/card"
	"cardbridge/internal/secret"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// A token is a Token while it is in its slot: what was read of it, and the
// objects made of that. A token that comes back is a new one.
type token struct {
	lib    *Library
	slot   session.SlotID
	card   Token
	ctx    context.Context // ends when the card is removed
	cancel context.CancelFunc

	// reading is held while the card is read, so that nothing is read twice.
	// Only those who need that card wait for it.
	reading sync.Mutex

	mu       sync.Mutex // short
	identity *card.Identity
	keys     map[card.KeyRef]*card.KeyInfo // nil value: read, and not there
	certs    map[card.KeyRef][]byte        // nil value: read, and not there
	all      bool                          // all keys were read
	objects  map[objectKey]*object
	// pin is the state of the user's PIN as of pinAt; see pinState.
	pin   card.PINState
	pinAt time.Time
	// pinUses counts what may have changed that state, so that an answer that
	// was under way meanwhile is not kept.
	pinUses uint64
	// finalTry is set once an application was told CKF_USER_PIN_FINAL_TRY.
	finalTry bool
	pad      *bool // whether the reader has a PIN pad; nil: not asked yet
}

// An objectKey tells the objects of one token apart.
type objectKey struct {
	class   ck.ObjectClass
	ref     card.KeyRef
	data    string
	profile ck.Profile
	private bool
	admin   bool // see adminView
}

func newToken(l *Library, slot session.SlotID, t Token) *token {
	k := &token{
		lib: l, slot: slot, card: t,
		keys: map[card.KeyRef]*card.KeyInfo{}, certs: map[card.KeyRef][]byte{}, objects: map[objectKey]*object{},
	}
	k.ctx, k.cancel = context.WithCancel(l.ctx)
	return k
}

// end forgets a token, which is gone or that the library lets go. It does not
// wait for the card: an operation that is under way ends by itself, and then its
// secrets go.
func (t *token) end(gone bool) {
	t.cancel()
	t.lib.gone.Go(func() {
		if err := t.card.Close(gone); err != nil {
			t.lib.logf("slot %d: %v", t.slot, err)
		}
	})
}

// Login is called by package session, one login or logout at a time.
func (t *token) Login(user session.UserType, _ string, pin []byte) (err error) {
	so := ck.UserType(user) == ck.CKU_SO
	switch {
	case so && pin == nil:
		return ck.CKR_ARGUMENTS_BAD // a management key is nothing to type
	case so:
		err = t.card.LoginAdmin(t.ctx, pin)
	case pin == nil:
		err = t.onPad(func(p PadToken) error { return p.LoginOnPad(t.ctx, t.mayspend()) })
	default:
		s := secret.New(slices.Clone(pin))
		defer s.Wipe()
		err = t.card.Login(t.ctx, s, t.mayspend())
	}
	t.pinUsed(err == nil && !so)
	return t.noticed(err)
}

// fresh is how long the state of the PIN is taken for what it was. Programs ask
// for CK_TOKEN_INFO twice in a row (pkcs11-tool does), which is two or more
// commands for one answer; what another program does within a second could as
// well have happened a second later. It is for showing only: whether a try can
// be spared is asked anew with each login. What this program does itself shows
// at once: pinUsed.
const fresh = time.Second

// pinState asks the card how the user's PIN stands.
func (t *token) pinState(ctx context.Context) (card.PINState, error) {
	t.mu.Lock()
	pin, at, uses := t.pin, t.pinAt, t.pinUses
	t.mu.Unlock()
	if time.Since(at) < fresh {
		return pin, nil
	}
	pin, err := t.card.PINState(ctx, card.PIN)
	if err != nil {
		return pin, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pinUses == uses {
		t.pin, t.pinAt = pin, time.Now()
	}
	return pin, nil
}

// padToken is the token in a reader with a PIN pad; without one, a PIN has to be
// given.
func (t *token) padToken(ctx context.Context) (PadToken, error) {
	p, ok := t.card.(PadToken)
	if !ok {
		return nil, ck.CKR_ARGUMENTS_BAD
	}
	t.mu.Lock()
	known := t.pad
	t.mu.Unlock()
	if known == nil {
		has, err := p.PINPad(ctx)
		if err != nil {
			return nil, err
		}
		known = &has
		t.mu.Lock()
		t.pad = known
		t.mu.Unlock()
	}
	if !*known {
		return nil, ck.CKR_ARGUMENTS_BAD
	}
	return p, nil
}

// onPad runs what needs the reader's keys.
func (t *token) onPad(work func(PadToken) error) error {
	p, err := t.padToken(t.ctx)
	if err != nil {
		return err
	}
	return work(p)
}

// pinUsed says that the state of the PIN may be another now. Where the card
// accepted the PIN it has all its tries again, and who was told of the last one
// has to be told anew.
func (t *token) pinUsed(accepted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pinAt = time.Time{}
	t.pinUses++
	t.finalTry = t.finalTry && !accepted
}

// mayspend tells whether a wrong PIN may block the card: the application was
// told, or the configuration says so.
func (t *token) mayspend() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.finalTry || t.lib.config.SpendLastTry
}

// verify checks the PIN of a context-specific login.
func (t *token) verify(ctx context.Context, pin *secret.Secret) error {
	err := t.card.Confirm(ctx, pin, t.mayspend())
	t.pinUsed(err == nil)
	return err
}

// Logout is called by package session. What only this user may see is not kept.
func (t *token) Logout(user session.UserType) error {
	defer t.pinUsed(false)
	if ck.UserType(user) == ck.CKU_SO {
		t.forget(func(k objectKey, _ *object) bool { return k.admin })
		return t.card.LogoutAdmin(t.ctx)
	}
	t.forget(func(k objectKey, _ *object) bool { return k.class == ck.CKO_DATA && k.private })
	return t.card.Logout(t.ctx)
}

// privateKey is the key of an operation.
func (t *token) privateKey(u *use) privateKey {
	info := u.key.key.(tokenKey).info
	if p, ok := t.card.(PadToken); ok && u.onPad {
		return watchedKey{p.PrivateKeyOnPad(u.ctx, info, t.mayspend()), t, true}
	}
	return watchedKey{t.card.PrivateKey(u.ctx, info, u.pin, t.mayspend()), t, u.pin != nil}
}

// describe is who the token is, read once, and how its PIN stands; in one
// transaction where both have to be asked.
func (t *token) describe() (who card.Identity, pin card.PINState, err error) {
	known := t.known()
	if known == nil {
		t.reading.Lock()
		defer t.reading.Unlock()
		known = t.known()
	}
	if known != nil {
		pin, err = t.pinState(t.ctx)
		return *known, pin, t.noticed(err)
	}
	err = t.card.Together(t.ctx, func(ctx context.Context) (err error) {
		if who, err = t.card.Identity(ctx); err != nil {
			return err
		}
		pin, err = t.pinState(ctx)
		return err
	})
	if err != nil {
		return who, pin, t.noticed(err)
	}
	t.mu.Lock()
	t.identity = &who
	t.mu.Unlock()
	return who, pin, nil
}

// known is who the token is, if that was read.
func (t *token) known() *card.Identity {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.identity
}

// shownSlots are the key slots that may have objects.
func (t *token) shownSlots() []KeySlot {
	return slices.DeleteFunc(slices.Clone(t.card.KeySlots()), func(s KeySlot) bool {
		return s.Hidden && !t.lib.config.ShowHidden || slices.Contains(t.lib.config.HideKeys, s.Ref)
	})
}

// slotByID finds a key slot for writing to it. What is hidden cannot be written
// to either: the factory's attestation key is lost for ever once it is replaced.
func (t *token) slotByID(id []byte) (KeySlot, bool) {
	if len(id) != 1 {
		return KeySlot{}, false
	}
	for _, s := range t.shownSlots() {
		if s.ID == id[0] {
			return s, true
		}
	}
	return KeySlot{}, false
}

// fewKeys is up to how many key slots are read one by one; beyond, all of them
// are read together.
const fewKeys = 2

// unreadKeys are those of the slots whose key is not known yet.
func (t *token) unreadKeys(slots []KeySlot) []KeySlot {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(slots), func(s KeySlot) bool {
		_, read := t.keys[s.Ref]
		return read || t.all
	})
}

// unreadCertificates are those of the slots whose certificate is not known yet.
func (t *token) unreadCertificates(slots []KeySlot) []KeySlot {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(slots), func(s KeySlot) bool {
		_, read := t.certs[s.Ref]
		return read
	})
}

// read makes sure that these keys and certificates are known, in one
// transaction if there is anything to read. Which of many slots have
// certificates is learned from the keys: without a key, only the main slots are
// looked at.
func (t *token) read(keys, certs []KeySlot) error {
	many := len(certs) > fewKeys
	if many {
		keys = append(slices.Clone(keys), certs...)
	}
	unread := func() []KeySlot {
		return slices.DeleteFunc(t.unreadCertificates(certs), func(s KeySlot) bool {
			return many && s.ID > mainSlots && t.keyInfo(s.Ref) == nil
		})
	}
	nothing := func() bool { return len(t.unreadKeys(keys)) == 0 && len(unread()) == 0 }
	if nothing() {
		return nil // without waiting for who reads something else
	}
	t.reading.Lock()
	defer t.reading.Unlock()
	if nothing() {
		return nil
	}
	return t.noticed(t.card.Together(t.ctx, func(ctx context.Context) error {
		if err := t.readKeys(ctx, t.unreadKeys(keys)); err != nil {
			return err
		}
		return t.readCertificates(ctx, unread())
	}))
}

func (t *token) readKeys(ctx context.Context, missing []KeySlot) error {
	if len(missing) > fewKeys {
		infos, err := t.card.Keys(ctx)
		if err != nil {
			return err
		}
		for _, info := range infos {
			t.learnKey(info.Ref, &info)
		}
		t.mu.Lock()
		t.all = true
		t.mu.Unlock()
		// Hidden slots that are shown all the same are not among all keys.
		missing = slices.DeleteFunc(slices.Clone(missing), func(s KeySlot) bool { return !s.Hidden })
	}
	for _, s := range missing {
		info, err := t.card.Key(ctx, s.Ref)
		switch {
		case err == nil:
			t.learnKey(s.Ref, &info)
		case errors.Is(err, card.ErrNotFound), errors.Is(err, card.ErrWithheld):
			t.learnKey(s.Ref, nil)
		default:
			return err
		}
	}
	return nil
}

func (t *token) readCertificates(ctx context.Context, missing []KeySlot) error {
	for _, s := range missing {
		der, err := t.card.Certificate(ctx, s.Ref)
		switch {
		case errors.Is(err, card.ErrNotFound):
			der = nil
		case errors.Is(err, card.ErrInvalidAnswer), errors.Is(err, card.ErrWithheld):
			// One damaged certificate must not hide all other objects, nor those that
			// a card gives over its contacts only.
			t.lib.logf("slot %d: certificate %s: %v", t.slot, s.Ref, err)
			der = nil
		case err != nil:
			return err
		}
		t.learnCertificate(s.Ref, der)
	}
	return nil
}

// learnKey takes in what is in a key slot, nil for nothing. The objects of
// another key, which was there before, are no more. Without a key, the public
// half is left for its owner to destroy: see orphan.
func (t *token) learnKey(ref card.KeyRef, info *card.KeyInfo) {
	t.mu.Lock()
	t.keys[ref] = info
	t.mu.Unlock()
	t.forget(func(k objectKey, o *object) bool {
		switch {
		case k.ref != ref || k.class != ck.CKO_PRIVATE_KEY && k.class != ck.CKO_PUBLIC_KEY:
			return false
		case info == nil:
			return k.class == ck.CKO_PRIVATE_KEY
		}
		pub, err := (&use{key: o}).public()
		return err != nil || !samePublic(info.Public, pub)
	})
}

// learnCertificate takes in a certificate, nil for none.
func (t *token) learnCertificate(ref card.KeyRef, der []byte) {
	t.mu.Lock()
	t.certs[ref] = der
	t.mu.Unlock()
	t.forget(func(k objectKey, o *object) bool {
		return k.ref == ref && k.class == ck.CKO_CERTIFICATE && !bytes.Equal(der, o.bytes(ck.CKA_VALUE))
	})
}

// forget gives up objects that are no more, or others now: their handles are
// invalid from here on, in all applications.
func (t *token) forget(gone func(objectKey, *object) bool) {
	t.mu.Lock()
	var all []*object
	maps.DeleteFunc(t.objects, func(k objectKey, o *object) bool {
		if gone(k, o) {
			all = append(all, o)
			return true
		}
		return false
	})
	t.mu.Unlock()
	for _, o := range all {
		t.lib.manager.ForgetObject(t.slot, o)
	}
}

// reread has a slot that was written to read again. An object that is found to
// be the same then keeps its handle (S24).
func (t *token) reread(ref card.KeyRef) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = false
	delete(t.keys, ref)
	delete(t.certs, ref)
}

// keyInfo is a key that was read.
func (t *token) keyInfo(ref card.KeyRef) *card.KeyInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keys[ref]
}
