package pkcs11

import (
	"bytes"
	"slices"

	"cardbridge/pkcs11/ck"
)

// A valueKind is the form of an attribute's value.
type valueKind uint8

const (
	anyBytes valueKind = iota
	boolean
	number  // CK_ULONG and its like
	bigInt  // unsigned, most significant byte first
	date    // CK_DATE, or empty
	numbers // an array of CK_ULONG
)

// classMask is a set of object classes.
type classMask uint8

const (
	inData classMask = 1 << iota
	inCertificate
	inPublic
	inPrivate
	inSecret
	inProfile
	inFeature

	inKeys   = inPublic | inPrivate | inSecret
	inHidden = inPrivate | inSecret
	inAll    = inData | inCertificate | inKeys
	anywhere = inAll | inProfile | inFeature
)

var classes = [...]struct {
	class ck.ObjectClass
	mask  classMask
}{
	{ck.CKO_DATA, inData},
	{ck.CKO_CERTIFICATE, inCertificate},
	{ck.CKO_PUBLIC_KEY, inPublic},
	{ck.CKO_PRIVATE_KEY, inPrivate},
	{ck.CKO_SECRET_KEY, inSecret},
	{ck.CKO_PROFILE, inProfile},
	{ck.CKO_HW_FEATURE, inFeature},
}

func maskOf(c ck.ObjectClass) classMask {
	for _, row := range classes {
		if row.class == c {
			return row.mask
		}
	}
	return 0
}

// keyMask is a set of key kinds; zero in a row means any.
type keyMask uint8

const (
	ofRSA keyMask = 1 << iota
	ofEC
	ofSecret
)

// rules say who may give an attribute a value: the footnotes of table 13 in
// section 4.
type rules uint8

const (
	create    rules = 1 << iota // C_CreateObject and C_UnwrapKey
	generate                    // C_GenerateKey, C_GenerateKeyPair, C_DeriveKey
	change                      // C_SetAttributeValue and C_CopyObject
	copying                     // C_CopyObject only
	sensitive                   // not told where CKA_SENSITIVE, or not CKA_EXTRACTABLE
	onlyTrue                    // changes from false to true only
	onlyFalse                   // changes from true to false only
	neverTrue                   // may be given as what it always is

	given = create | generate
)

// An attributeRow is all there is to know of one attribute.
type attributeRow struct {
	typ     ck.AttributeType
	kind    valueKind
	classes classMask
	keys    keyMask
	rules   rules
	// value is what a new object has where the template is silent; nil for no
	// attribute at all.
	value []byte
}

var (
	no    = []byte{0}
	yes   = []byte{1}
	blank = []byte{}
)

// attributeTable is in the order of the standard's sections 4.2 to 4.10.
var attributeTable = [...]attributeRow{
	{ck.CKA_CLASS, number, anywhere, 0, given, nil},
	{ck.CKA_TOKEN, boolean, anywhere, 0, given | copying, no},
	{ck.CKA_PRIVATE, boolean, inAll, 0, given | copying, nil},
	{ck.CKA_LABEL, anyBytes, inAll, 0, given | change, blank},
	{ck.CKA_UNIQUE_ID, anyBytes, anywhere, 0, 0, nil},
	{ck.CKA_MODIFIABLE, boolean, inAll, 0, given | copying, yes},
	{ck.CKA_COPYABLE, boolean, inAll, 0, given | change | onlyFalse, yes},
	{ck.CKA_DESTROYABLE, boolean, inAll, 0, given | copying, yes},

	{ck.CKA_APPLICATION, anyBytes, inData, 0, create | change, blank},
	{ck.CKA_OBJECT_ID, anyBytes, inData, 0, create | change, blank},
	{ck.CKA_VALUE, anyBytes, inData | inCertificate, 0, create | change, blank},

	{ck.CKA_CERTIFICATE_TYPE, number, inCertificate, 0, create, nil},
	{ck.CKA_TRUSTED, boolean, inCertificate | inPublic | inSecret, 0, given | change | neverTrue, no},
	{ck.CKA_CERTIFICATE_CATEGORY, number, inCertificate, 0, create, encodeZero},
	{ck.CKA_CHECK_VALUE, anyBytes, inCertificate | inSecret, 0, given, nil},
	{ck.CKA_START_DATE, date, inCertificate | inKeys, 0, given | change, blank},
	{ck.CKA_END_DATE, date, inCertificate | inKeys, 0, given | change, blank},
	{ck.CKA_PUBLIC_KEY_INFO, anyBytes, inCertificate | inPublic | inPrivate, 0, create, nil},
	{ck.CKA_SUBJECT, anyBytes, inCertificate, 0, given | change, nil},
	{ck.CKA_SUBJECT, anyBytes, inPublic | inPrivate, 0, given | change, blank},
	{ck.CKA_ID, anyBytes, inCertificate | inKeys, 0, given | change, blank},
	{ck.CKA_ISSUER, anyBytes, inCertificate, 0, create | change, nil},
	{ck.CKA_SERIAL_NUMBER, anyBytes, inCertificate, 0, create | change, nil},
	{ck.CKA_URL, anyBytes, inCertificate, 0, create, blank},
	{ck.CKA_HASH_OF_SUBJECT_PUBLIC_KEY, anyBytes, inCertificate, 0, create, nil},
	{ck.CKA_HASH_OF_ISSUER_PUBLIC_KEY, anyBytes, inCertificate, 0, create, nil},
	{ck.CKA_NAME_HASH_ALGORITHM, number, inCertificate, 0, create, nil},
	{ck.CKA_JAVA_MIDP_SECURITY_DOMAIN, number, inCertificate, 0, create, encodeZero},

	{ck.CKA_KEY_TYPE, number, inKeys, 0, given, nil},
	{ck.CKA_DERIVE, boolean, inKeys, 0, given | change, no},
	{ck.CKA_LOCAL, boolean, inKeys, 0, 0, no},
	{ck.CKA_KEY_GEN_MECHANISM, number, inKeys, 0, 0, nil},
	{ck.CKA_ALLOWED_MECHANISMS, numbers, inKeys, 0, given, nil},

	{ck.CKA_ENCRYPT, boolean, inPublic | inSecret, 0, given | change, nil},
	{ck.CKA_VERIFY, boolean, inPublic | inSecret, 0, given | change, nil},
	{ck.CKA_VERIFY_RECOVER, boolean, inPublic, 0, given | change, nil},
	{ck.CKA_WRAP, boolean, inPublic | inSecret, 0, given | change, nil},
	{ck.CKA_ENCAPSULATE, boolean, inPublic, 0, given | change, nil},

	{ck.CKA_SENSITIVE, boolean, inHidden, 0, given | change | onlyTrue, nil},
	{ck.CKA_DECRYPT, boolean, inHidden, 0, given | change, nil},
	{ck.CKA_SIGN, boolean, inHidden, 0, given | change, nil},
	{ck.CKA_SIGN_RECOVER, boolean, inPrivate, 0, given | change, nil},
	{ck.CKA_UNWRAP, boolean, inHidden, 0, given | change, nil},
	{ck.CKA_DECAPSULATE, boolean, inPrivate, 0, given | change, nil},
	{ck.CKA_EXTRACTABLE, boolean, inHidden, 0, given | change | onlyFalse, nil},
	{ck.CKA_ALWAYS_SENSITIVE, boolean, inHidden, 0, 0, nil},
	{ck.CKA_NEVER_EXTRACTABLE, boolean, inHidden, 0, 0, nil},
	{ck.CKA_WRAP_WITH_TRUSTED, boolean, inHidden, 0, given | change | onlyTrue, no},
	{ck.CKA_ALWAYS_AUTHENTICATE, boolean, inPrivate, 0, given, no},

	{ck.CKA_MODULUS, bigInt, inPublic | inPrivate, ofRSA, create, nil},
	{ck.CKA_MODULUS_BITS, number, inPublic, ofRSA, generate, nil},
	{ck.CKA_PUBLIC_EXPONENT, bigInt, inPublic | inPrivate, ofRSA, given, nil},
	{ck.CKA_PRIVATE_EXPONENT, bigInt, inPrivate, ofRSA, create | sensitive, nil},
	{ck.CKA_PRIME_1, bigInt, inPrivate, ofRSA, create | sensitive, nil},
	{ck.CKA_PRIME_2, bigInt, inPrivate, ofRSA, create | sensitive, nil},
	{ck.CKA_EXPONENT_1, bigInt, inPrivate, ofRSA, create | sensitive, nil},
	{ck.CKA_EXPONENT_2, bigInt, inPrivate, ofRSA, create | sensitive, nil},
	{ck.CKA_COEFFICIENT, bigInt, inPrivate, ofRSA, create | sensitive, nil},

	{ck.CKA_EC_PARAMS, anyBytes, inPublic | inPrivate, ofEC, given, nil},
	{ck.CKA_EC_POINT, anyBytes, inPublic | inPrivate, ofEC, create, nil},
	{ck.CKA_VALUE, anyBytes, inPrivate, ofEC, create | sensitive, nil},

	{ck.CKA_VALUE, anyBytes, inSecret, ofSecret, create | sensitive, nil},
	{ck.CKA_VALUE_LEN, number, inSecret, ofSecret, generate, nil},

	{ck.CKA_PROFILE_ID, number, inProfile, 0, 0, nil},
	{ck.CKA_HW_FEATURE_TYPE, number, inFeature, 0, 0, nil},
}

var encodeZero = make([]byte, ck.ULongSize)

// rowFor finds the row of an attribute for objects of a class and kind of key.
func rowFor(t ck.AttributeType, class classMask, key keyMask) *attributeRow {
	for i := range attributeTable {
		r := &attributeTable[i]
		if r.typ == t && r.classes&class != 0 && (r.keys == 0 || r.keys&key != 0) {
			return r
		}
	}
	return nil
}

// row finds the row of a template's attribute, whose value must be of the row's
// form and the only one that the template has for it.
func (t Template) row(i int, class classMask, key keyMask) (*attributeRow, error) {
	a := t[i]
	row := rowFor(a.Type, class, key)
	switch {
	case row == nil:
		return nil, ck.CKR_ATTRIBUTE_TYPE_INVALID
	case slices.ContainsFunc(t[:i], func(b Attribute) bool { return b.Type == a.Type && !bytes.Equal(a.Value, b.Value) }):
		return nil, ck.CKR_TEMPLATE_INCONSISTENT
	case !row.wellFormed(a.Value):
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	return row, nil
}

// wellFormed tells whether a value has the form its attribute asks for.
func (r *attributeRow) wellFormed(v []byte) bool {
	switch r.kind {
	case boolean:
		return len(v) == 1 && v[0] <= 1
	case number:
		return len(v) == ck.ULongSize
	case date:
		return len(v) == 0 || len(v) == 8 && digits(v)
	case numbers:
		return len(v)%ck.ULongSize == 0
	case bigInt:
		return len(v) > 0 && len(v) <= 4096
	}
	return len(v) <= maxIndirect
}

func digits(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c < '0' || c > '9' })
}
