package hwtest

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
)

// PrivateParts are those parts of a PKCS #8 key that nobody may see.
func PrivateParts(der []byte) [][]byte {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return [][]byte{k.D.Bytes(), k.Primes[0].Bytes(), k.Primes[1].Bytes()}
	case *ecdsa.PrivateKey:
		if raw, err := k.Bytes(); err == nil {
			return [][]byte{raw}
		}
	case ed25519.PrivateKey:
		return [][]byte{k.Seed()}
	case *ecdh.PrivateKey:
		return [][]byte{k.Bytes()}
	}
	return nil
}
