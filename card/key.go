package card

import (
	"crypto"
	"crypto/ecdh"
)

// A KeyRef names a key of an applet as the field does: "9a" or "82" on PIV,
// "sig" on an OpenPGP card. Always lower case.
type KeyRef string

// An Algorithm is a kind and size of key.
type Algorithm string

// The algorithms of the keys that cards hold.
const (
	RSA1024 Algorithm = "RSA-1024"
	RSA2048 Algorithm = "RSA-2048"
	RSA3072 Algorithm = "RSA-3072"
	RSA4096 Algorithm = "RSA-4096"
	P256    Algorithm = "P-256"
	P384    Algorithm = "P-384"
	Ed25519 Algorithm = "Ed25519"
	X25519  Algorithm = "X25519"
)

// A PINPolicy says when a key wants the PIN.
type PINPolicy string

// The PIN policies. PINUnknown stands where neither the card nor the standard
// tells.
const (
	PINUnknown  PINPolicy = ""
	PINNever    PINPolicy = "never"
	PINOnce     PINPolicy = "once"   // once a session with the applet
	PINAlways   PINPolicy = "always" // right before every operation
	MatchOnce   PINPolicy = "match-once"
	MatchAlways PINPolicy = "match-always"
)

// A TouchPolicy says when a key wants a touch.
type TouchPolicy string

// The touch policies.
const (
	TouchUnknown TouchPolicy = ""
	TouchNever   TouchPolicy = "never"
	TouchAlways  TouchPolicy = "always"
	TouchCached  TouchPolicy = "cached" // good for 15 s
)

// An Origin says where a private key was made.
type Origin string

// The origins.
const (
	OriginUnknown   Origin = ""
	OriginGenerated Origin = "generated" // on the card: it never existed elsewhere
	OriginImported  Origin = "imported"
)

// KeyInfo is what a card tells of one of its keys.
type KeyInfo struct {
	Ref   KeyRef
	ID    byte   // CKA_ID: on PIV 01 = 9A, 02 = 9C, 03 = 9D, 04 = 9E, 05-18 = 82-95, 19 = F9
	Label string // what people call it: "PIV Authentication", "Retired Key 1"

	Algorithm Algorithm        // "" where the card cannot tell
	Public    crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, *ecdh.PublicKey (X25519); nil where the card cannot tell

	PINPolicy   PINPolicy
	TouchPolicy TouchPolicy
	Origin      Origin
}

// A PrivateKey is a key on a card. Public, Sign and Decrypt are those of
// crypto.Signer and crypto.Decrypter and take the same options as the standard
// library's keys: crypto.Hash (0 for RSA PKCS #1 v1.5 over input as it is),
// *rsa.PSSOptions, *rsa.PKCS1v15DecryptOptions, *rsa.OAEPOptions. Ed25519 keys
// sign the message itself (crypto.Hash(0)).
type PrivateKey interface {
	crypto.Signer
	crypto.Decrypter
	// ECDH is the shared secret with peer, on P-256, P-384 and X25519 keys.
	ECDH(peer *ecdh.PublicKey) ([]byte, error)
	// RSA is the bare private-key operation on a block as long as the modulus.
	RSA(block []byte) ([]byte, error)
	Info() KeyInfo
}
