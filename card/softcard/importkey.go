package softcard

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"math/big"
)

// importKey is IMPORT KEY, Yubico: the algorithm in P1, the slot in P2, the key's numbers in tags 01 to 08.
func importKey(r *request) ([]byte, uint16) {
	slot := r.cmd.p2
	if !r.personality().holdsKey(slot) || !r.personality().canMake(r.cmd.p1) {
		return nil, swBadP1P2
	}
	list, ok := parseTLVs(r.cmd.data)
	if !ok {
		return nil, swBadData
	}
	algorithm, _ := keyAlgorithmByID(r.cmd.p1)
	policy, ok := r.readPolicy(slot, list)
	if !ok {
		return nil, swBadData
	}
	key, ok := algorithm.importFrom(list)
	if !ok {
		return nil, swBadData
	}
	return nil, r.storeKey(slot, algorithm, key, policy, false)
}

func (r *request) storeKey(slot byte, algorithm *keyAlgorithm, key crypto.PrivateKey, policy keyPolicy, generated bool) uint16 {
	sw := swOK
	r.change(func(s *state) bool {
		if err := s.setKey(slot, algorithm, key, policy, generated); err != nil {
			sw = swFailed
			return false
		}
		return true
	})
	return sw
}

// importFrom makes a private key of its parts: primes, exponents and coefficient for RSA (01 to 05), the scalar for a curve
// (06), the seed of Ed25519 (07), the scalar of X25519 (08).
func (a *keyAlgorithm) importFrom(list []tlv) (crypto.PrivateKey, bool) {
	switch {
	case a.id == algEd25519:
		seed, _ := find(list, 0x07)
		if len(seed) != ed25519.SeedSize {
			return nil, false
		}
		return ed25519.NewKeyFromSeed(seed), true
	case a.id == algX25519:
		scalar, _ := find(list, 0x08)
		key, err := ecdh.X25519().NewPrivateKey(scalar)
		return key, err == nil
	case a.curve != nil:
		scalar, _ := find(list, 0x06)
		key, err := ecdsa.ParseRawPrivateKey(a.curve, scalar)
		return key, err == nil
	}
	return a.importRSA(list)
}

// importRSA takes the public exponent to be 65537, for no tag carries it; the given exponents must agree with that.
func (a *keyAlgorithm) importRSA(list []tlv) (crypto.PrivateKey, bool) {
	var part [5]*big.Int
	for i := range part {
		v, ok := find(list, uint32(i+1))
		if !ok || len(v) != a.bits/16 {
			return nil, false
		}
		part[i] = new(big.Int).SetBytes(v)
	}
	p, q := part[0], part[1]
	if p.BitLen() != a.bits/2 || q.BitLen() != a.bits/2 {
		return nil, false
	}
	one := big.NewInt(1)
	order := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537},
		D:         new(big.Int).ModInverse(big.NewInt(65537), order),
		Primes:    []*big.Int{p, q},
	}
	if key.D == nil || key.N.BitLen() != a.bits {
		return nil, false
	}
	key.Precompute()
	if key.Validate() != nil {
		return nil, false
	}
	c := key.Precomputed
	return key, c.Dp.Cmp(part[2]) == 0 && c.Dq.Cmp(part[3]) == 0 && c.Qinv.Cmp(part[4]) == 0
}
