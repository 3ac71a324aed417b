package pkcs11

import (
	"crypto/hkdf"
	"slices"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// hkdfMechanisms are HKDF (RFC 5869; section 6.62 of PKCS #11 3.2). That keys
// for it can be generated is generateMechanisms' matter.
func hkdfMechanisms() []mechanism {
	row := mechanism{
		typ: ck.CKM_HKDF_DERIVE, keys: []ck.KeyType{ck.CKK_HKDF, ck.CKK_GENERIC_SECRET}, min: 1, max: maxGeneric,
		param: hkdfParam, derive: deriveHKDF, fromData: true,
	}
	data := row
	data.typ, data.toData = ck.CKM_HKDF_DATA, true
	return []mechanism{row, data}
}

// hkdfParams is CK_HKDF_PARAMS.
type hkdfParams struct {
	extract, expand bool
	hash            *hashRow
	saltType        ck.Flags
	salt, info      []byte
	saltKey         session.ObjectHandle
}

func hkdfParam(p Parameter) (any, error) {
	// bExtract, bExpand, prfHashMechanism, ulSaltType, pSalt, ulSaltLen, hSaltKey, pInfo, ulInfoLen
	v, ok := p.fields("bbuupuupu")
	if !ok {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	h := hkdfParams{extract: v[0] != 0, expand: v[1] != 0, hash: hashByDigest(ck.MechanismType(v[2])), saltType: ck.Flags(v[3])}
	if h.hash == nil || !h.extract && !h.expand {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	var err error
	// What belongs to a stage that is not asked for is ignored, and not looked at.
	if h.extract {
		switch h.saltType {
		case ck.CKF_HKDF_SALT_NULL:
		case ck.CKF_HKDF_SALT_DATA:
			h.salt, err = p.follow(v[4], v[5])
		case ck.CKF_HKDF_SALT_KEY:
			h.saltKey = session.ObjectHandle(v[6])
		default:
			err = ck.CKR_MECHANISM_PARAM_INVALID
		}
	}
	if err == nil && h.expand {
		h.info, err = p.follow(v[7], v[8])
	}
	return h, err
}

// deriveHKDF derives length bytes; 0 asks for as many as the hash has.
func deriveHKDF(u *use, param any, length uint) ([]byte, error) {
	h := param.(hkdfParams)
	key, err := h.input(u)
	if err != nil {
		return nil, err
	}
	size := uint(h.hash.hash.Size())
	if length == 0 {
		length = size
	}
	if h.extract {
		salt, err := h.extractSalt(u)
		if err != nil {
			return nil, err
		}
		if key, err = hkdf.Extract(h.hash.hash.New, key, salt); err != nil {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
		if !h.expand {
			if length > size {
				return nil, ck.CKR_KEY_SIZE_RANGE
			}
			return key[:length], nil
		}
		defer clear(key)
	}
	value, err := hkdf.Expand(h.hash.hash.New, key, string(h.info), int(length))
	if err != nil {
		return nil, ck.CKR_KEY_SIZE_RANGE
	}
	return value, nil
}

// input is the input keying material: a key's value, of any length, or that of a
// data object. The latter is for what is no secret (the zeros of TLS 1.3): it
// must have the hash's length and be extracted with a salt.
func (h hkdfParams) input(u *use) ([]byte, error) {
	if u.key.class != ck.CKO_DATA {
		return u.secret()
	}
	if !h.extract || h.saltType == ck.CKF_HKDF_SALT_NULL {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	if err := u.key.readData(u.ctx); err != nil {
		return nil, err
	}
	value := u.key.bytes(ck.CKA_VALUE)
	if len(value) != h.hash.hash.Size() {
		return nil, ck.CKR_KEY_SIZE_RANGE
	}
	return value, nil
}

// extractSalt is the salt, of its key where it has one: that key is used for a
// derivation as well, and has to allow it. A NULL salt is as many zeros as the
// hash has bytes, which hkdf.Extract sees to.
func (h hkdfParams) extractSalt(u *use) ([]byte, error) {
	if h.saltType != ck.CKF_HKDF_SALT_KEY {
		return h.salt, nil
	}
	key, err := u.other(h.saltKey)
	if err != nil {
		return nil, err
	}
	if key.class == ck.CKO_DATA {
		return nil, ck.CKR_KEY_HANDLE_INVALID
	}
	if err := u.row.suits(key, ck.CKO_SECRET_KEY, ck.CKA_DERIVE); err != nil {
		return nil, err
	}
	return (&use{key: key}).secret()
}

// settleData takes the template of a data object to be derived. Its value comes
// from the mechanism; CKA_VALUE_LEN, which is no attribute of data objects, says
// how long that is to be.
func (d *derivation) settleData(t Template) (err error) {
	d.keyType = ck.CKK_GENERIC_SECRET
	if n, ok := t.find(ck.CKA_VALUE_LEN); ok && len(n) != ck.ULongSize {
		return ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	if _, ok := t.find(ck.CKA_VALUE); ok {
		return ck.CKR_TEMPLATE_INCONSISTENT
	}
	if err := d.settleLength(t); err != nil {
		return err
	}
	t = slices.DeleteFunc(slices.Clone(t), func(a Attribute) bool { return a.Type == ck.CKA_VALUE_LEN })
	if d.template, _, _, err = classOf(t, Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_DATA))}}); err != nil {
		return err
	}
	if err := check(d.template, ck.CKO_DATA, 0, create); err != nil {
		return err
	}
	// As private as a key would be where nobody says.
	d.template = d.template.with(ck.CKA_PRIVATE, encodeBool(d.template.bool(ck.CKA_PRIVATE, d.user)))
	return nil
}

func (d *derivation) keepData(value []byte) (session.ObjectHandle, error) {
	o, err := newObject(d.template.with(ck.CKA_VALUE, value), ck.CKO_DATA, 0, nil, created)
	if err != nil {
		return 0, err
	}
	return d.m.keep(d.s, o)
}
