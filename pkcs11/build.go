package pkcs11

import (
	"bytes"
	"slices"

	"cardbridge/pkcs11/ck"
)

// How an object came to be.
type origin struct {
	rule rules // create or generate: which attributes the template may give
	// mechanism generated the key; ck.Unavailable for keys from elsewhere.
	mechanism uint
	// loggedIn is the default of CKA_PRIVATE for keys: "token-specific" in the
	// standard, and nobody is served by a default that fails.
	loggedIn bool
}

var created = origin{rule: create, mechanism: ck.Unavailable}

// check applies the table's rules to a template: form, class and who may give
// a value. class and key type are settled before.
func check(t Template, class ck.ObjectClass, keyType ck.KeyType, rule rules) error {
	mask, kind := maskOf(class), keyMaskOf(class, keyType)
	for i := range t {
		row, err := t.row(i, mask, kind)
		switch {
		case err != nil:
			return err
		case row.rules&rule == 0 && row.rules&given != 0:
			return ck.CKR_TEMPLATE_INCONSISTENT
		case row.rules&rule == 0, row.rules&neverTrue != 0 && !bytes.Equal(t[i].Value, no):
			return ck.CKR_ATTRIBUTE_READ_ONLY
		}
	}
	return nil
}

// classOf settles class and key type of a new object. implied are what the
// function or mechanism makes anyway; a template may repeat them but not
// contradict.
func classOf(t Template, implied Template) (Template, ck.ObjectClass, ck.KeyType, error) {
	t = slices.Clone(t)
	for _, a := range implied {
		v, ok := t.find(a.Type)
		switch {
		case !ok:
			t = append(t, a)
		case !bytes.Equal(v, a.Value):
			return nil, 0, 0, ck.CKR_TEMPLATE_INCONSISTENT
		}
	}
	v, ok := t.find(ck.CKA_CLASS)
	if !ok {
		return nil, 0, 0, ck.CKR_TEMPLATE_INCOMPLETE
	}
	n, ok := decodeULong(v)
	class := ck.ObjectClass(n)
	if !ok || maskOf(class)&inAll == 0 {
		return nil, 0, 0, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	if maskOf(class)&inKeys == 0 {
		return t, class, 0, nil
	}
	v, ok = t.find(ck.CKA_KEY_TYPE)
	if !ok {
		return nil, 0, 0, ck.CKR_TEMPLATE_INCOMPLETE
	}
	n, ok = decodeULong(v)
	keyType := ck.KeyType(n)
	if !ok || !keyTypeKnown(class, keyType) {
		return nil, 0, 0, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	return t, class, keyType, nil
}

func keyTypeKnown(class ck.ObjectClass, t ck.KeyType) bool {
	if class == ck.CKO_SECRET_KEY {
		return secretKindOf(t) != nil
	}
	return slices.Contains([]ck.KeyType{ck.CKK_RSA, ck.CKK_EC, ck.CKK_EC_EDWARDS, ck.CKK_EC_MONTGOMERY}, t)
}

// usage is what a key may be used for where the template says nothing: what
// its kind can do.
var usage = [...]struct {
	class ck.ObjectClass
	types []ck.KeyType
	may   []ck.AttributeType
}{
	{ck.CKO_PUBLIC_KEY, []ck.KeyType{ck.CKK_RSA}, []ck.AttributeType{ck.CKA_ENCRYPT, ck.CKA_VERIFY, ck.CKA_VERIFY_RECOVER, ck.CKA_WRAP}},
	{ck.CKO_PUBLIC_KEY, []ck.KeyType{ck.CKK_EC}, []ck.AttributeType{ck.CKA_VERIFY, ck.CKA_ENCAPSULATE}},
	{ck.CKO_PUBLIC_KEY, []ck.KeyType{ck.CKK_EC_EDWARDS}, []ck.AttributeType{ck.CKA_VERIFY}},
	{ck.CKO_PUBLIC_KEY, []ck.KeyType{ck.CKK_EC_MONTGOMERY}, []ck.AttributeType{ck.CKA_ENCAPSULATE}},
	{ck.CKO_PRIVATE_KEY, []ck.KeyType{ck.CKK_RSA}, []ck.AttributeType{ck.CKA_DECRYPT, ck.CKA_SIGN, ck.CKA_SIGN_RECOVER, ck.CKA_UNWRAP}},
	{ck.CKO_PRIVATE_KEY, []ck.KeyType{ck.CKK_EC}, []ck.AttributeType{ck.CKA_SIGN, ck.CKA_DERIVE, ck.CKA_DECAPSULATE}},
	{ck.CKO_PRIVATE_KEY, []ck.KeyType{ck.CKK_EC_EDWARDS}, []ck.AttributeType{ck.CKA_SIGN}},
	{ck.CKO_PRIVATE_KEY, []ck.KeyType{ck.CKK_EC_MONTGOMERY}, []ck.AttributeType{ck.CKA_DERIVE, ck.CKA_DECAPSULATE}},
	{ck.CKO_SECRET_KEY, []ck.KeyType{ck.CKK_AES, ck.CKK_DES2, ck.CKK_DES3}, []ck.AttributeType{ck.CKA_ENCRYPT, ck.CKA_DECRYPT, ck.CKA_SIGN, ck.CKA_VERIFY, ck.CKA_WRAP, ck.CKA_UNWRAP}},
	{ck.CKO_SECRET_KEY, []ck.KeyType{ck.CKK_HKDF}, []ck.AttributeType{ck.CKA_DERIVE}},
	{ck.CKO_SECRET_KEY, nil, []ck.AttributeType{ck.CKA_SIGN, ck.CKA_VERIFY, ck.CKA_DERIVE}},
}

// usageOf lists what keys of that class and type may do unless told otherwise.
func usageOf(class ck.ObjectClass, t ck.KeyType) []ck.AttributeType {
	for _, row := range usage {
		if row.class == class && (row.types == nil || slices.Contains(row.types, t)) {
			return row.may
		}
	}
	return nil
}

// usages are all the attributes of that kind.
var usages = []ck.AttributeType{
	ck.CKA_ENCRYPT, ck.CKA_DECRYPT, ck.CKA_SIGN, ck.CKA_SIGN_RECOVER, ck.CKA_VERIFY, ck.CKA_VERIFY_RECOVER,
	ck.CKA_WRAP, ck.CKA_UNWRAP, ck.CKA_DERIVE, ck.CKA_ENCAPSULATE, ck.CKA_DECAPSULATE,
}

// newObject makes a session object of a template that passed check. key is the
// key's material where it does not stand in the template.
func newObject(t Template, class ck.ObjectClass, keyType ck.KeyType, key any, from origin) (*object, error) {
	attrs := attributes{}
	for _, a := range t {
		attrs[a.Type] = bytes.Clone(a.Value)
	}
	mask, kind := maskOf(class), keyMaskOf(class, keyType)
	if mask&inKeys != 0 {
		may := usageOf(class, keyType)
		for _, u := range usages {
			if rowFor(u, mask, kind) != nil {
				attrs.setDefault(u, encodeBool(slices.Contains(may, u)))
			}
		}
		attrs.setULong(ck.CKA_KEY_GEN_MECHANISM, from.mechanism)
		attrs.setBool(ck.CKA_LOCAL, from.mechanism != ck.Unavailable && from.rule == generate)
	}
	if mask&inHidden != 0 {
		attrs.setDefault(ck.CKA_PRIVATE, encodeBool(from.loggedIn))
		// A key that may leave is not sensitive unless someone says so.
		attrs.setDefault(ck.CKA_EXTRACTABLE, encodeBool(class == ck.CKO_SECRET_KEY))
		attrs.setDefault(ck.CKA_SENSITIVE, encodeBool(class == ck.CKO_PRIVATE_KEY))
		local := attrs.bool(ck.CKA_LOCAL)
		attrs.setBool(ck.CKA_ALWAYS_SENSITIVE, local && attrs.bool(ck.CKA_SENSITIVE))
		attrs.setBool(ck.CKA_NEVER_EXTRACTABLE, local && !attrs.bool(ck.CKA_EXTRACTABLE))
	}
	attrs.setDefault(ck.CKA_PRIVATE, no)
	if attrs.bool(ck.CKA_ALWAYS_AUTHENTICATE) && !attrs.bool(ck.CKA_PRIVATE) {
		return nil, ck.CKR_TEMPLATE_INCONSISTENT // section 4.10
	}
	for i := range attributeTable {
		row := &attributeTable[i]
		if row.value != nil && row.classes&mask != 0 && (row.keys == 0 || row.keys&kind != 0) {
			attrs.setDefault(row.typ, row.value)
		}
	}
	attrs[ck.CKA_UNIQUE_ID] = uniqueID()
	o := &object{class: class, private: attrs.bool(ck.CKA_PRIVATE), attrs: attrs, key: key}
	if err := o.material(keyType); err != nil {
		return nil, err
	}
	return o, nil
}
