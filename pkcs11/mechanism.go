package pkcs11

import (
	"cmp"
	"context"
	"crypto"
	"hash"
	"slices"
	"sync"

	"cardbridge/internal/secret"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// A mechanism is one row of the registry and all there is to know of a
// mechanism. What it can do is what it has constructors for; flags that say so
// are derived from them, so that advertised is implemented.
type mechanism struct {
	typ      ck.MechanismType
	keys     []ck.KeyType // it works with, or makes; empty for digests
	min, max uint         // sizes of the key, in the unit of section 5.5's table
	extra    ck.Flags     // CKF_HW and the CKF_EC flags
	param    func(Parameter) (any, error)

	digest   func(param any) hash.Hash
	sign     func(u *use, param any) (*signing, error)
	verify   func(u *use, param any) (*verifying, error)
	recover  func(u *use, param any) (recovery, error) // C_VerifyRecover; C_SignRecover is sign
	encrypt  func(u *use, param any) (transform, error)
	decrypt  func(u *use, param any) (transform, error)
	message  func(u *use) (messages, error)
	wraps    bool // encrypt and decrypt serve C_WrapKey and C_UnwrapKey
	wrapOnly bool // and nothing else
	fill     int  // wraps whole blocks of so many bytes: values are filled up with zeros
	generate func(t Template) ([]byte, error)
	pair     func(pub, priv Template) (crypto.PrivateKey, error)
	derive   func(u *use, param any, length uint) ([]byte, error)
	kem      *kem
	fromData bool // derive takes a data object for the base key, too
	toData   bool // derive makes a data object, not a key
}

// A kem is a key encapsulation mechanism (3.2).
type kem struct {
	size        func(u *use, param any) (int, error) // of the ciphertext
	encapsulate func(u *use, param any, length uint) (ciphertext, value []byte, err error)
	decapsulate func(u *use, param any, ciphertext []byte, length uint) (value []byte, err error)
}

// A use is a key in use by one operation.
type use struct {
	ctx context.Context
	key *object
	// pin is the context-specific login's, for a key that asks for one each time.
	pin *secret.Secret
	// onPad: that login is left to the reader's keys.
	onPad bool
	// row is the mechanism, and other finds another key that a derivation's
	// parameter names, as the session sees it.
	row   *mechanism
	other func(session.ObjectHandle) (*object, error)
}

// private is the private key behind u.
func (u *use) private() (privateKey, error) {
	if u.key.tok != nil {
		return u.key.tok.privateKey(u), nil
	}
	k, ok := u.key.key.(privateKey)
	if !ok {
		return nil, ck.CKR_KEY_TYPE_INCONSISTENT
	}
	return k, nil
}

// public is the public key, of either half.
func (u *use) public() (crypto.PublicKey, error) {
	switch k := u.key.key.(type) {
	case hasPublic:
		return k.Public(), nil
	case []byte, nil:
		return nil, ck.CKR_KEY_TYPE_INCONSISTENT
	default:
		return k, nil
	}
}

// secret is the value of a secret key.
func (u *use) secret() ([]byte, error) {
	k, ok := u.key.key.([]byte)
	if !ok {
		return nil, ck.CKR_KEY_TYPE_INCONSISTENT
	}
	return k, nil
}

// flags are CK_MECHANISM_INFO's.
func (m *mechanism) flags() ck.Flags {
	f := m.extra
	for _, row := range [...]struct {
		has bool
		f   ck.Flags
	}{
		{m.digest != nil, ck.CKF_DIGEST},
		{m.sign != nil, ck.CKF_SIGN | ck.CKF_MESSAGE_SIGN},
		{m.verify != nil, ck.CKF_VERIFY | ck.CKF_MESSAGE_VERIFY},
		{m.recover != nil, ck.CKF_SIGN_RECOVER | ck.CKF_VERIFY_RECOVER},
		{m.encrypt != nil && !m.wrapOnly, ck.CKF_ENCRYPT},
		{m.decrypt != nil && !m.wrapOnly, ck.CKF_DECRYPT},
		{m.message != nil, ck.CKF_MESSAGE_ENCRYPT | ck.CKF_MESSAGE_DECRYPT},
		{m.wraps, ck.CKF_WRAP | ck.CKF_UNWRAP},
		{m.generate != nil, ck.CKF_GENERATE},
		{m.pair != nil, ck.CKF_GENERATE_KEY_PAIR},
		{m.derive != nil, ck.CKF_DERIVE},
		{m.kem != nil, ck.CKF_ENCAPSULATE | ck.CKF_DECAPSULATE},
	} {
		if row.has {
			f |= row.f
		}
	}
	return f
}

// registry holds every mechanism, sorted. It is made at the first use, not when
// the library is loaded.
var registry = sync.OnceValue(func() (all []*mechanism) {
	for _, rows := range [][]mechanism{
		digestMechanisms(), hmacMechanisms(), rsaMechanisms(), ecMechanisms(), blockMechanisms(), gcmMechanisms(),
		keyWrapMechanisms(), generateMechanisms(), deriveMechanisms(), hkdfMechanisms(),
	} {
		for i := range rows {
			all = append(all, &rows[i])
		}
	}
	slices.SortFunc(all, func(a, b *mechanism) int { return cmp.Compare(a.typ, b.typ) })
	return all
})

// mechanismOf finds a mechanism's row.
func mechanismOf(t ck.MechanismType) *mechanism {
	all := registry()
	i, ok := slices.BinarySearchFunc(all, t, func(m *mechanism, t ck.MechanismType) int { return cmp.Compare(m.typ, t) })
	if !ok {
		return nil
	}
	return all[i]
}

// start checks what every C_*Init checks: that the mechanism exists and can do
// this, that the key is of a kind it works with, that the key may be used so,
// and the parameter.
func start(given *Mechanism, can func(*mechanism) bool, key *object, class ck.ObjectClass, usage ck.AttributeType) (*mechanism, any, error) {
	m := mechanismOf(given.Type)
	if m == nil || !can(m) {
		return nil, nil, ck.CKR_MECHANISM_INVALID
	}
	if key != nil {
		if err := m.suits(key, class, usage); err != nil {
			return nil, nil, err
		}
	}
	if given.PerMessage {
		return m, nil, nil
	}
	param, err := m.param(given.Parameter)
	return m, param, err
}

// suits tells whether a key may be used with the mechanism.
func (m *mechanism) suits(key *object, class ck.ObjectClass, usage ck.AttributeType) error {
	isKey := maskOf(key.class)&inKeys != 0
	switch {
	case m.fromData && key.class == ck.CKO_DATA:
		return nil // which has neither a key's kind nor a key's usage
	case !isKey:
		return ck.CKR_KEY_HANDLE_INVALID
	case key.class != class && key.class != ck.CKO_SECRET_KEY, !slices.Contains(m.keys, key.keyType()):
		return ck.CKR_KEY_TYPE_INCONSISTENT
	case !key.is(usage):
		return ck.CKR_KEY_FUNCTION_NOT_PERMITTED
	}
	if allowed := key.bytes(ck.CKA_ALLOWED_MECHANISMS); len(allowed) > 0 {
		for chunk := range slices.Chunk(allowed, ck.ULongSize) {
			if v, ok := decodeULong(chunk); ok && ck.MechanismType(v) == m.typ {
				return nil
			}
		}
		return ck.CKR_MECHANISM_INVALID
	}
	return nil
}
