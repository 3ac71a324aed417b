package piv

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"

	"cardbridge/card"
)

// Tags of a public key template (SP 800-73-4 part 2, table 11).
const (
	tagPublicKey Tag = 0x7F49
	tagModulus   Tag = 0x81
	tagExponent  Tag = 0x82
	tagPoint     Tag = 0x86
)

// decodePublic reads what is inside a public key template, and believes none of
// it: the key must be one of the algorithm, and a point on its curve.
func decodePublic(row AlgorithmRow, b []byte) (crypto.PublicKey, error) {
	es, err := parse(b)
	if err != nil {
		return nil, err
	}
	if row.Bits > 0 {
		modulus, ok1 := es.find(tagModulus)
		exponent, ok2 := es.find(tagExponent)
		if !ok1 || !ok2 {
			return nil, malformed("RSA key without modulus or exponent")
		}
		return rsaPublic(row, modulus, exponent)
	}
	point, ok := es.find(tagPoint)
	if !ok {
		return nil, malformed("%s key without a point", row.Algorithm)
	}
	switch row.Algorithm {
	case card.Ed25519:
		if len(point) != ed25519.PublicKeySize {
			return nil, malformed("Ed25519 key of %d bytes", len(point))
		}
		return ed25519.PublicKey(append([]byte(nil), point...)), nil
	case card.X25519:
		k, err := ecdh.X25519().NewPublicKey(point)
		if err != nil {
			return nil, malformed("X25519 key: %v", err)
		}
		return k, nil
	default:
		k, err := ecdsa.ParseUncompressedPublicKey(row.Curve, point)
		if err != nil {
			return nil, malformed("%s key: %v", row.Algorithm, err)
		}
		return k, nil
	}
}

func rsaPublic(row AlgorithmRow, modulus, exponent []byte) (crypto.PublicKey, error) {
	n, e := new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(exponent)
	switch {
	case n.BitLen() != row.Bits:
		return nil, malformed("%s key with a modulus of %d bits", row.Algorithm, n.BitLen())
	case n.Bit(0) == 0:
		return nil, malformed("%s key with an even modulus", row.Algorithm)
	case e.BitLen() > 31 || e.Bit(0) == 0 || e.Cmp(big.NewInt(3)) < 0:
		return nil, malformed("%s key with a bad exponent", row.Algorithm)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// algorithmOfPublic is the algorithm of a key, known from its certificate say.
func algorithmOfPublic(pub crypto.PublicKey) (AlgorithmRow, bool) {
	for _, r := range algorithmTable {
		switch k := pub.(type) {
		case *rsa.PublicKey:
			if k.N != nil && r.Bits > 0 && k.N.BitLen() == r.Bits {
				return r, true
			}
		case *ecdsa.PublicKey:
			if r.Curve != nil && r.Curve == elliptic.Curve(k.Curve) {
				return r, true
			}
		case ed25519.PublicKey:
			if r.Algorithm == card.Ed25519 {
				return r, true
			}
		case *ecdh.PublicKey:
			if r.Algorithm == card.X25519 && k.Curve() == ecdh.X25519() {
				return r, true
			}
		}
	}
	return AlgorithmRow{}, false
}
