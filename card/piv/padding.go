package piv

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"fmt"
	"hash"
	"io"
)

// A PIV card does RSA bare: the padding of RFC 8017 is the host's.

// digestInfo is what stands before a digest in PKCS #1 v1.5 (RFC 8017 section
// 9.2, note 1).
var digestInfo = map[crypto.Hash][]byte{
	0:                 {},
	crypto.MD5SHA1:    {},
	crypto.SHA1:       {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14},
	crypto.SHA224:     nistInfo(0x04, 28),
	crypto.SHA256:     nistInfo(0x01, 32),
	crypto.SHA384:     nistInfo(0x02, 48),
	crypto.SHA512:     nistInfo(0x03, 64),
	crypto.SHA512_224: nistInfo(0x05, 28),
	crypto.SHA512_256: nistInfo(0x06, 32),
	crypto.SHA3_224:   nistInfo(0x07, 28),
	crypto.SHA3_256:   nistInfo(0x08, 32),
	crypto.SHA3_384:   nistInfo(0x09, 48),
	crypto.SHA3_512:   nistInfo(0x0A, 64),
}

// nistInfo is the prefix for NIST's hash functions, 2.16.840.1.101.3.4.2.n.
func nistInfo(n, size byte) []byte {
	return []byte{0x30, 0x11 + size, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, n, 0x05, 0x00, 0x04, size}
}

// padPKCS1v15 is EMSA-PKCS1-v1_5 (RFC 8017 section 9.2): 00 01 FF..FF 00 T.
func padPKCS1v15(size int, h crypto.Hash, digest []byte) ([]byte, error) {
	prefix, ok := digestInfo[h]
	if !ok {
		return nil, fmt.Errorf("RSA signatures with %v are not defined", h)
	}
	n := len(prefix) + len(digest)
	if n > size-11 {
		return nil, fmt.Errorf("%w: %d bytes to sign", rsa.ErrMessageTooLong, len(digest))
	}
	b := make([]byte, size)
	b[1] = 1
	for i := 2; i < size-n-1; i++ {
		b[i] = 0xFF
	}
	copy(b[size-n:], prefix)
	copy(b[size-len(digest):], digest)
	return b, nil
}

// padPSS is EMSA-PSS (RFC 8017 section 9.1.1) with MGF1 and the same hash.
func padPSS(bits int, digest []byte, o *rsa.PSSOptions, random io.Reader) ([]byte, error) {
	h := o.HashFunc()
	if h == 0 || !h.Available() {
		return nil, fmt.Errorf("PSS needs a hash function")
	}
	emBits := bits - 1
	size := (emBits + 7) / 8
	salt := o.SaltLength
	switch salt {
	case rsa.PSSSaltLengthAuto:
		salt = size - 2 - h.Size()
	case rsa.PSSSaltLengthEqualsHash:
		salt = h.Size()
	}
	if len(digest) != h.Size() || salt < 0 || size < h.Size()+salt+2 {
		return nil, fmt.Errorf("%w: PSS with %v and a salt of %d bytes", rsa.ErrMessageTooLong, h, salt)
	}
	em := make([]byte, size)
	db, mac := em[:size-h.Size()-1], em[size-h.Size()-1:size-1]
	s := db[len(db)-salt:]
	if _, err := io.ReadFull(random, s); err != nil {
		return nil, err
	}
	hash := h.New()
	hash.Write(make([]byte, 8))
	hash.Write(digest)
	hash.Write(s)
	copy(mac, hash.Sum(nil))
	db[len(db)-salt-1] = 1
	mgf1XOR(db, h.New(), mac)
	db[0] &= 0xFF >> (8*size - emBits)
	em[size-1] = 0xBC
	if pad := (bits+7)/8 - size; pad > 0 {
		em = append(make([]byte, pad), em...)
	}
	return em, nil
}

// mgf1XOR masks out with MGF1 (RFC 8017 appendix B.2.1).
func mgf1XOR(out []byte, hash hash.Hash, seed []byte) {
	for counter := uint32(0); len(out) > 0; counter++ {
		hash.Reset()
		hash.Write(seed)
		hash.Write([]byte{byte(counter >> 24), byte(counter >> 16), byte(counter >> 8), byte(counter)})
		mask := hash.Sum(nil)
		n := subtle.XORBytes(out, out, mask[:min(len(mask), len(out))])
		out = out[n:]
	}
}

// unpadder returns what takes the padding off, in constant time.
func unpadder(size int, random io.Reader, opts crypto.DecrypterOpts) (func([]byte) ([]byte, error), error) {
	switch o := opts.(type) {
	case nil:
		return unpadPKCS1v15, nil
	case *rsa.PKCS1v15DecryptOptions: //lint:ignore SA1019 what is enciphered this way is still to be read
		if o.SessionKeyLen == 0 {
			return unpadPKCS1v15, nil
		}
		if o.SessionKeyLen < 0 || o.SessionKeyLen > size-11 {
			return nil, fmt.Errorf("%w: a session key of %d bytes", rsa.ErrDecryption, o.SessionKeyLen)
		}
		if random == nil {
			random = rand.Reader
		}
		return func(b []byte) ([]byte, error) { return sessionKey(b, o.SessionKeyLen, random) }, nil
	case *rsa.OAEPOptions:
		mgf := o.MGFHash
		if mgf == 0 {
			mgf = o.Hash
		}
		if o.Hash == 0 || !o.Hash.Available() || !mgf.Available() {
			return nil, fmt.Errorf("OAEP needs a hash function")
		}
		if size < 2*o.Hash.Size()+2 {
			return nil, fmt.Errorf("%w: OAEP with %v needs a longer key", rsa.ErrDecryption, o.Hash)
		}
		return func(b []byte) ([]byte, error) { return unpadOAEP(b, o.Hash, mgf, o.Label) }, nil
	default:
		return nil, fmt.Errorf("unknown decryption options %T", opts)
	}
}

// scanPKCS1v15 finds the message in 00 02 PS 00 M, PS of at least eight bytes
// without zeros (RFC 8017 section 7.2.2).
func scanPKCS1v15(b []byte) (valid, index int) {
	valid = subtle.ConstantTimeByteEq(b[0], 0) & subtle.ConstantTimeByteEq(b[1], 2)
	looking := 1
	for i := 2; i < len(b); i++ {
		zero := subtle.ConstantTimeByteEq(b[i], 0)
		index = subtle.ConstantTimeSelect(looking&zero, i, index)
		looking = subtle.ConstantTimeSelect(zero, 0, looking)
	}
	valid &= looking ^ 1
	valid &= subtle.ConstantTimeLessOrEq(2+8, index)
	index = subtle.ConstantTimeSelect(valid, index+1, 0)
	return valid, index
}

func unpadPKCS1v15(b []byte) ([]byte, error) {
	valid, index := scanPKCS1v15(b)
	if valid == 0 {
		return nil, rsa.ErrDecryption
	}
	return append([]byte(nil), b[index:]...), nil
}

// sessionKey returns the message where it has the length wanted, and random
// bytes of that length where anything is wrong: who asks learns nothing (RFC
// 5246 section 7.4.7.1).
func sessionKey(b []byte, n int, random io.Reader) ([]byte, error) {
	key := make([]byte, n)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, err
	}
	valid, index := scanPKCS1v15(b)
	valid &= subtle.ConstantTimeEq(int32(len(b)-index), int32(n))
	subtle.ConstantTimeCopy(valid, key, b[len(b)-n:])
	return key, nil
}

// unpadOAEP is EME-OAEP decoding (RFC 8017 section 7.1.2, step 3).
func unpadOAEP(b []byte, h, mgf crypto.Hash, label []byte) ([]byte, error) {
	hash := h.New()
	hash.Write(label)
	want := hash.Sum(nil)
	b = append([]byte(nil), b...)
	defer clear(b)
	seed, db := b[1:1+h.Size()], b[1+h.Size():]
	mgf1XOR(seed, mgf.New(), db)
	mgf1XOR(db, mgf.New(), seed)
	valid := subtle.ConstantTimeByteEq(b[0], 0) & subtle.ConstantTimeCompare(db[:len(want)], want)
	// 00..00 01 M after the hash of the label.
	rest := db[len(want):]
	looking, index, bad := 1, 0, 0
	for i, c := range rest {
		one := subtle.ConstantTimeByteEq(c, 1)
		zero := subtle.ConstantTimeByteEq(c, 0)
		index = subtle.ConstantTimeSelect(looking&one, i, index)
		looking = subtle.ConstantTimeSelect(one, 0, looking)
		bad = subtle.ConstantTimeSelect(looking&(zero^1), 1, bad)
	}
	if valid&(bad^1)&(looking^1) != 1 {
		return nil, rsa.ErrDecryption
	}
	return append([]byte(nil), rest[index+1:]...), nil
}
