package main

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"strings"

	"cardbridge/card"
)

// publicOf is a private key's public half, nil of what has none.
func publicOf(key crypto.PrivateKey) crypto.PublicKey {
	switch k := key.(type) {
	case crypto.Signer:
		return k.Public()
	case *ecdh.PrivateKey:
		return k.PublicKey()
	}
	return nil
}

// algorithms are what --algorithm takes; any other spelling of the same
// letters and digits is taken too.
var algorithms = []card.Algorithm{card.P256, card.P384, card.Ed25519, card.X25519, card.RSA2048, card.RSA3072, card.RSA4096, card.RSA1024}

func algorithmNames() []string {
	var out []string
	for _, alg := range algorithms {
		out = append(out, strings.ToLower(string(alg)))
	}
	return out
}

func parseAlgorithm(s string) (card.Algorithm, error) {
	// ECCP256 is how Yubico's tools call P-256.
	plain := func(s string) string {
		return strings.TrimPrefix(strings.ReplaceAll(strings.ToLower(s), "-", ""), "ecc")
	}
	for _, alg := range algorithms {
		if plain(s) == plain(string(alg)) {
			return alg, nil
		}
	}
	return "", usagef("unknown algorithm %q; there are %s", s, strings.Join(algorithmNames(), ", "))
}

// publicKeyText names a public key's kind as cards' keys are named.
func publicKeyText(k crypto.PublicKey) string {
	switch k := k.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return k.Curve.Params().Name
	case ed25519.PublicKey:
		return string(card.Ed25519)
	case *ecdh.PublicKey:
		return fmt.Sprint(k.Curve())
	default:
		return fmt.Sprintf("%T", k)
	}
}
