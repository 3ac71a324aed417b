package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"

	"cardbridge/pkcs11/ck"
)

// material makes an object's key of its attributes, or the attributes of its
// key, whichever is missing, and completes what follows from them.
func (o *object) material(t ck.KeyType) error {
	switch o.class {
	case ck.CKO_CERTIFICATE:
		return o.certificate()
	case ck.CKO_PUBLIC_KEY:
		if o.key == nil {
			pub, err := o.attrs.publicKey(t)
			if err != nil {
				return err
			}
			o.key = pub
		}
		if err := o.attrs.setPublicHalf(o.key); err != nil {
			return err
		}
		if k, ok := o.key.(*rsa.PublicKey); ok {
			o.attrs.setULong(ck.CKA_MODULUS_BITS, uint(k.N.BitLen()))
		}
	case ck.CKO_PRIVATE_KEY:
		if o.key == nil {
			key, err := o.attrs.privateKey(t)
			if err != nil {
				return err
			}
			o.key = softKey{key}
		}
		if soft, ok := o.key.(softKey); ok {
			o.attrs.setPrivate(soft.key)
		}
		return o.attrs.setPublicHalf(o.key.(hasPublic).Public())
	case ck.CKO_SECRET_KEY:
		return o.secret(t)
	}
	return nil
}

func (o *object) secret(t ck.KeyType) error {
	kind := secretKindOf(t)
	if o.key == nil {
		v, ok := o.attrs[ck.CKA_VALUE]
		if !ok {
			return ck.CKR_TEMPLATE_INCOMPLETE
		}
		o.key = bytes.Clone(v)
	}
	value := o.key.([]byte)
	if !kind.fits(uint(len(value))) {
		return ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	o.attrs[ck.CKA_VALUE] = bytes.Clone(value)
	o.attrs.setULong(ck.CKA_VALUE_LEN, uint(len(value)))
	sum := kind.checkValue(value)
	if want, ok := o.attrs[ck.CKA_CHECK_VALUE]; ok && len(want) != 0 && !bytes.Equal(want, sum) {
		return ck.CKR_ATTRIBUTE_VALUE_INVALID
	} else if !ok {
		o.attrs[ck.CKA_CHECK_VALUE] = sum
	}
	return nil
}

// certificate completes what the certificate itself tells.
func (o *object) certificate() error {
	typ, ok := o.attrs[ck.CKA_CERTIFICATE_TYPE]
	if !ok {
		return ck.CKR_TEMPLATE_INCOMPLETE
	}
	if n, _ := decodeULong(typ); ck.CertificateType(n) != ck.CKC_X_509 {
		return ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	der := o.attrs[ck.CKA_VALUE]
	if len(der) == 0 {
		return ck.CKR_TEMPLATE_INCOMPLETE
	}
	o.attrs.setCertificate(der)
	if _, ok := o.attrs[ck.CKA_SUBJECT]; !ok {
		return ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	return nil
}

func (a attributes) setCertificate(der []byte) {
	a.setDefault(ck.CKA_CHECK_VALUE, hashCheck(der))
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return
	}
	a.setDefault(ck.CKA_SUBJECT, c.RawSubject)
	a.setDefault(ck.CKA_ISSUER, c.RawIssuer)
	a.setDefault(ck.CKA_SERIAL_NUMBER, derInteger(c.SerialNumber))
	a.setDefault(ck.CKA_PUBLIC_KEY_INFO, c.RawSubjectPublicKeyInfo)
}

// setPublic sets what a public key says of itself, on either half.
func (a attributes) setPublic(pub crypto.PublicKey) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		a[ck.CKA_MODULUS] = k.N.Bytes()
		a[ck.CKA_PUBLIC_EXPONENT] = big.NewInt(int64(k.E)).Bytes()
	default:
		if c := curveOfKey(pub); c != nil {
			a.setDefault(ck.CKA_EC_PARAMS, c.params())
			a[ck.CKA_EC_POINT] = ecPoint(pub)
		}
	}
	if info, err := x509.MarshalPKIXPublicKey(pub); err == nil {
		a[ck.CKA_PUBLIC_KEY_INFO] = info
	}
}

// setPublicHalf is setPublic, and refuses a CKA_PUBLIC_KEY_INFO that is another
// key's (section 4.10). An empty one says nothing.
func (a attributes) setPublicHalf(pub crypto.PublicKey) error {
	given := a[ck.CKA_PUBLIC_KEY_INFO]
	a.setPublic(pub)
	if len(given) > 0 && !bytes.Equal(given, a[ck.CKA_PUBLIC_KEY_INFO]) {
		return ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	return nil
}

func (a attributes) setPrivate(key crypto.PrivateKey) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		k.Precompute()
		a[ck.CKA_PRIVATE_EXPONENT] = k.D.Bytes()
		if len(k.Primes) == 2 {
			a[ck.CKA_PRIME_1], a[ck.CKA_PRIME_2] = k.Primes[0].Bytes(), k.Primes[1].Bytes()
			a[ck.CKA_EXPONENT_1], a[ck.CKA_EXPONENT_2] = k.Precomputed.Dp.Bytes(), k.Precomputed.Dq.Bytes()
			a[ck.CKA_COEFFICIENT] = k.Precomputed.Qinv.Bytes()
		}
	case *ecdsa.PrivateKey:
		if b, err := k.Bytes(); err == nil {
			a[ck.CKA_VALUE] = b
		}
	case ed25519.PrivateKey:
		a[ck.CKA_VALUE] = k.Seed()
	case *ecdh.PrivateKey:
		a[ck.CKA_VALUE] = k.Bytes()
	}
}

// maxRSABits and minRSABits bound RSA keys: Go's own primitives refuse less
// than 1024 bits, and more than 8192 keeps a caller waiting for minutes.
const minRSABits, maxRSABits = 1024, 8192

func (a attributes) publicKey(t ck.KeyType) (crypto.PublicKey, error) {
	if t != ck.CKK_RSA {
		params, ok1 := a[ck.CKA_EC_PARAMS]
		pt, ok2 := a[ck.CKA_EC_POINT]
		if !ok1 || !ok2 {
			return nil, ck.CKR_TEMPLATE_INCOMPLETE
		}
		c, err := curveOf(params)
		if err != nil {
			return nil, err
		}
		if c.keyType != t {
			return nil, ck.CKR_TEMPLATE_INCONSISTENT
		}
		return c.publicKey(pt)
	}
	n, ok1 := a[ck.CKA_MODULUS]
	e, ok2 := a[ck.CKA_PUBLIC_EXPONENT]
	if !ok1 || !ok2 {
		return nil, ck.CKR_TEMPLATE_INCOMPLETE
	}
	return rsaPublic(n, e)
}

func rsaPublic(n, e []byte) (*rsa.PublicKey, error) {
	exponent := new(big.Int).SetBytes(e)
	pub := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}
	if bits := pub.N.BitLen(); exponent.BitLen() > 31 || pub.E < 3 || pub.E&1 == 0 || bits < minRSABits || bits > maxRSABits || pub.N.Bit(0) == 0 {
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	return pub, nil
}

func (a attributes) privateKey(t ck.KeyType) (crypto.PrivateKey, error) {
	if t == ck.CKK_RSA {
		return a.rsaPrivate()
	}
	params, ok1 := a[ck.CKA_EC_PARAMS]
	value, ok2 := a[ck.CKA_VALUE]
	if !ok1 || !ok2 {
		return nil, ck.CKR_TEMPLATE_INCOMPLETE
	}
	c, err := curveOf(params)
	if err != nil {
		return nil, err
	}
	if c.keyType != t {
		return nil, ck.CKR_TEMPLATE_INCONSISTENT
	}
	return c.privateKey(value)
}

// privateKey reads CKA_VALUE of a private key, which big-integer callers may
// have stripped of leading zeros.
func (c *curve) privateKey(value []byte) (key crypto.PrivateKey, err error) {
	n := (c.bits + 7) / 8
	if len(value) > n {
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	full := append(make([]byte, n-len(value)), value...)
	switch {
	case c.ecdsa != nil:
		key, err = ecdsa.ParseRawPrivateKey(c.ecdsa, full)
	case c.ecdh != nil:
		key, err = c.ecdh.NewPrivateKey(value)
	case len(value) != ed25519.SeedSize:
		err = ck.CKR_ATTRIBUTE_VALUE_INVALID
	default:
		key = ed25519.NewKeyFromSeed(value)
	}
	if err != nil {
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	return key, nil
}

// rsaPrivate wants the primes: the private exponent alone would do in theory
// (FIPS 186-5 appendix C shows how), but no caller leaves them out.
func (a attributes) rsaPrivate() (crypto.PrivateKey, error) {
	for _, t := range []ck.AttributeType{ck.CKA_MODULUS, ck.CKA_PUBLIC_EXPONENT, ck.CKA_PRIVATE_EXPONENT, ck.CKA_PRIME_1, ck.CKA_PRIME_2} {
		if len(a[t]) == 0 {
			return nil, ck.CKR_TEMPLATE_INCOMPLETE
		}
	}
	pub, err := rsaPublic(a[ck.CKA_MODULUS], a[ck.CKA_PUBLIC_EXPONENT])
	if err != nil {
		return nil, err
	}
	number := func(t ck.AttributeType) *big.Int { return new(big.Int).SetBytes(a[t]) }
	key := &rsa.PrivateKey{PublicKey: *pub, D: number(ck.CKA_PRIVATE_EXPONENT), Primes: []*big.Int{number(ck.CKA_PRIME_1), number(ck.CKA_PRIME_2)}}
	if err := key.Validate(); err != nil {
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	key.Precompute()
	return key, nil
}

// derInteger is the DER INTEGER that CKA_SERIAL_NUMBER is.
func derInteger(n *big.Int) []byte {
	b, _ := asn1.Marshal(n)
	return b
}
