package softcard

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
)

// generalAuthenticate is GENERAL AUTHENTICATE, §3.2.4: a dynamic authentication template (7C) for the key in P2 and the
// algorithm in P1.
func generalAuthenticate(r *request) ([]byte, uint16) {
	slot := r.cmd.p2
	if slot != refAdmin && !isKeySlot(slot) {
		return nil, swBadP1P2
	}
	outer, ok := parseTLVs(r.cmd.data)
	if !ok || len(outer) != 1 || outer[0].tag != 0x7C {
		return nil, swBadData
	}
	template, ok := parseTLVs(outer[0].value)
	if !ok {
		return nil, swBadData
	}
	if slot == refAdmin {
		return r.authenticateAdmin(template)
	}
	return r.usePrivateKey(slot, template)
}

// usePrivateKey signs or deciphers what stands in the challenge (81), or agrees on a secret with the point in the
// exponentiation (85); an empty response (82) asks for the result. Sections 3.2.4 and A.4.
func (r *request) usePrivateKey(slot byte, template []tlv) ([]byte, uint16) {
	stored, ok := r.state().Keys[slotName(slot)]
	if !ok {
		return nil, r.personality().emptySlot
	}
	algorithm, _ := keyAlgorithmByName(stored.Algorithm)
	if r.cmd.p1 != algorithm.id {
		return nil, swBadP1P2
	}
	if !r.mayUse(stored.PIN) {
		return nil, swSecurity
	}
	key, err := r.card.keyCache.key(stored)
	if err != nil {
		return nil, swFailed
	}
	if response, ok := find(template, 0x82); !ok || len(response) != 0 {
		return nil, swBadData
	}
	operation, input := private.sign, []byte(nil)
	if point, ok := find(template, 0x85); ok {
		operation, input = private.agree, point
	} else if input, ok = find(template, 0x81); !ok {
		return nil, swBadData
	}
	// The input is looked at before anybody is asked for a touch.
	if !fits(key, algorithm, input) {
		return nil, swBadData
	}
	if !r.card.touched(r.ctx, stored.Touch) {
		return nil, swSecurity
	}
	out, ok := operation(private{key}, input)
	if !ok {
		return nil, swBadData
	}
	return makeTLV(0x7C, makeTLV(0x82, out)), swOK
}

// mayUse is the PIN policy of a key: "always" wants the VERIFY right before, with no other command between.
func (r *request) mayUse(policy byte) bool {
	switch policy {
	case pinNever:
		return true
	case pinAlways:
		return r.pinVerified() && r.fresh
	}
	return r.pinVerified()
}

// fits tells whether the input has a length that the key can work on.
func fits(key crypto.PrivateKey, algorithm *keyAlgorithm, input []byte) bool {
	if _, ok := key.(*rsa.PrivateKey); ok {
		return len(input) == algorithm.bits/8
	}
	return len(input) > 0 || algorithm.id == algEd25519
}

// private is a private key's operations. None takes care to run in constant time: this card protects nothing.
type private struct{ key crypto.PrivateKey }

// sign is also how an RSA key deciphers: the bare operation on a number as long as the modulus, the padding being the other
// side's affair.
func (k private) sign(input []byte) ([]byte, bool) {
	switch key := k.key.(type) {
	case *rsa.PrivateKey:
		return rsaBare(key, input)
	case *ecdsa.PrivateKey:
		if len(input) > (key.Curve.Params().BitSize+7)/8 {
			return nil, false
		}
		sig, err := ecdsa.SignASN1(rand.Reader, key, input)
		return sig, err == nil
	case ed25519.PrivateKey:
		return ed25519.Sign(key, input), true
	}
	return nil, false
}

// agree is Diffie-Hellman: the x coordinate, SP 800-56A.
func (k private) agree(point []byte) ([]byte, bool) {
	var own *ecdh.PrivateKey
	switch key := k.key.(type) {
	case *ecdsa.PrivateKey:
		converted, err := key.ECDH()
		if err != nil {
			return nil, false
		}
		own = converted
	case *ecdh.PrivateKey:
		own = key
	default:
		return nil, false
	}
	theirs, err := own.Curve().NewPublicKey(point)
	if err != nil {
		return nil, false
	}
	secret, err := own.ECDH(theirs)
	return secret, err == nil
}

// rsaBare is RSA with the Chinese remainder theorem, RFC 8017 §5.1.2.
func rsaBare(key *rsa.PrivateKey, input []byte) ([]byte, bool) {
	m := new(big.Int).SetBytes(input)
	if m.Cmp(key.N) >= 0 {
		return nil, false
	}
	p, q := key.Primes[0], key.Primes[1]
	m1 := new(big.Int).Exp(m, key.Precomputed.Dp, p)
	m2 := new(big.Int).Exp(m, key.Precomputed.Dq, q)
	h := m1.Sub(m1, m2)
	h.Mul(h, key.Precomputed.Qinv).Mod(h, p)
	h.Mul(h, q).Add(h, m2)
	return h.FillBytes(make([]byte, key.Size())), true
}
