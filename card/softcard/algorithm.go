package softcard

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
)

// A keyAlgorithm is an algorithm of asymmetric keys: SP 800-78-5 table 8 and, for the last three rows, Yubico's firmware 5.7.
type keyAlgorithm struct {
	id       byte
	name     string // in the state file
	bits     int    // RSA: of the modulus
	curve    elliptic.Curve
	generate func() (crypto.PrivateKey, error)
}

const (
	algRSA3072 = 0x05
	algRSA1024 = 0x06
	algRSA2048 = 0x07
	algP256    = 0x11
	algP384    = 0x14
	algRSA4096 = 0x16
	algEd25519 = 0xE0
	algX25519  = 0xE1
)

var keyAlgorithms = []keyAlgorithm{
	{algRSA1024, "RSA1024", 1024, nil, newRSA(1024)},
	{algRSA2048, "RSA2048", 2048, nil, newRSA(2048)},
	{algRSA3072, "RSA3072", 3072, nil, newRSA(3072)},
	{algP256, "P256", 256, elliptic.P256(), newEC(elliptic.P256())},
	{algP384, "P384", 384, elliptic.P384(), newEC(elliptic.P384())},
	{algRSA4096, "RSA4096", 4096, nil, newRSA(4096)},
	{algEd25519, "Ed25519", 256, nil, func() (crypto.PrivateKey, error) {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return k, err
	}},
	{algX25519, "X25519", 256, nil, func() (crypto.PrivateKey, error) { return ecdh.X25519().GenerateKey(rand.Reader) }},
}

func newRSA(bits int) func() (crypto.PrivateKey, error) {
	return func() (crypto.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }
}

func newEC(curve elliptic.Curve) func() (crypto.PrivateKey, error) {
	return func() (crypto.PrivateKey, error) { return ecdsa.GenerateKey(curve, rand.Reader) }
}

func keyAlgorithmByID(id byte) (*keyAlgorithm, bool) {
	for i := range keyAlgorithms {
		if keyAlgorithms[i].id == id {
			return &keyAlgorithms[i], true
		}
	}
	return nil, false
}

func keyAlgorithmByName(name string) (*keyAlgorithm, bool) {
	for i := range keyAlgorithms {
		if keyAlgorithms[i].name == name {
			return &keyAlgorithms[i], true
		}
	}
	return nil, false
}
