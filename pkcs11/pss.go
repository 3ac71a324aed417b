package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"

	"cardbridge/pkcs11/ck"
)

// EMSA-PSS of RFC 8017 section 9.1 for what crypto/rsa has no way to say: a salt
// of no bytes (there, 0 means "as long as possible") and an MGF1 with another
// hash than the message's. All else goes through crypto/rsa.

// A pss is CK_RSA_PKCS_PSS_PARAMS.
type pss struct {
	hash, mgf *hashRow
	salt      int
}

// pssParam parses the parameter; digest is the hash that the mechanism itself
// names, 0 for CKM_RSA_PKCS_PSS.
func pssParam(digest ck.MechanismType) func(Parameter) (any, error) {
	return func(p Parameter) (any, error) {
		v, ok := p.fields("uuu")
		if !ok {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
		h := hashByDigest(ck.MechanismType(v[0]))
		mgf := hashBy(func(r *hashRow) bool { return r.mgf != 0 && r.mgf == ck.Generator(v[1]) })
		if h == nil || mgf == nil || digest != 0 && h.digest != digest || v[2] > maxRSABits/8 {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
		return pss{h, mgf, int(v[2])}, nil
	}
}

// plain tells whether crypto/rsa can do it.
func (p pss) plain() bool { return p.salt != 0 && p.mgf == p.hash }

func (p pss) options() *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: p.salt, Hash: p.hash.hash}
}

// fits tells whether a key has room for hash and salt.
func (p pss) fits(pub *rsa.PublicKey) bool {
	return encodedPSS(pub) >= p.hash.hash.Size()+p.salt+2
}

// encodedPSS is emLen: a bit less than the modulus, in bytes.
func encodedPSS(pub *rsa.PublicKey) int { return (pub.N.BitLen() - 1 + 7) / 8 }

// signPSS is the constructor for signatures; h is 0 where the caller hashes.
func signPSS(h crypto.Hash) func(*use, any) (*signing, error) {
	return func(u *use, param any) (*signing, error) {
		p := param.(pss)
		pub, err := rsaPublicOf(u)
		if err != nil {
			return nil, err
		}
		if !p.fits(pub) {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
		return &signing{absorber: absorb(h, pub.Size()), size: pub.Size(), finish: func(digest []byte) ([]byte, error) {
			if len(digest) != p.hash.hash.Size() {
				return nil, ck.CKR_DATA_LEN_RANGE
			}
			key, err := u.private()
			if err != nil {
				return nil, err
			}
			if p.plain() {
				return key.Sign(rand.Reader, digest, p.options())
			}
			return key.RSA(leftPad(p.encode(pub, digest, randomBytes(uint(p.salt))), pub.Size()))
		}}, nil
	}
}

func verifyPSS(pub *rsa.PublicKey, _ crypto.Hash, param any, digest, sig []byte) error {
	p := param.(pss)
	if len(digest) != p.hash.hash.Size() {
		return ck.CKR_DATA_LEN_RANGE
	}
	if p.plain() {
		if rsa.VerifyPSS(pub, p.hash.hash, digest, sig, p.options()) != nil {
			return ck.CKR_SIGNATURE_INVALID
		}
		return nil
	}
	m, err := publicRSA(pub, sig)
	if err != nil || !p.fits(pub) {
		return ck.CKR_SIGNATURE_INVALID
	}
	// The encoding is determined by its salt, so it is made again and compared.
	size := encodedPSS(pub)
	em := m[len(m)-size:]
	db := bytes.Clone(em[:size-p.hash.hash.Size()-1])
	p.mask(db, em[len(db):size-1])
	want := leftPad(p.encode(pub, digest, db[len(db)-p.salt:]), len(m))
	if !bytes.Equal(m, want) {
		return ck.CKR_SIGNATURE_INVALID
	}
	return nil
}

// encode is EMSA-PSS-ENCODE: maskedDB, H and BC, where H hashes eight zeros, the
// digest and the salt, and DB is zeros, 01 and the salt.
func (p pss) encode(pub *rsa.PublicKey, digest, salt []byte) []byte {
	h := p.hash.hash.New()
	h.Write(make([]byte, 8))
	h.Write(digest)
	h.Write(salt)
	em := make([]byte, encodedPSS(pub))
	db := em[:len(em)-h.Size()-1]
	db[len(db)-len(salt)-1] = 1
	copy(db[len(db)-len(salt):], salt)
	seed := h.Sum(nil)
	p.mask(db, seed)
	db[0] &= 0xFF >> (8*len(em) - (pub.N.BitLen() - 1))
	copy(em[len(db):], seed)
	em[len(em)-1] = 0xBC
	return em
}

// mask is MGF1 of RFC 8017 appendix B.2.1, applied to b.
func (p pss) mask(b, seed []byte) {
	for i := uint32(0); len(b) > 0; i++ {
		h := p.mgf.hash.New()
		h.Write(seed)
		h.Write(binary.BigEndian.AppendUint32(nil, i))
		sum := h.Sum(nil)
		n := min(len(b), len(sum))
		for j := range n {
			b[j] ^= sum[j]
		}
		b = b[n:]
	}
}
