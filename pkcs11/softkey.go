package pkcs11

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"io"
	"math/big"

	"cardbridge/card"
	"cardbridge/pkcs11/ck"
)

// hasPublic is any private key, if only known of.
type hasPublic interface{ Public() crypto.PublicKey }

// A privateKey is a private key as mechanisms use it, on a card or in memory.
// card.PrivateKey is one.
type privateKey interface {
	crypto.Signer
	crypto.Decrypter
	ECDH(peer *ecdh.PublicKey) ([]byte, error)
	RSA(block []byte) ([]byte, error)
}

var _ privateKey = card.PrivateKey(nil)

// A softKey is a private key of a session object.
type softKey struct{ key crypto.PrivateKey }

// Public returns the public half.
func (k softKey) Public() crypto.PublicKey {
	return k.key.(hasPublic).Public()
}

// Sign is crypto.Signer's.
func (k softKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s, ok := k.key.(crypto.Signer)
	if !ok {
		return nil, ck.CKR_KEY_TYPE_INCONSISTENT
	}
	return s.Sign(rand, digest, opts)
}

// Decrypt is crypto.Decrypter's.
func (k softKey) Decrypt(rand io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	d, ok := k.key.(crypto.Decrypter)
	if !ok {
		return nil, ck.CKR_KEY_TYPE_INCONSISTENT
	}
	return d.Decrypt(rand, msg, opts)
}

// ECDH is the shared secret with peer.
func (k softKey) ECDH(peer *ecdh.PublicKey) ([]byte, error) {
	switch key := k.key.(type) {
	case *ecdsa.PrivateKey:
		own, err := key.ECDH()
		if err != nil {
			return nil, err
		}
		return own.ECDH(peer)
	case *ecdh.PrivateKey:
		return key.ECDH(peer)
	}
	return nil, ck.CKR_KEY_TYPE_INCONSISTENT
}

// RSA is the bare private-key operation. The standard library has none, so this
// is big.Int's exponentiation, blinded: a session key lies in the memory of the
// program that asks, but its timing may be seen from elsewhere.
func (k softKey) RSA(block []byte) ([]byte, error) {
	key, ok := k.key.(*rsa.PrivateKey)
	if !ok {
		return nil, ck.CKR_KEY_TYPE_INCONSISTENT
	}
	c := new(big.Int).SetBytes(block)
	if c.Cmp(key.N) >= 0 {
		return nil, ck.CKR_DATA_INVALID
	}
	blind, inverse, err := blinding(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	c.Mul(c, blind).Mod(c, key.N)
	c.Exp(c, key.D, key.N)
	c.Mul(c, inverse).Mod(c, key.N)
	return c.FillBytes(make([]byte, key.Size())), nil
}

// blinding returns r^e and the inverse of r for a random r.
func blinding(pub *rsa.PublicKey) (blind, inverse *big.Int, err error) {
	for range 64 {
		r, err := randomBelow(pub.N)
		if err != nil {
			return nil, nil, err
		}
		if inverse := new(big.Int).ModInverse(r, pub.N); inverse != nil {
			return new(big.Int).Exp(r, big.NewInt(int64(pub.E)), pub.N), inverse, nil
		}
	}
	return nil, nil, errors.New("pkcs11: no blinding found; the modulus is not a product of primes")
}

// publicRSA is the bare public-key operation.
func publicRSA(pub *rsa.PublicKey, block []byte) ([]byte, error) {
	m := new(big.Int).SetBytes(block)
	if m.Cmp(pub.N) >= 0 {
		return nil, ck.CKR_DATA_INVALID
	}
	m.Exp(m, big.NewInt(int64(pub.E)), pub.N)
	return m.FillBytes(make([]byte, pub.Size())), nil
}

// keyTypeOf is CKA_KEY_TYPE of a public key.
func keyTypeOf(pub crypto.PublicKey) (ck.KeyType, bool) {
	switch pub.(type) {
	case *rsa.PublicKey:
		return ck.CKK_RSA, true
	case *ecdsa.PublicKey:
		return ck.CKK_EC, true
	case ed25519.PublicKey:
		return ck.CKK_EC_EDWARDS, true
	case *ecdh.PublicKey:
		return ck.CKK_EC_MONTGOMERY, true
	}
	return 0, false
}
