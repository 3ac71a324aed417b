package pkcs11

import (
	"context"
	"crypto/x509"
	"errors"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Section 5.18, key management.

// implied is what a function that makes such a key makes anyway.
func implied(class ck.ObjectClass, t ck.KeyType) Template {
	return Template{{ck.CKA_CLASS, encodeULong(uint(class))}, {ck.CKA_KEY_TYPE, encodeULong(uint(t))}}
}

// GenerateKey is C_GenerateKey.
func (m *Module) GenerateKey(s session.SessionHandle, given *Mechanism, t Template) (session.ObjectHandle, error) {
	user, err := m.loggedIn(s)
	if err != nil {
		return 0, err
	}
	if given == nil {
		return 0, ck.CKR_ARGUMENTS_BAD
	}
	row, _, err := start(given, func(r *mechanism) bool { return r.generate != nil }, nil, 0, 0)
	if err != nil {
		return 0, err
	}
	t, class, keyType, err := classOf(t, implied(ck.CKO_SECRET_KEY, row.keys[0]))
	if err != nil {
		return 0, err
	}
	if err := check(t, class, keyType, generate); err != nil {
		return 0, err
	}
	if t.bool(ck.CKA_TOKEN, false) {
		return 0, m.noSecretsOnCard(s)
	}
	value, err := row.generate(t)
	if err != nil {
		return 0, err
	}
	return m.newSessionObject(s, t, class, keyType, value, origin{generate, uint(row.typ), user})
}

// noSecretsOnCard refuses a secret key as a token object: the cards have no
// place for one.
func (m *Module) noSecretsOnCard(s session.SessionHandle) error {
	if _, err := m.writer(s); err != nil {
		return err
	}
	return ck.CKR_ATTRIBUTE_VALUE_INVALID
}

// newSessionObject makes a session object; key is nil where it stands in the
// template.
func (m *Module) newSessionObject(s session.SessionHandle, t Template, class ck.ObjectClass, keyType ck.KeyType, key any, from origin) (session.ObjectHandle, error) {
	o, err := newObject(t, class, keyType, key, from)
	if err != nil {
		return 0, err
	}
	return m.keep(s, o)
}

// GenerateKeyPair is C_GenerateKeyPair: on the card where the private key is to be
// a token object, in memory otherwise. A card keeps no public key of its own.
func (m *Module) GenerateKeyPair(s session.SessionHandle, given *Mechanism, pub, priv Template) (p, q session.ObjectHandle, err error) {
	user, err := m.loggedIn(s)
	if err != nil {
		return 0, 0, err
	}
	if given == nil {
		return 0, 0, ck.CKR_ARGUMENTS_BAD
	}
	row, _, err := start(given, func(r *mechanism) bool { return r.pair != nil }, nil, 0, 0)
	if err != nil {
		return 0, 0, err
	}
	keyType := row.keys[0]
	if pub, _, _, err = classOf(pub, implied(ck.CKO_PUBLIC_KEY, keyType)); err != nil {
		return 0, 0, err
	}
	if priv, _, _, err = classOf(priv, implied(ck.CKO_PRIVATE_KEY, keyType)); err != nil {
		return 0, 0, err
	}
	if err := check(pub, ck.CKO_PUBLIC_KEY, keyType, generate); err != nil {
		return 0, 0, err
	}
	if err := check(priv, ck.CKO_PRIVATE_KEY, keyType, generate); err != nil {
		return 0, 0, err
	}
	switch {
	case priv.bool(ck.CKA_TOKEN, false):
		return m.generateOnCard(s, pub, priv, keyType)
	case pub.bool(ck.CKA_TOKEN, false):
		return 0, 0, ck.CKR_TEMPLATE_INCONSISTENT
	}
	from := origin{generate, uint(row.typ), user}
	private := priv.bool(ck.CKA_PRIVATE, user)
	kinds := []session.ObjectKind{session.KindOf(false, pub.bool(ck.CKA_PRIVATE, false)), session.KindOf(false, private)}
	handles, err := m.app.CreateObjects(s, kinds, func() ([]session.Object, error) {
		key, err := row.pair(pub, priv)
		if err != nil {
			return nil, err
		}
		q, err := newObject(priv, ck.CKO_PRIVATE_KEY, keyType, softKey{key}, from)
		if err != nil {
			return nil, err
		}
		p, err := newObject(pub, ck.CKO_PUBLIC_KEY, keyType, softKey{key}.Public(), from)
		return []session.Object{p, q}, err
	})
	if err != nil {
		return 0, 0, err
	}
	return handles[0], handles[1], nil
}

// recode gives an error of wrapping or unwrapping the code that these functions
// have for it.
func recode(err error, codes map[ck.RV]ck.RV) error {
	if err == nil {
		return nil
	}
	if c, ok := codes[Code(err)]; ok {
		return c
	}
	return err
}

var (
	wrappingCodes = map[ck.RV]ck.RV{
		ck.CKR_KEY_TYPE_INCONSISTENT: ck.CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
		ck.CKR_KEY_SIZE_RANGE:        ck.CKR_WRAPPING_KEY_SIZE_RANGE,
		ck.CKR_KEY_HANDLE_INVALID:    ck.CKR_WRAPPING_KEY_HANDLE_INVALID,
		ck.CKR_DATA_LEN_RANGE:        ck.CKR_KEY_SIZE_RANGE,
	}
	unwrappingCodes = map[ck.RV]ck.RV{
		ck.CKR_KEY_TYPE_INCONSISTENT:    ck.CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
		ck.CKR_KEY_SIZE_RANGE:           ck.CKR_UNWRAPPING_KEY_SIZE_RANGE,
		ck.CKR_KEY_HANDLE_INVALID:       ck.CKR_UNWRAPPING_KEY_HANDLE_INVALID,
		ck.CKR_ENCRYPTED_DATA_INVALID:   ck.CKR_WRAPPED_KEY_INVALID,
		ck.CKR_AEAD_DECRYPT_FAILED:      ck.CKR_WRAPPED_KEY_INVALID,
		ck.CKR_ENCRYPTED_DATA_LEN_RANGE: ck.CKR_WRAPPED_KEY_LEN_RANGE,
	}
)

func canWrap(r *mechanism) bool { return r.wraps }

// WrapKey is C_WrapKey.
func (m *Module) WrapKey(s session.SessionHandle, given *Mechanism, wrapping, key session.ObjectHandle, out *Out) error {
	if given == nil {
		return ck.CKR_ARGUMENTS_BAD
	}
	return m.app.Do(s, func() error {
		by, err := m.keyFor(s, wrapping, ck.CKR_WRAPPING_KEY_HANDLE_INVALID)
		if err != nil {
			return err
		}
		row, param, err := start(given, canWrap, by, ck.CKO_PUBLIC_KEY, ck.CKA_WRAP)
		if err != nil {
			return recode(err, wrappingCodes)
		}
		o, err := m.keyFor(s, key, ck.CKR_KEY_HANDLE_INVALID)
		if err != nil {
			return err
		}
		value, err := o.exported()
		if err != nil {
			return err
		}
		if value, err = row.filled(value, o.class); err != nil {
			return err
		}
		defer clear(value)
		op := &operation{mechanism: row, use: &use{ctx: m.contextOf(by), key: by}}
		if op.transform, err = row.wrapping(op.use, given, param, true); err != nil {
			return recode(err, wrappingCodes)
		}
		if ok, err := out.fits(op.wholeLen(len(value)).n); !ok {
			return err
		}
		wrapped, err := op.whole(value)
		if err != nil {
			return recode(err, wrappingCodes)
		}
		return out.put(wrapped)
	})
}

// filled is a value as long as the mechanism wraps it (sections 6.10.4 and
// 6.10.5): how long it was has to be told to whoever unwraps it, which is not done
// with private keys.
func (m *mechanism) filled(value []byte, class ck.ObjectClass) ([]byte, error) {
	switch {
	case m.fill == 0:
		return value, nil
	}
	defer clear(value)
	if class != ck.CKO_SECRET_KEY {
		return nil, ck.CKR_KEY_NOT_WRAPPABLE
	}
	whole := make([]byte, (len(value)+m.fill-1)/m.fill*m.fill)
	copy(whole, value)
	return whole, nil
}

// unfilled undoes filled, as far as the new key's type and CKA_VALUE_LEN tell; else
// it makes sure that they fit the length.
func (m *mechanism) unfilled(value []byte, t Template, keyType ck.KeyType) ([]byte, error) {
	want, given := t.ulong(ck.CKA_VALUE_LEN)
	if fixed := secretKindOf(keyType).fixed(); fixed != 0 {
		if given && want != fixed {
			return nil, ck.CKR_WRAPPED_KEY_LEN_RANGE
		}
		want, given = fixed, true
	}
	n := uint(len(value))
	switch {
	case !given || want == n:
		return value, nil
	case want > n || n-want >= uint(m.fill):
		return nil, ck.CKR_WRAPPED_KEY_LEN_RANGE
	}
	return value[:want], nil
}

// exported is what is wrapped of a key: the value of a secret key, a PKCS #8
// PrivateKeyInfo of a private one.
func (o *object) exported() ([]byte, error) {
	switch {
	case maskOf(o.class)&inHidden == 0 && maskOf(o.class)&inKeys != 0:
		return nil, ck.CKR_KEY_NOT_WRAPPABLE
	case maskOf(o.class)&inHidden == 0:
		return nil, ck.CKR_KEY_HANDLE_INVALID
	case !o.is(ck.CKA_EXTRACTABLE):
		return nil, ck.CKR_KEY_UNEXTRACTABLE
	case o.is(ck.CKA_WRAP_WITH_TRUSTED):
		return nil, ck.CKR_KEY_NOT_WRAPPABLE // no key here is trusted
	}
	switch k := o.key.(type) {
	case []byte:
		return append([]byte{}, k...), nil
	case softKey:
		return x509.MarshalPKCS8PrivateKey(k.key)
	}
	return nil, ck.CKR_KEY_NOT_WRAPPABLE
}

// UnwrapKey is C_UnwrapKey.
func (m *Module) UnwrapKey(s session.SessionHandle, given *Mechanism, unwrapping session.ObjectHandle, wrapped []byte, t Template) (session.ObjectHandle, error) {
	user, err := m.loggedIn(s)
	if err != nil {
		return 0, err
	}
	if given == nil {
		return 0, ck.CKR_ARGUMENTS_BAD
	}
	t, class, keyType, err := classOf(t, nil)
	if err != nil {
		return 0, err
	}
	if maskOf(class)&inHidden == 0 {
		return 0, ck.CKR_TEMPLATE_INCONSISTENT
	}
	if err := check(t, class, keyType, generate); err != nil {
		return 0, err
	}
	from := origin{create, ck.Unavailable, user}
	var key any
	err = m.app.Do(s, func() (err error) {
		key, err = m.unwrap(s, given, unwrapping, wrapped, t, class, keyType)
		return err
	})
	if err != nil {
		return 0, recode(err, unwrappingCodes)
	}
	if !t.bool(ck.CKA_TOKEN, false) {
		t = t.with(ck.CKA_EXTRACTABLE, encodeBool(t.bool(ck.CKA_EXTRACTABLE, true)))
		return m.newUnwrapped(s, t, class, keyType, key, from)
	}
	soft, ok := key.(softKey)
	if !ok {
		return 0, m.noSecretsOnCard(s)
	}
	material := attributes{}
	material.setPublic(soft.Public())
	material.setPrivate(soft.key)
	for _, typ := range []ck.AttributeType{
		ck.CKA_MODULUS, ck.CKA_PUBLIC_EXPONENT, ck.CKA_PRIVATE_EXPONENT, ck.CKA_PRIME_1, ck.CKA_PRIME_2,
		ck.CKA_EC_PARAMS, ck.CKA_VALUE,
	} {
		if v, ok := material[typ]; ok {
			t = append(t, Attribute{typ, v})
		}
	}
	return m.store(s, t, class, keyType, from)
}

func (m *Module) newUnwrapped(s session.SessionHandle, t Template, class ck.ObjectClass, keyType ck.KeyType, key any, from origin) (session.ObjectHandle, error) {
	if soft, ok := key.(softKey); ok {
		if got, _ := keyTypeOf(soft.Public()); got != keyType {
			return 0, ck.CKR_WRAPPED_KEY_INVALID
		}
	}
	h, err := m.newSessionObject(s, t, class, keyType, key, from)
	if errors.Is(err, ck.CKR_ATTRIBUTE_VALUE_INVALID) {
		return 0, ck.CKR_WRAPPED_KEY_LEN_RANGE
	}
	return h, err
}

// unwrap decrypts a wrapped key.
func (m *Module) unwrap(s session.SessionHandle, given *Mechanism, h session.ObjectHandle, wrapped []byte, t Template, class ck.ObjectClass, keyType ck.KeyType) (any, error) {
	by, err := m.keyFor(s, h, ck.CKR_UNWRAPPING_KEY_HANDLE_INVALID)
	if err != nil {
		return nil, err
	}
	row, param, err := start(given, canWrap, by, ck.CKO_PRIVATE_KEY, ck.CKA_UNWRAP)
	if err != nil {
		return nil, err
	}
	op := &operation{mechanism: row, use: &use{ctx: m.contextOf(by), key: by}}
	if err := op.use.once(); err != nil {
		return nil, err
	}
	if op.transform, err = row.wrapping(op.use, given, param, false); err != nil {
		return nil, err
	}
	value, err := op.whole(wrapped)
	if err != nil {
		return nil, err
	}
	if class == ck.CKO_SECRET_KEY {
		return row.unfilled(value, t, keyType)
	}
	defer clear(value)
	key, err := x509.ParsePKCS8PrivateKey(value)
	if err != nil {
		return nil, ck.CKR_WRAPPED_KEY_INVALID
	}
	if _, ok := key.(hasPublic); !ok {
		return nil, ck.CKR_WRAPPED_KEY_INVALID
	}
	return softKey{key}, nil
}

// once refuses keys that ask for a login each time in functions that leave no
// operation active for it.
func (u *use) once() error {
	if u.key.AlwaysAuthenticate() {
		return ck.CKR_USER_NOT_LOGGED_IN
	}
	return nil
}

// contextOf bounds operations with a key: a card's key by the card's stay.
func (m *Module) contextOf(key *object) context.Context {
	if key.tok != nil {
		return key.tok.ctx
	}
	return m.lib.ctx
}

// wrapping is the transform that wraps or unwraps: the mechanism's own, or, in the
// authenticated functions, that of one message.
func (m *mechanism) wrapping(u *use, given *Mechanism, param any, seal bool) (transform, error) {
	switch {
	case !given.PerMessage && seal:
		return m.encrypt(u, param)
	case !given.PerMessage:
		return m.decrypt(u, param)
	}
	all, err := m.message(u)
	if err != nil {
		return nil, err
	}
	if _, err := all.begin(given.Parameter, false); err != nil {
		return nil, err
	}
	return &whole{size: func(n int) int { return n }, finish: func(in []byte) ([]byte, error) {
		msg, err := all.begin(given.Parameter, seal) // now, as it may make the IV
		if err != nil {
			return nil, err
		}
		if seal {
			return msg.seal(given.Associated, in)
		}
		return msg.unseal(given.Associated, in)
	}}, nil
}

// WrapKeyAuthenticated is C_WrapKeyAuthenticated (3.2): an AEAD mechanism with a
// message's parameter, which takes IV and tag, and the additional data as an
// argument.
func (m *Module) WrapKeyAuthenticated(s session.SessionHandle, given *Mechanism, wrapping, key session.ObjectHandle, associated []byte, out *Out) error {
	given, err := withAssociated(given, associated)
	if err != nil {
		return m.sessionFirst(s, err)
	}
	return m.WrapKey(s, given, wrapping, key, out)
}

// UnwrapKeyAuthenticated is C_UnwrapKeyAuthenticated (3.2).
func (m *Module) UnwrapKeyAuthenticated(s session.SessionHandle, given *Mechanism, unwrapping session.ObjectHandle, wrapped []byte, t Template, associated []byte) (session.ObjectHandle, error) {
	given, err := withAssociated(given, associated)
	if err != nil {
		return 0, m.sessionFirst(s, err)
	}
	return m.UnwrapKey(s, given, unwrapping, wrapped, t)
}

// withAssociated adds the additional data to a mechanism that takes some.
func withAssociated(given *Mechanism, associated []byte) (*Mechanism, error) {
	if given == nil {
		return nil, ck.CKR_ARGUMENTS_BAD
	}
	row := mechanismOf(given.Type)
	if row == nil || row.message == nil || !row.wraps {
		return nil, ck.CKR_MECHANISM_INVALID
	}
	with := *given
	with.Associated, with.PerMessage = associated, true
	return &with, nil
}
