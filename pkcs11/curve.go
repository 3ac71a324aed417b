package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/asn1"

	"cardbridge/card"
	"cardbridge/pkcs11/ck"
)

// A curve is all there is to know of one elliptic curve.
type curve struct {
	name    string
	keyType ck.KeyType
	oid     asn1.ObjectIdentifier
	// printable is the curveName form of CKA_EC_PARAMS (section 6.3.3), for the
	// two key types where callers know the curve by it.
	printable string
	bits      int
	onCard    card.Algorithm // as a card knows it; empty where none does
	ecdsa     elliptic.Curve // nil for Edwards and Montgomery curves
	ecdh      ecdh.Curve     // nil where there is no key agreement
}

var curves = [...]curve{
	{"P-256", ck.CKK_EC, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, "", 256, card.P256, elliptic.P256(), ecdh.P256()},
	{"P-384", ck.CKK_EC, asn1.ObjectIdentifier{1, 3, 132, 0, 34}, "", 384, card.P384, elliptic.P384(), ecdh.P384()},
	{"P-521", ck.CKK_EC, asn1.ObjectIdentifier{1, 3, 132, 0, 35}, "", 521, "", elliptic.P521(), ecdh.P521()},
	{"Ed25519", ck.CKK_EC_EDWARDS, asn1.ObjectIdentifier{1, 3, 101, 112}, "edwards25519", 255, card.Ed25519, nil, nil},
	{"X25519", ck.CKK_EC_MONTGOMERY, asn1.ObjectIdentifier{1, 3, 101, 110}, "curve25519", 255, card.X25519, nil, ecdh.X25519()},
}

// params is CKA_EC_PARAMS.
func (c *curve) params() []byte {
	if c.printable != "" {
		return append([]byte{asn1.TagPrintableString, byte(len(c.printable))}, c.printable...)
	}
	b, _ := asn1.Marshal(c.oid)
	return b
}

// curveOf finds the curve that CKA_EC_PARAMS names, in any of its forms but
// explicit parameters.
func curveOf(params []byte) (*curve, error) {
	for i := range curves {
		c := &curves[i]
		oid, _ := asn1.Marshal(c.oid)
		if bytes.Equal(params, oid) || bytes.Equal(params, c.params()) {
			return c, nil
		}
	}
	var any asn1.RawValue
	if rest, err := asn1.Unmarshal(params, &any); err != nil || len(rest) != 0 {
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	return nil, ck.CKR_CURVE_NOT_SUPPORTED
}

func curveOfKey(pub crypto.PublicKey) *curve {
	for i := range curves {
		c := &curves[i]
		switch k := pub.(type) {
		case *ecdsa.PublicKey:
			if c.ecdsa == k.Curve {
				return c
			}
		case ed25519.PublicKey:
			if c.keyType == ck.CKK_EC_EDWARDS {
				return c
			}
		case *ecdh.PublicKey:
			if c.ecdh == k.Curve() && c.ecdsa == nil {
				return c
			}
		}
	}
	return nil
}

// point returns a public key's point without the OCTET STRING around it.
func point(pub crypto.PublicKey) []byte {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		b, err := k.Bytes()
		if err != nil {
			return nil
		}
		return b
	case ed25519.PublicKey:
		return k
	case *ecdh.PublicKey:
		return k.Bytes()
	}
	return nil
}

// ecPoint is CKA_EC_POINT: the point in a DER OCTET STRING.
func ecPoint(pub crypto.PublicKey) []byte {
	b, _ := asn1.Marshal(point(pub))
	return b
}

// unwrapPoint takes the OCTET STRING off a point where there is one. Callers
// give points in both forms; the first byte alone does not tell them apart, as
// 04 opens an OCTET STRING and an uncompressed point.
func (c *curve) unwrapPoint(b []byte) []byte {
	var inner []byte
	if rest, err := asn1.Unmarshal(b, &inner); err == nil && len(rest) == 0 && len(inner) == c.pointLen() {
		return inner
	}
	return b
}

func (c *curve) pointLen() int {
	n := (c.bits + 7) / 8
	if c.ecdsa != nil {
		return 1 + 2*n
	}
	return n
}

// publicKey reads a point of the curve.
func (c *curve) publicKey(b []byte) (crypto.PublicKey, error) {
	b = c.unwrapPoint(b)
	switch {
	case len(b) != c.pointLen():
	case c.ecdsa != nil:
		if k, err := ecdsa.ParseUncompressedPublicKey(c.ecdsa, b); err == nil {
			return k, nil
		}
	case c.ecdh != nil:
		if k, err := c.ecdh.NewPublicKey(b); err == nil {
			return k, nil
		}
	default:
		return ed25519.PublicKey(bytes.Clone(b)), nil
	}
	return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
}
