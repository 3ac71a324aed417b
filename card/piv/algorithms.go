package piv

import (
	"crypto/elliptic"

	"cardbridge/card"
)

// An AlgorithmRow is a kind of key with what it takes to use one.
type AlgorithmRow struct {
	Algorithm card.Algorithm
	// ID is the algorithm identifier, P1 of GENERAL AUTHENTICATE: SP 800-78-5
	// table 8; Yubico's numbers for Ed25519, X25519 and RSA-4096. Cards whose
	// numbers differ have them in their quirk row.
	ID    byte
	Bits  int            // of an RSA modulus
	Curve elliptic.Curve // of ECDSA keys
	// Extension marks what the standard does not have.
	Extension bool
	// Weak keys are used where they exist and made only when forced.
	Weak bool
}

// Size is the length in bytes of the modulus, or of a coordinate or scalar.
func (r AlgorithmRow) Size() int {
	switch {
	case r.Bits > 0:
		return r.Bits / 8
	case r.Curve != nil:
		return (r.Curve.Params().BitSize + 7) / 8
	default:
		return 32
	}
}

var algorithmTable = []AlgorithmRow{
	{Algorithm: card.RSA1024, ID: 0x06, Bits: 1024, Weak: true},
	{Algorithm: card.RSA2048, ID: 0x07, Bits: 2048},
	{Algorithm: card.RSA3072, ID: 0x05, Bits: 3072},
	{Algorithm: card.RSA4096, ID: 0x16, Bits: 4096, Extension: true},
	{Algorithm: card.P256, ID: 0x11, Curve: elliptic.P256()},
	{Algorithm: card.P384, ID: 0x14, Curve: elliptic.P384()},
	{Algorithm: card.Ed25519, ID: 0xE0, Extension: true},
	{Algorithm: card.X25519, ID: 0xE1, Extension: true},
}

// Algorithms returns the table of key algorithms.
func Algorithms() []AlgorithmRow { return append([]AlgorithmRow(nil), algorithmTable...) }

func algorithmRow(a card.Algorithm) (AlgorithmRow, bool) {
	for _, r := range algorithmTable {
		if r.Algorithm == a {
			return r, true
		}
	}
	return AlgorithmRow{}, false
}
