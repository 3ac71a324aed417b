package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
)

func newP256() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
