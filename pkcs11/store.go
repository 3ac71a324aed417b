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

// authorized makes sure that the card takes writes: the SO is logged in, or the
// user is and the card keeps the SO's secret behind the user's PIN.
func (m *Module) authorized(t *token, admin AdminToken, state session.State) error {
	switch state {
	case session.CKS_RW_SO_FUNCTIONS:
		return nil
	case session.CKS_RW_USER_FUNCTIONS:
		err := admin.LoginAdmin(t.ctx, nil)
		if errors.Is(err, card.ErrAdminRequired) || errors.Is(err, card.ErrNotFound) || errors.Is(err, card.ErrUnsupported) {
			return ck.CKR_USER_NOT_LOGGED_IN
		}
		return err
	}
	return ck.CKR_USER_NOT_LOGGED_IN
}

// writer is what every write to a card begins with.
func (m *Module) writer(s session.SessionHandle) (*token, AdminToken, session.State, error) {
	admin, state, err := m.writable(s)
	if err != nil {
		return nil, nil, 0, err
	}
	t, err := m.tokenOf(s)
	if err != nil {
		return nil, nil, 0, err
	}
	return t, admin, state, nil
}

// kindFor is the kind under which a new token object is created. A private key
// that the SO makes counts as public there: see adminView.
func kindFor(private bool, state session.State) session.ObjectKind {
	return session.KindOf(true, private && state != session.CKS_RW_SO_FUNCTIONS)
}

// store creates a token object.
func (m *Module) store(s session.SessionHandle, template Template, class ck.ObjectClass, keyType ck.KeyType, from origin) (session.ObjectHandle, error) {
	t, admin, state, err := m.writer(s)
	if err != nil {
		return 0, err
	}
	write, ok := map[ck.ObjectClass]func(*token, AdminToken, session.State, Template, ck.KeyType, origin) (*object, error){
		ck.CKO_PRIVATE_KEY: storeKey,
		ck.CKO_CERTIFICATE: storeCertificate,
		ck.CKO_DATA:        storeData,
		ck.CKO_PUBLIC_KEY:  storePublic,
	}[class]
	if !ok {
		return 0, ck.CKR_ATTRIBUTE_VALUE_INVALID // a card keeps no secret keys
	}
	if err := promises(class, template); err != nil {
		return 0, err
	}
	kind := kindFor(class == ck.CKO_PRIVATE_KEY && template.bool(ck.CKA_PRIVATE, true), state)
	return m.app.CreateObject(s, kind, func() (session.Object, error) {
		if err := m.authorized(t, admin, state); err != nil {
			return nil, err
		}
		o, err := write(t, admin, state, template, keyType, from)
		if err != nil {
			return nil, err
		}
		return o, nil
	})
}

func storeKey(t *token, admin AdminToken, state session.State, template Template, keyType ck.KeyType, from origin) (*object, error) {
	s, err := t.slotFor(template)
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
	info, err := admin.Import(t.ctx, s.Ref, soft.key, policyOf(template))
	if err != nil {
		return nil, cannotMake(err, keyType)
	}
	return t.stored(s, info, state), nil
}

// stored is the private key object of a key that was just written.
func (t *token) stored(s KeySlot, info card.KeyInfo, state session.State) *object {
	t.reread(s.Ref)
	t.forget(func(k objectKey, _ *object) bool { // be the new key the same as the old one, or not
		return k.ref == s.Ref && (k.class == ck.CKO_PRIVATE_KEY || k.class == ck.CKO_PUBLIC_KEY)
	})
	t.learnKey(s.Ref, &info)
	if state == session.CKS_RW_SO_FUNCTIONS {
		return t.adminView(s, &info)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.privateObject(s, &info)
}

func storeCertificate(t *token, admin AdminToken, _ session.State, template Template, _ ck.KeyType, from origin) (*object, error) {
	s, err := t.slotFor(template)
	if err != nil {
		return nil, err
	}
	o, err := newObject(template, ck.CKO_CERTIFICATE, 0, nil, from)
	if err != nil {
		return nil, err
	}
	der := o.bytes(ck.CKA_VALUE)
	if err := admin.PutCertificate(t.ctx, s.Ref, der); err != nil {
		return nil, err
	}
	t.reread(s.Ref)
	t.learnCertificate(s.Ref, der)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.certificateObject(s, der), nil
}

func storeData(t *token, admin AdminToken, _ session.State, template Template, _ ck.KeyType, _ origin) (*object, error) {
	label, _ := template.find(ck.CKA_LABEL)
	value, _ := template.find(ck.CKA_VALUE)
	for _, d := range t.card.DataObjects() {
		if d.Name != string(label) {
			continue
		}
		if template.bool(ck.CKA_PRIVATE, d.Private) != d.Private {
			return nil, ck.CKR_TEMPLATE_INCONSISTENT
		}
		if err := admin.WriteData(t.ctx, d.Name, value); err != nil {
			return nil, err
		}
		t.forget(func(k objectKey, _ *object) bool { return k.class == ck.CKO_DATA && k.data == d.Name })
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.dataObject(d), nil
	}
	return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID // a card has places for its own objects only
}

// storePublic accepts the public half of a key that the card has: callers that
// import a key pair write both halves.
func storePublic(t *token, _ AdminToken, _ session.State, template Template, keyType ck.KeyType, from origin) (*object, error) {
	s, err := t.slotFor(template)
	if err != nil {
		return nil, err
	}
	o, err := newObject(template, ck.CKO_PUBLIC_KEY, keyType, nil, from)
	if err != nil {
		return nil, err
	}
	if err := t.read([]KeySlot{s}, nil); err != nil {
		return nil, err
	}
	info := t.keyInfo(s.Ref)
	if info == nil || !samePublic(info.Public, o.key) {
		return nil, ck.CKR_TEMPLATE_INCONSISTENT
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.publicObject(s, info), nil
}

func samePublic(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// algorithms says which key on a card a curve or modulus size means.
var algorithms = map[string]card.Algorithm{
	"P-256": card.P256, "P-384": card.P384, "Ed25519": card.Ed25519, "X25519": card.X25519,
}

var rsaAlgorithms = map[int]card.Algorithm{
	1024: card.RSA1024, 2048: card.RSA2048, 3072: card.RSA3072, 4096: card.RSA4096,
}

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
	if a, ok := algorithms[c.name]; ok {
		return a, nil
	}
	return "", ck.CKR_CURVE_NOT_SUPPORTED
}

// generateOnCard is C_GenerateKeyPair with a token object.
func (m *Module) generateOnCard(s session.SessionHandle, pub, priv Template, keyType ck.KeyType) (p, q session.ObjectHandle, err error) {
	t, admin, state, err := m.writer(s)
	if err != nil {
		return 0, 0, err
	}
	slot, err := t.slotFor(priv, pub)
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
	kinds := []session.ObjectKind{session.PublicTokenObject, kindFor(priv.bool(ck.CKA_PRIVATE, true), state)}
	handles, err := m.app.CreateObjects(s, kinds, func() ([]session.Object, error) {
		if err := m.authorized(t, admin, state); err != nil {
			return nil, err
		}
		info, err := admin.Generate(t.ctx, slot.Ref, alg, policyOf(priv))
		if err != nil {
			return nil, cannotMake(err, keyType)
		}
		private := t.stored(slot, info, state)
		t.mu.Lock()
		defer t.mu.Unlock()
		return []session.Object{t.publicObject(slot, &info), private}, nil
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
	t.forget(func(k objectKey, other *object) bool { // in each of its views
		return k.class == o.class && k.ref == o.slot.Ref && other.data == o.data
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
