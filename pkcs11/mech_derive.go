package pkcs11

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/binary"
	"errors"

	"cardbridge/pkcs11/ck"
)

// deriveMechanisms are key agreement.
func deriveMechanisms() (all []mechanism) {
	for _, row := range []struct {
		typ  ck.MechanismType
		keys []ck.KeyType
	}{
		{ck.CKM_ECDH1_DERIVE, []ck.KeyType{ck.CKK_EC, ck.CKK_EC_MONTGOMERY}},
		// The cofactor of every curve here is 1: it does the same.
		{ck.CKM_ECDH1_COFACTOR_DERIVE, []ck.KeyType{ck.CKK_EC}},
	} {
		all = append(all, mechanism{
			typ: row.typ, keys: row.keys, min: 255, max: 521, extra: ecFlags | ck.CKF_EC_CURVENAME, param: ecdhParam,
			derive: deriveECDH, kem: &kem{sizeECDH, encapsulateECDH, decapsulateECDH},
		})
	}
	return all
}

// An agreement is CK_ECDH1_DERIVE_PARAMS.
type agreement struct {
	kdf    *hashRow // nil for CKD_NULL
	shared []byte
	peer   []byte
}

func ecdhParam(p Parameter) (any, error) {
	v, ok := p.fields("uupup")
	if !ok {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	a := agreement{}
	if kdf := ck.KDF(v[0]); kdf != ck.CKD_NULL {
		if a.kdf = hashBy(func(r *hashRow) bool { return r.kdf != 0 && r.kdf == kdf }); a.kdf == nil {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
	}
	var err error
	if a.shared, err = p.follow(v[2], v[1]); err != nil {
		return nil, err
	}
	if a.kdf == nil && len(a.shared) != 0 { // section 6.3.18: must be empty then
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	if a.peer, err = p.follow(v[4], v[3]); err != nil {
		return nil, err
	}
	return a, nil
}

// deriveECDH agrees on a secret. length 0 asks for all of it.
func deriveECDH(u *use, param any, length uint) ([]byte, error) {
	a := param.(agreement)
	c, err := agreementCurve(u)
	if err != nil {
		return nil, err
	}
	pub, err := c.publicKey(a.peer)
	if err != nil {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	peer, err := exchangeKey(pub)
	if err != nil {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	key, err := u.private()
	if err != nil {
		return nil, err
	}
	z, err := key.ECDH(peer)
	if err != nil {
		return nil, err
	}
	return a.value(z, length)
}

// agreementCurve is the curve of u's key, which must be one for key agreement.
func agreementCurve(u *use) (*curve, error) {
	own, err := u.public()
	if err != nil {
		return nil, err
	}
	c := curveOfKey(own)
	if c == nil || c.ecdh == nil {
		return nil, ck.CKR_KEY_TYPE_INCONSISTENT
	}
	return c, nil
}

func exchangeKey(pub crypto.PublicKey) (*ecdh.PublicKey, error) {
	switch k := pub.(type) {
	case *ecdh.PublicKey:
		return k, nil
	case *ecdsa.PublicKey:
		return k.ECDH()
	}
	return nil, ck.CKR_KEY_TYPE_INCONSISTENT
}

// value makes the new key's value of the shared secret.
func (a agreement) value(z []byte, length uint) ([]byte, error) {
	switch {
	case a.kdf != nil && length == 0:
		return x963(a.kdf, z, a.shared, uint(a.kdf.hash.Size())), nil
	case a.kdf != nil:
		return x963(a.kdf, z, a.shared, length), nil
	case length > uint(len(z)):
		return nil, ck.CKR_KEY_SIZE_RANGE
	case length == 0:
		return z, nil
	}
	// "The truncation removes bytes from the leading end" (section 6.3.18).
	return z[uint(len(z))-length:], nil
}

// Section 6.3.18: as a KEM, the ciphertext is an ephemeral public key, and the
// parameter has none.

func sizeECDH(u *use, param any) (int, error) {
	c, err := agreementCurve(u)
	if err != nil {
		return 0, err
	}
	if len(param.(agreement).peer) != 0 {
		return 0, ck.CKR_MECHANISM_PARAM_INVALID
	}
	return c.pointLen(), nil
}

func encapsulateECDH(u *use, param any, length uint) (ciphertext, value []byte, err error) {
	c, err := agreementCurve(u)
	if err != nil {
		return nil, nil, err
	}
	pub, err := u.public()
	if err != nil {
		return nil, nil, err
	}
	peer, err := exchangeKey(pub)
	if err != nil {
		return nil, nil, err
	}
	ephemeral, err := c.ecdh.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	z, err := ephemeral.ECDH(peer)
	if err != nil {
		return nil, nil, err
	}
	value, err = param.(agreement).value(z, length)
	return ephemeral.PublicKey().Bytes(), value, err
}

func decapsulateECDH(u *use, param any, ciphertext []byte, length uint) ([]byte, error) {
	a := param.(agreement)
	if len(a.peer) != 0 {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	a.peer = ciphertext
	value, err := deriveECDH(u, a, length)
	if errors.Is(err, ck.CKR_MECHANISM_PARAM_INVALID) {
		return nil, ck.CKR_ENCRYPTED_DATA_INVALID
	}
	return value, err
}

// x963 is the KDF of ANSI X9.63 (SEC 1 section 3.6.1).
func x963(kdf *hashRow, z, shared []byte, length uint) []byte {
	var out []byte
	for i := uint32(1); uint(len(out)) < length; i++ {
		h := kdf.hash.New()
		h.Write(z)
		h.Write(binary.BigEndian.AppendUint32(nil, i))
		h.Write(shared)
		out = h.Sum(out)
	}
	return out[:length]
}
