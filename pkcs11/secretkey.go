package pkcs11

import (
	"crypto/aes"
	"crypto/des"
	"crypto/sha1"

	"cardbridge/pkcs11/ck"
)

// A secretKind is all there is to know of one kind of secret key.
type secretKind struct {
	keyType ck.KeyType
	sizes   []uint // in bytes; empty for any
	// checkValue is CKA_CHECK_VALUE (section 4.10.2): three bytes.
	checkValue func(key []byte) []byte
}

// maxGeneric is the greatest generic secret in bytes.
const maxGeneric = 1 << 16

var secretKinds = [...]secretKind{
	{ck.CKK_GENERIC_SECRET, nil, hashCheck},
	{ck.CKK_AES, []uint{16, 24, 32}, aesCheck},
	{ck.CKK_DES3, []uint{24}, desCheck},
	{ck.CKK_DES2, []uint{16}, desCheck},
	{ck.CKK_HKDF, nil, hashCheck},
	{ck.CKK_SHA_1_HMAC, nil, hashCheck},
	{ck.CKK_SHA224_HMAC, nil, hashCheck},
	{ck.CKK_SHA256_HMAC, nil, hashCheck},
	{ck.CKK_SHA384_HMAC, nil, hashCheck},
	{ck.CKK_SHA512_HMAC, nil, hashCheck},
	{ck.CKK_SHA3_224_HMAC, nil, hashCheck},
	{ck.CKK_SHA3_256_HMAC, nil, hashCheck},
	{ck.CKK_SHA3_384_HMAC, nil, hashCheck},
	{ck.CKK_SHA3_512_HMAC, nil, hashCheck},
}

func secretKindOf(t ck.KeyType) *secretKind {
	for i := range secretKinds {
		if secretKinds[i].keyType == t {
			return &secretKinds[i]
		}
	}
	return nil
}

// fits tells whether a key may have n bytes.
func (k *secretKind) fits(n uint) bool {
	if len(k.sizes) == 0 {
		return n > 0 && n <= maxGeneric
	}
	for _, s := range k.sizes {
		if s == n {
			return true
		}
	}
	return false
}

// fixed is the size of keys that have but one, else 0.
func (k *secretKind) fixed() uint {
	if len(k.sizes) == 1 {
		return k.sizes[0]
	}
	return 0
}

func hashCheck(key []byte) []byte {
	sum := sha1.Sum(key)
	return sum[:3]
}

func aesCheck(key []byte) []byte {
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	b := make([]byte, aes.BlockSize)
	c.Encrypt(b, b)
	return b[:3]
}

func desCheck(key []byte) []byte {
	c, err := des.NewTripleDESCipher(tripleDES(key))
	if err != nil {
		return nil
	}
	b := make([]byte, des.BlockSize)
	c.Encrypt(b, b)
	return b[:3]
}

// tripleDES makes a three-key key of a two-key one.
func tripleDES(key []byte) []byte {
	if len(key) == 16 {
		return append(append([]byte{}, key...), key[:8]...)
	}
	return key
}

// oddParity sets the parity bits of a DES key (FIPS 46-3).
func oddParity(key []byte) {
	for i, b := range key {
		p := b >> 1
		p ^= p >> 4
		p ^= p >> 2
		p ^= p >> 1
		key[i] = b&0xFE | ^p&1
	}
}
