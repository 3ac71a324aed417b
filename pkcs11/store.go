package pkcs11

import (
	"crypto"
	"errors"

	"cardbridge/card"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Writing to a card: C_CreateObject, C_GenerateKeyPair, C_UnwrapKey and
// C_DestroyObject with token objects.

// slotFor is the key slot that a template picks by CKA_ID. There is no default:
// what writes must not guess.
func (t *token) slotFor(templates ...Template) (KeySlot, error) {
	for _, template := range templates {
		if id, ok := template.find(ck.CKA_ID); ok && len(id) > 0 {
			s, ok := t.slotByID(id)
			if !ok {
				return KeySlot{}, ck.CKR_ATTRIBUTE_VALUE_INVALID
			}
			return s, nil
		}
	}
	return KeySlot{}, ck.CKR_TEMPLATE_INCOMPLETE
}

// policyOf is what a template asks of a new key.
func policyOf(t Template) (p Policy) {
	if t.bool(ck.CKA_ALWAYS_AUTHENTICATE, false) {
		p.PIN = card.PINAlways
	}
	return p
}

// A writer is a token that a R/W session may write to, as far as the session
// goes.
type writer struct {
	*token
	card  AdminToken
	state session.State
}

// writer is what every write to a card begins with: CKR_SESSION_READ_ONLY,
// CKR_TOKEN_WRITE_PROTECTED.
func (m *Module) writer(s session.SessionHandle) (*writer, error) {
	t, err := m.tokenOf(s)
	if err != nil {
		return nil, err
	}
	info, err := m.app.SessionInfo(s)
	if err != nil {
		return nil, err
	}
	if info.Flags&session.CKF_RW_SESSION == 0 {
		return nil, ck.CKR_SESSION_READ_ONLY
	}
	admin, ok := t.card.(AdminToken)
	if !ok {
		return nil, ck.CKR_TOKEN_WRITE_PROTECTED
	}
	return &writer{t, admin, info.State}, nil
}

// authorized makes sure that the card takes writes: the SO is logged in, or the
// user is and the card keeps the SO's secret behind the user's PIN.
func (w *writer) authorized() error {
	switch w.state {
	case session.CKS_RW_SO_FUNCTIONS:
		return nil
	case session.CKS_RW_USER_FUNCTIONS:
		err := w.card.LoginAdmin(w.ctx, nil)
		if errors.Is(err, card.ErrAdminRequired) || errors.Is(err, card.ErrNotFound) || errors.Is(err, card.ErrUnsupported) {
			return ck.CKR_USER_NOT_LOGGED_IN
		}
		return err
	}
	return ck.CKR_USER_NOT_LOGGED_IN
}

// kindFor is the kind under which a new token object is created. A private key
// that the SO makes counts as public there: see adminView.
func kindFor(private bool, state session.State) session.ObjectKind {
	return session.KindOf(true, private && state != session.CKS_RW_SO_FUNCTIONS)
}

// store creates a token object.
func (m *Module) store(s session.SessionHandle, template Template, class ck.ObjectClass, keyType ck.KeyType, from origin) (session.ObjectHandle, error) {
	w, err := m.writer(s)
	if err != nil {
		return 0, err
	}
	write, ok := map[ck.ObjectClass]func(*writer, Template, ck.KeyType, origin) (*object, error){
		ck.CKO_PRIVATE_KEY: (*writer).storeKey,
		ck.CKO_CERTIFICATE: (*writer).storeCertificate,
		ck.CKO_DATA:        (*writer).storeData,
		ck.CKO_PUBLIC_KEY:  (*writer).storePublic,
	}[class]
	if !ok {
		return 0, ck.CKR_ATTRIBUTE_VALUE_INVALID // a card keeps no secret keys
	}
	if err := promises(class, template); err != nil {
		return 0, err
	}
	kind := kindFor(class == ck.CKO_PRIVATE_KEY && template.bool(ck.CKA_PRIVATE, true), w.state)
	return m.app.CreateObject(s, kind, func() (session.Object, error) {
		if err := w.authorized(); err != nil {
			return nil, err
		}
		o, err := write(w, template, keyType, from)
		if err != nil {
			return nil, err
		}
		return o, nil
	})
}

func (w *writer) storeKey(template Template, keyType ck.KeyType, from origin) (*object, error) {
	s, err := w.slotFor(template)
	if err != nil {
		return nil, err
	}
	o, err := newObject(template, ck.CKO_PRIVATE_KEY, keyType, nil, from)
	if err != nil {
		return nil, err
	}
	soft, ok := o.key.(softKey)
	if !ok {
		return nil, ck.CKR_TEMPLATE_INCONSISTENT
	}
	info, err := w.card.Import(w.ctx, s.Ref, soft.key, policyOf(template))
	if err != nil {
		return nil, cannotMake(err, keyType)
	}
	return w.stored(s, info), nil
}

// stored is the private key object of a key that was just written.
func (w *writer) stored(s KeySlot, info card.KeyInfo) *object {
	w.reread(s.Ref)
	w.forget(func(k objectKey, _ *object) bool { // be the new key the same as the old one, or not
		return k.ref == s.Ref && (k.class == ck.CKO_PRIVATE_KEY || k.class == ck.CKO_PUBLIC_KEY)
	})
	w.learnKey(s.Ref, &info)
	w.mu.Lock()
	defer w.mu.Unlock()
	if info.PINPolicy != card.PINNever && w.state == session.CKS_RW_SO_FUNCTIONS {
		return w.adminView(objectKey{class: ck.CKO_PRIVATE_KEY, ref: s.Ref}, func() *object { return w.newPrivateObject(s, &info) })
	}
	return w.privateObject(s, &info)
}

func (w *writer) storeCertificate(template Template, _ ck.KeyType, from origin) (*object, error) {
	s, err := w.slotFor(template)
	if err != nil {
		return nil, err
	}
	o, err := newObject(template, ck.CKO_CERTIFICATE, 0, nil, from)
	if err != nil {
		return nil, err
	}
	der := o.bytes(ck.CKA_VALUE)
	if err := w.card.PutCertificate(w.ctx, s.Ref, der); err != nil {
		return nil, err
	}
	w.reread(s.Ref)
	w.learnCertificate(s.Ref, der)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.certificateObject(s, der), nil
}

func (w *writer) storeData(template Template, _ ck.KeyType, _ origin) (*object, error) {
	label, _ := template.find(ck.CKA_LABEL)
	value, _ := template.find(ck.CKA_VALUE)
	for _, d := range w.card.DataObjects() {
		if d.Name != string(label) {
			continue
		}
		if template.bool(ck.CKA_PRIVATE, d.Private) != d.Private {
			return nil, ck.CKR_TEMPLATE_INCONSISTENT
		}
		if err := w.card.WriteData(w.ctx, d.Name, value); err != nil {
			return nil, err
		}
		w.forget(func(k objectKey, _ *object) bool { return k.class == ck.CKO_DATA && k.data == d.Name })
		w.mu.Lock()
		defer w.mu.Unlock()
		if d.Private && w.state == session.CKS_RW_SO_FUNCTIONS {
			return w.adminView(objectKey{class: ck.CKO_DATA, data: d.Name}, func() *object { return w.newDataObject(d) }), nil
		}
		return w.dataObject(d), nil
	}
	return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID // a card has places for its own objects only
}

// storePublic accepts the public half of a key that the card has: callers that
// import a key pair write both halves.
func (w *writer) storePublic(template Template, keyType ck.KeyType, from origin) (*object, error) {
	s, err := w.slotFor(template)
	if err != nil {
		return nil, err
	}
	o, err := newObject(template, ck.CKO_PUBLIC_KEY, keyType, nil, from)
	if err != nil {
		return nil, err
	}
	if err := w.read([]KeySlot{s}, nil); err != nil {
		return nil, err
	}
	info := w.keyInfo(s.Ref)
	if info == nil || !samePublic(info.Public, o.key) {
		return nil, ck.CKR_TEMPLATE_INCONSISTENT
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.publicObject(s, info), nil
}

func samePublic(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// rsaAlgorithms says which key on a card a modulus size means.
var rsaAlgorithms = map[int]card.Algorithm{
	1024: card.RSA1024, 2048: card.RSA2048, 3072: card.RSA3072, 4096: card.RSA4096,
}

// algorithmFor is what a template asks a card to make.
func algorithmFor(pub Template, keyType ck.KeyType) (card.Algorithm, error) {
	if keyType == ck.CKK_RSA {
		bits, err := rsaBits(pub)
		if err != nil {
			return "", err
		}
		if a, ok := rsaAlgorithms[bits]; ok {
			return a, nil
		}
		return "", ck.CKR_KEY_SIZE_RANGE
	}
	c, err := templateCurve(pub, keyType)
	if err != nil {
		return "", err
	}
	if c.onCard == "" {
		return "", ck.CKR_CURVE_NOT_SUPPORTED
	}
	return c.onCard, nil
}

// generateOnCard is C_GenerateKeyPair with a token object.
func (m *Module) generateOnCard(s session.SessionHandle, pub, priv Template, keyType ck.KeyType) (p, q session.ObjectHandle, err error) {
	w, err := m.writer(s)
	if err != nil {
		return 0, 0, err
	}
	slot, err := w.slotFor(priv, pub)
	if err != nil {
		return 0, 0, err
	}
	if err := errors.Join(promises(ck.CKO_PRIVATE_KEY, priv), promises(ck.CKO_PUBLIC_KEY, pub)); err != nil {
		return 0, 0, err
	}
	alg, err := algorithmFor(pub, keyType)
	if err != nil {
		return 0, 0, err
	}
	kinds := []session.ObjectKind{session.PublicTokenObject, kindFor(priv.bool(ck.CKA_PRIVATE, true), w.state)}
	handles, err := m.app.CreateObjects(s, kinds, func() ([]session.Object, error) {
		if err := w.authorized(); err != nil {
			return nil, err
		}
		info, err := w.card.Generate(w.ctx, slot.Ref, alg, policyOf(priv))
		if err != nil {
			return nil, cannotMake(err, keyType)
		}
		private := w.stored(slot, info)
		w.mu.Lock()
		defer w.mu.Unlock()
		return []session.Object{w.publicObject(slot, &info), private}, nil
	})
	if err != nil {
		return 0, 0, err
	}
	return handles[0], handles[1], nil
}

// erase removes a token object from its card.
func (m *Module) erase(o *object) error {
	t := o.tok
	admin, ok := t.card.(AdminToken)
	if !ok {
		return ck.CKR_TOKEN_WRITE_PROTECTED
	}
	erase, ok := map[ck.ObjectClass]func() error{
		ck.CKO_PRIVATE_KEY: func() error { return admin.DeleteKey(t.ctx, o.slot.Ref) },
		ck.CKO_PUBLIC_KEY:  func() error { return t.erasePublic(o.slot) },
		ck.CKO_CERTIFICATE: func() error { return admin.DeleteCertificate(t.ctx, o.slot.Ref) },
		ck.CKO_DATA:        func() error { return admin.DeleteData(t.ctx, o.data.Name) },
	}[o.class]
	if !ok {
		return ck.CKR_ACTION_PROHIBITED
	}
	err := erase()
	if errors.Is(err, card.ErrAdminRequired) {
		// Not the SO, or not yet: the user's PIN may open the SO's secret.
		if err = admin.LoginAdmin(t.ctx, nil); err == nil {
			err = erase()
		}
	}
	switch {
	case errors.Is(err, card.ErrUnsupported):
		return ck.CKR_ACTION_PROHIBITED
	case err != nil:
		return err
	}
	if o.class == ck.CKO_PRIVATE_KEY {
		t.orphan(o.slot.Ref)
	}
	if o.data == nil {
		t.reread(o.slot.Ref)
	}
	t.forget(func(k objectKey, _ *object) bool { // in each of its views
		return k.class == o.class && k.ref == o.slot.Ref && (o.data == nil || k.data == o.data.Name)
	})
	return nil
}

// orphan lets the public half of a pair be destroyed whose private half was:
// callers that made a pair destroy both, one after the other. The card has one
// key, and alone its public half cannot be destroyed.
func (t *token) orphan(ref card.KeyRef) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, o := range t.objects {
		if k.ref == ref && k.class == ck.CKO_PUBLIC_KEY {
			o.mu.Lock()
			o.attrs[ck.CKA_DESTROYABLE] = yes
			o.mu.Unlock()
		}
	}
}

// erasePublic finishes what orphan began.
func (t *token) erasePublic(s KeySlot) error {
	if err := t.read([]KeySlot{s}, nil); err != nil {
		return err
	}
	if t.keyInfo(s.Ref) != nil {
		return card.ErrUnsupported
	}
	return nil
}
