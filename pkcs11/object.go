package pkcs11

import (
	"bytes"
	"maps"
	"sync"

	"cardbridge/pkcs11/ck"
)

// An object is what stands behind an object handle: a session object, or one of
// a token.
type object struct {
	class   ck.ObjectClass
	onToken bool
	private bool
	// tok is where a token object lives.
	tok *token
	// slot is the key slot that a token object belongs to; data its data object.
	slot KeySlot
	data *DataObject

	mu    sync.RWMutex
	attrs attributes
	// key is what operations use: a crypto.PublicKey, a privateKey, or the bytes
	// of a secret key. Nil for other classes.
	key any
}

// Token, Private, AlwaysAuthenticate, Modifiable and Destroyable are what
// package session asks of an object.

// Token is CKA_TOKEN.
func (o *object) Token() bool { return o.onToken }

// Private is CKA_PRIVATE, as far as access goes.
func (o *object) Private() bool { return o.private }

// AlwaysAuthenticate is CKA_ALWAYS_AUTHENTICATE.
func (o *object) AlwaysAuthenticate() bool { return o.is(ck.CKA_ALWAYS_AUTHENTICATE) }

// Modifiable is CKA_MODIFIABLE.
func (o *object) Modifiable() bool { return o.is(ck.CKA_MODIFIABLE) }

// Destroyable is CKA_DESTROYABLE.
func (o *object) Destroyable() bool { return o.is(ck.CKA_DESTROYABLE) }

func (o *object) is(t ck.AttributeType) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.attrs.bool(t)
}

func (o *object) number(t ck.AttributeType) uint {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.attrs.ulong(t)
}

func (o *object) keyType() ck.KeyType { return ck.KeyType(o.number(ck.CKA_KEY_TYPE)) }

// bytes returns an attribute whatever the object says of telling it: for use
// inside.
func (o *object) bytes(t ck.AttributeType) []byte {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return bytes.Clone(o.attrs[t])
}

// keyMask is the kind of key that the object is.
func (o *object) keyMask() keyMask {
	return keyMaskOf(o.class, ck.KeyType(o.attrs.ulong(ck.CKA_KEY_TYPE)))
}

func keyMaskOf(class ck.ObjectClass, t ck.KeyType) keyMask {
	switch {
	case class == ck.CKO_SECRET_KEY:
		return ofSecret
	case t == ck.CKK_RSA:
		return ofRSA
	default:
		return ofEC
	}
}

// tell returns an attribute as a caller may see it: CKR_ATTRIBUTE_SENSITIVE,
// CKR_ATTRIBUTE_TYPE_INVALID.
func (o *object) tell(t ck.AttributeType) ([]byte, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	row := rowFor(t, maskOf(o.class), o.keyMask())
	if row == nil {
		return nil, ck.CKR_ATTRIBUTE_TYPE_INVALID
	}
	if row.rules&sensitive != 0 && (o.attrs.bool(ck.CKA_SENSITIVE) || !o.attrs.bool(ck.CKA_EXTRACTABLE)) {
		return nil, ck.CKR_ATTRIBUTE_SENSITIVE
	}
	v, ok := o.attrs[t]
	if !ok {
		return nil, ck.CKR_ATTRIBUTE_TYPE_INVALID
	}
	return v, nil
}

// matches tells whether the object has every attribute of a search template
// with just that value. A sensitive attribute matches nothing, or a search could
// guess it byte by byte.
func (o *object) matches(t Template) bool {
	for _, want := range t {
		if v, err := o.tell(want.Type); err != nil || !bytes.Equal(v, want.Value) {
			return false
		}
	}
	return true
}

// size is C_GetObjectSize: the bytes of the attributes' values and types.
func (o *object) size() uint {
	o.mu.RLock()
	defer o.mu.RUnlock()
	n := 0
	for _, v := range o.attrs {
		n += len(v) + ck.ULongSize
	}
	return uint(n)
}

// changed returns the attributes after a template was applied, with the
// rules of C_SetAttributeValue, or those of C_CopyObject. The object itself
// stays as it is. Under its lock.
func (o *object) changed(t Template, copied bool) (attributes, error) {
	attrs := maps.Clone(o.attrs)
	for i, a := range t {
		row, err := t.row(i, maskOf(o.class), o.keyMask())
		switch {
		case err != nil:
			return nil, err
		case row.rules&change == 0 && !(copied && row.rules&copying != 0), row.rules&neverTrue != 0 && !bytes.Equal(a.Value, no):
			return nil, ck.CKR_ATTRIBUTE_READ_ONLY
		case row.rules&onlyTrue != 0 && attrs.bool(a.Type) && !bytes.Equal(a.Value, yes),
			row.rules&onlyFalse != 0 && !attrs.bool(a.Type) && !bytes.Equal(a.Value, no):
			return nil, ck.CKR_ATTRIBUTE_READ_ONLY
		}
		attrs[a.Type] = bytes.Clone(a.Value)
	}
	return attrs, nil
}

// uniqueID is a fresh CKA_UNIQUE_ID.
func uniqueID() []byte {
	const hexDigits = "0123456789abcdef"
	b := make([]byte, 0, 32)
	for _, c := range randomBytes(16) {
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return b
}
