package pkcs11

import (
	"errors"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Section 5.18, keys that come of other keys: derivation, and key encapsulation
// (3.2).

// A derivation is a secret key, or data, to be made of another key.
type derivation struct {
	m        *Module
	s        session.SessionHandle
	user     bool // somebody is logged in
	usage    ck.AttributeType
	use      *use
	row      *mechanism
	param    any
	template Template
	keyType  ck.KeyType
	length   uint // of the value; 0 for as long as the mechanism makes it
}

// derivation checks what the functions of this file have in common.
func (m *Module) derivation(s session.SessionHandle, given *Mechanism, base session.ObjectHandle, t Template, can func(*mechanism) bool, class ck.ObjectClass, usage ck.AttributeType) (*derivation, error) {
	user, err := m.loggedIn(s)
	if err != nil {
		return nil, err
	}
	if given == nil {
		return nil, ck.CKR_ARGUMENTS_BAD
	}
	key, err := m.keyFor(s, base, ck.CKR_KEY_HANDLE_INVALID)
	if err != nil {
		return nil, err
	}
	d := &derivation{m: m, s: s, user: user, usage: usage, use: &use{ctx: m.contextOf(key), key: key}}
	d.use.other = func(h session.ObjectHandle) (*object, error) { return m.keyFor(s, h, ck.CKR_KEY_HANDLE_INVALID) }
	if d.row, d.param, err = start(given, can, key, class, usage); err != nil {
		return nil, err
	}
	d.use.row = d.row
	settle := d.settleKey
	if d.row.toData {
		settle = d.settleData
	}
	if err := settle(t); err != nil {
		return nil, err
	}
	if t.bool(ck.CKA_TOKEN, false) {
		return nil, m.noSecretsOnCard(s)
	}
	return d, d.use.once()
}

// settleKey takes the template of a new secret key.
func (d *derivation) settleKey(t Template) (err error) {
	def := implied(ck.CKO_SECRET_KEY, ck.CKK_GENERIC_SECRET)
	if _, ok := t.find(ck.CKA_KEY_TYPE); ok {
		def = def[:1]
	}
	if d.template, _, d.keyType, err = classOf(t, def); err != nil {
		return err
	}
	if err := check(d.template, ck.CKO_SECRET_KEY, d.keyType, generate); err != nil {
		return err
	}
	return d.settleLength(d.template)
}

func (d *derivation) settleLength(t Template) (err error) {
	d.length, err = secretLength(t, d.keyType)
	if errors.Is(err, ck.CKR_TEMPLATE_INCOMPLETE) {
		d.length, err = 0, nil
	}
	return err
}

// keep makes the object of the value, which is wiped.
func (d *derivation) keep(value []byte) (session.ObjectHandle, error) {
	defer clear(value)
	if d.row.toData {
		return d.keepData(value)
	}
	o, err := newObject(d.template, ck.CKO_SECRET_KEY, d.keyType, append([]byte{}, value...), origin{create, ck.Unavailable, d.user})
	if err != nil {
		return 0, ck.CKR_KEY_SIZE_RANGE
	}
	// Section 5.18.7: a derived key is as sensitive as its base always was; one that
	// was encapsulated never was.
	if key := d.use.key; d.usage == ck.CKA_DERIVE {
		o.attrs.setBool(ck.CKA_ALWAYS_SENSITIVE, key.is(ck.CKA_ALWAYS_SENSITIVE) && o.attrs.bool(ck.CKA_SENSITIVE))
		o.attrs.setBool(ck.CKA_NEVER_EXTRACTABLE, key.is(ck.CKA_NEVER_EXTRACTABLE) && !o.attrs.bool(ck.CKA_EXTRACTABLE))
	}
	return d.m.keep(d.s, o)
}

// DeriveKey is C_DeriveKey.
func (m *Module) DeriveKey(s session.SessionHandle, given *Mechanism, base session.ObjectHandle, t Template) (session.ObjectHandle, error) {
	d, err := m.derivation(s, given, base, t, func(r *mechanism) bool { return r.derive != nil }, ck.CKO_PRIVATE_KEY, ck.CKA_DERIVE)
	if err != nil {
		return 0, err
	}
	var value []byte
	err = m.app.Do(s, func() (err error) {
		value, err = d.row.derive(d.use, d.param, d.length)
		return err
	})
	if err != nil {
		return 0, err
	}
	return d.keep(value)
}

// EncapsulateKey is C_EncapsulateKey: a fresh secret key, and what the owner of
// the private key makes the same of.
func (m *Module) EncapsulateKey(s session.SessionHandle, given *Mechanism, base session.ObjectHandle, t Template, out *Out) (h session.ObjectHandle, err error) {
	d, err := m.derivation(s, given, base, t, func(r *mechanism) bool { return r.kem != nil }, ck.CKO_PUBLIC_KEY, ck.CKA_ENCAPSULATE)
	if err != nil {
		return 0, err
	}
	n, err := d.row.kem.size(d.use, d.param)
	if err != nil {
		return 0, err
	}
	if ok, err := out.fits(n); !ok {
		return 0, err
	}
	var ciphertext, value []byte
	err = m.app.Do(s, func() (err error) {
		ciphertext, value, err = d.row.kem.encapsulate(d.use, d.param, d.length)
		return err
	})
	if err != nil {
		return 0, err
	}
	if h, err = d.keep(value); err != nil {
		return 0, err
	}
	return h, out.put(ciphertext)
}

// DecapsulateKey is C_DecapsulateKey; the private key may be a card's.
func (m *Module) DecapsulateKey(s session.SessionHandle, given *Mechanism, base session.ObjectHandle, t Template, ciphertext []byte) (session.ObjectHandle, error) {
	d, err := m.derivation(s, given, base, t, func(r *mechanism) bool { return r.kem != nil }, ck.CKO_PRIVATE_KEY, ck.CKA_DECAPSULATE)
	if err != nil {
		return 0, err
	}
	var value []byte
	err = m.app.Do(s, func() (err error) {
		value, err = d.row.kem.decapsulate(d.use, d.param, ciphertext, d.length)
		return err
	})
	if err != nil {
		return 0, err
	}
	return d.keep(value)
}
