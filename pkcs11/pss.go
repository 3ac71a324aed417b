package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/binary"

	"cardbridge/pkcs11/ck"
)

// The standard library's PSS has one hash for the message and for MGF1, and
// takes a salt of no bytes for "any". What is below is EMSA-PSS of RFC 8017
// section 9.1 for the parameters that leaves out, around the bare RSA operation.

// plain tells whether the standard library does it.
func (p pss) plain() bool { return p.salt > 0 && p.mgf == p.hash }

// mgf1 is RFC 8017 appendix B.2.1.
func mgf1(h crypto.Hash, seed []byte, n int) []byte {
	var out []byte
	for i := uint32(0); len(out) < n; i++ {
		d := h.New()
		d.Write(seed)
		d.Write(binary.BigEndian.AppendUint32(nil, i))
		out = d.Sum(out)
	}
	return out[:n]
}

// inner is H of section 9.1.1: the hash of eight zeros, the message's hash and
// the salt.
func (p pss) inner(digest, salt []byte) []byte {
	d := p.hash.hash.New()
	d.Write(make([]byte, 8))
	d.Write(digest)
	d.Write(salt)
	return d.Sum(nil)
}

// encode is EMSA-PSS-ENCODE (section 9.1.1), as long as the modulus.
func (p pss) encode(pub *rsa.PublicKey, digest []byte) ([]byte, error) {
	bits := pub.N.BitLen() - 1
	n, h := (bits+7)/8, p.hash.hash.Size()
	if n < h+p.salt+2 {
		return nil, ck.CKR_KEY_SIZE_RANGE
	}
	salt := randomBytes(uint(p.salt))
	sum := p.inner(digest, salt)
	db := append(append(make([]byte, n-p.salt-h-2, n), 1), salt...)
	subtle.XORBytes(db, db, mgf1(p.mgf.hash, sum, len(db)))
	db[0] &= 0xFF >> (8*n - bits)
	return leftPad(append(append(db, sum...), 0xBC), pub.Size()), nil
}

// verify is EMSA-PSS-VERIFY (section 9.1.2).
func (p pss) verify(pub *rsa.PublicKey, digest, sig []byte) bool {
	m, err := publicRSA(pub, sig)
	if err != nil {
		return false
	}
	bits := pub.N.BitLen() - 1
	n, h := (bits+7)/8, p.hash.hash.Size()
	em, rest := m[len(m)-n:], m[:len(m)-n]
	if n < h+p.salt+2 || em[n-1] != 0xBC || len(bytes.Trim(rest, "\x00")) != 0 || em[0]&^(0xFF>>(8*n-bits)) != 0 {
		return false
	}
	sum := em[n-h-1 : n-1]
	db := bytes.Clone(em[:n-h-1])
	subtle.XORBytes(db, db, mgf1(p.mgf.hash, sum, len(db)))
	db[0] &= 0xFF >> (8*n - bits)
	pad, salt := db[:len(db)-p.salt], db[len(db)-p.salt:]
	if pad[len(pad)-1] != 1 || len(bytes.Trim(pad[:len(pad)-1], "\x00")) != 0 {
		return false
	}
	return bytes.Equal(sum, p.inner(digest, salt))
}

// pssSigner is rsaSigner for PSS.
func pssSigner(h crypto.Hash) func(*use, any) (*signing, error) {
	library := rsaSigner(h, pssOptions)
	return func(u *use, param any) (*signing, error) {
		p := param.(pss)
		pub, err := rsaPublicOf(u)
		if err != nil {
			return nil, err
		}
		if (pub.N.BitLen()-1+7)/8 < p.hash.hash.Size()+p.salt+2 {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
		s, err := library(u, param)
		if err != nil || p.plain() {
			return s, err
		}
		s.finish = func(digest []byte) ([]byte, error) {
			if len(digest) != p.hash.hash.Size() {
				return nil, ck.CKR_DATA_LEN_RANGE
			}
			block, err := p.encode(pub, digest)
			if err != nil {
				return nil, err
			}
			return privateRSA(u, pub, block)
		}
		return s, nil
	}
}
