package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"math/big"

	"cardbridge/pkcs11/ck"
)

// generateMechanisms make keys: secret ones here, key pairs here or on a card.
func generateMechanisms() []mechanism {
	secret := func(typ ck.MechanismType, keyType ck.KeyType, min, max uint) mechanism {
		return mechanism{typ: typ, keys: []ck.KeyType{keyType}, min: min, max: max, param: empty, generate: func(t Template) ([]byte, error) {
			n, err := secretLength(t, keyType)
			if err != nil {
				return nil, err
			}
			key := randomBytes(n)
			if typ == ck.CKM_DES2_KEY_GEN || typ == ck.CKM_DES3_KEY_GEN {
				oddParity(key)
			}
			return key, nil
		}}
	}
	ec := func(typ ck.MechanismType, keyType ck.KeyType, min, max uint, extra ck.Flags) mechanism {
		return mechanism{typ: typ, keys: []ck.KeyType{keyType}, min: min, max: max, extra: ecFlags | extra, param: empty, pair: func(pub, _ Template) (crypto.PrivateKey, error) {
			return generateEC(pub, keyType)
		}}
	}
	return []mechanism{
		secret(ck.CKM_GENERIC_SECRET_KEY_GEN, ck.CKK_GENERIC_SECRET, 1, maxGeneric),
		secret(ck.CKM_AES_KEY_GEN, ck.CKK_AES, 16, 32),
		secret(ck.CKM_DES2_KEY_GEN, ck.CKK_DES2, 16, 16),
		secret(ck.CKM_DES3_KEY_GEN, ck.CKK_DES3, 24, 24),
		secret(ck.CKM_HKDF_KEY_GEN, ck.CKK_HKDF, 1, maxGeneric),
		{typ: ck.CKM_RSA_PKCS_KEY_PAIR_GEN, keys: rsaKeys, min: minRSABits, max: maxGeneratedRSA, extra: ck.CKF_HW, param: empty, pair: generateRSA},
		ec(ck.CKM_EC_KEY_PAIR_GEN, ck.CKK_EC, 256, 521, 0),
		ec(ck.CKM_EC_EDWARDS_KEY_PAIR_GEN, ck.CKK_EC_EDWARDS, 255, 255, ck.CKF_EC_CURVENAME),
		ec(ck.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, ck.CKK_EC_MONTGOMERY, 255, 255, ck.CKF_EC_CURVENAME),
	}
}

// secretLength is how long a new secret key is to be: what its kind says, or
// the template where that leaves a choice.
func secretLength(t Template, keyType ck.KeyType) (uint, error) {
	kind := secretKindOf(keyType)
	if kind == nil {
		return 0, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	n, ok := t.ulong(ck.CKA_VALUE_LEN)
	switch {
	case !ok && kind.fixed() != 0:
		return kind.fixed(), nil
	case !ok:
		return 0, ck.CKR_TEMPLATE_INCOMPLETE
	case !kind.fits(n):
		return 0, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	return n, nil
}

// maxGeneratedRSA bounds RSA keys made here: a longer one takes minutes.
const maxGeneratedRSA = 4096

// rsaBits reads the size of a key to be made, and refuses public exponents
// other than 65537: neither the standard library nor any card makes others.
func rsaBits(pub Template) (int, error) {
	bits, ok := pub.ulong(ck.CKA_MODULUS_BITS)
	if !ok {
		return 0, ck.CKR_TEMPLATE_INCOMPLETE
	}
	if e, ok := pub.find(ck.CKA_PUBLIC_EXPONENT); ok && new(big.Int).SetBytes(e).Cmp(big.NewInt(65537)) != 0 {
		return 0, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	if bits < minRSABits || bits > maxGeneratedRSA || bits%8 != 0 {
		return 0, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	return int(bits), nil
}

func generateRSA(pub, _ Template) (crypto.PrivateKey, error) {
	bits, err := rsaBits(pub)
	if err != nil {
		return nil, err
	}
	return rsa.GenerateKey(rand.Reader, bits)
}

// templateCurve reads CKA_EC_PARAMS of a key to be made.
func templateCurve(pub Template, keyType ck.KeyType) (*curve, error) {
	params, ok := pub.find(ck.CKA_EC_PARAMS)
	if !ok {
		return nil, ck.CKR_TEMPLATE_INCOMPLETE
	}
	c, err := curveOf(params)
	if err != nil {
		return nil, err
	}
	if c.keyType != keyType {
		return nil, ck.CKR_CURVE_NOT_SUPPORTED
	}
	return c, nil
}

func generateEC(pub Template, keyType ck.KeyType) (crypto.PrivateKey, error) {
	c, err := templateCurve(pub, keyType)
	switch {
	case err != nil:
		return nil, err
	case c.ecdsa != nil:
		return ecdsa.GenerateKey(c.ecdsa, rand.Reader)
	case c.ecdh != nil:
		return c.ecdh.GenerateKey(rand.Reader)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}
