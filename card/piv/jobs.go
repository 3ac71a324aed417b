package piv

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // digests that callers name
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"fmt"
	"io"
	"math/big"

	"cardbridge/card"
)

func defaultHash(row AlgorithmRow) crypto.Hash {
	if row.Algorithm == card.P384 {
		return crypto.SHA384
	}
	return crypto.SHA256
}

func wrongKey(row AlgorithmRow, what string) error {
	return fmt.Errorf("%w: %s keys do not %s", card.ErrWrongKey, row.Algorithm, what)
}

// wrongResult: the card is broken, or somebody between us and it is.
func wrongResult(what string) error { return malformed("%s does not fit the public key", what) }

func signJob(info card.KeyInfo, row AlgorithmRow, random io.Reader, digest []byte, opts crypto.SignerOpts) (job, error) {
	if opts == nil {
		opts = crypto.Hash(0)
	}
	h := opts.HashFunc()
	if h != 0 && h.Available() && len(digest) != h.Size() {
		return job{}, fmt.Errorf("a %v digest has %d bytes, not %d", h, h.Size(), len(digest))
	}
	switch {
	case row.Bits > 0:
		return signRSA(info, row, random, digest, opts)
	case row.Curve != nil:
		return signECDSA(info, row, digest), nil
	case row.Algorithm == card.Ed25519:
		if h != 0 {
			return job{}, fmt.Errorf("%w: Ed25519 keys sign the message, not a %v digest of it", card.ErrWrongKey, h)
		}
		return job{tagChallenge, digest, func(sig []byte) ([]byte, error) {
			if pub, ok := info.Public.(ed25519.PublicKey); ok && !ed25519.Verify(pub, digest, sig) || len(sig) != ed25519.SignatureSize {
				return nil, wrongResult("the signature")
			}
			return bytes.Clone(sig), nil
		}}, nil
	default:
		return job{}, wrongKey(row, "sign")
	}
}

func signRSA(info card.KeyInfo, row AlgorithmRow, random io.Reader, digest []byte, opts crypto.SignerOpts) (job, error) {
	pub, _ := info.Public.(*rsa.PublicKey)
	var block []byte
	var err error
	var verify func(sig []byte) error
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		if random == nil {
			random = rand.Reader
		}
		block, err = padPSS(row.Bits, digest, pss, random)
		verify = func(sig []byte) error { return rsa.VerifyPSS(pub, pss.HashFunc(), digest, sig, pss) }
	} else {
		block, err = padPKCS1v15(row.Size(), opts.HashFunc(), digest)
		verify = func(sig []byte) error { return rsa.VerifyPKCS1v15(pub, opts.HashFunc(), digest, sig) }
	}
	if err != nil {
		return job{}, err
	}
	return job{tagChallenge, block, func(sig []byte) ([]byte, error) {
		if len(sig) != row.Size() {
			return nil, malformed("%s signature of %d bytes", row.Algorithm, len(sig))
		}
		if pub != nil && verify(sig) != nil {
			return nil, wrongResult("the signature")
		}
		return bytes.Clone(sig), nil
	}}, nil
}

// signECDSA gives the card the leftmost bytes of the digest, as many as the
// order of the curve has (FIPS 186-5 section 6.4.1), filled up on the left.
func signECDSA(info card.KeyInfo, row AlgorithmRow, digest []byte) job {
	input := make([]byte, row.Size())
	if len(digest) > len(input) {
		copy(input, digest)
	} else {
		copy(input[len(input)-len(digest):], digest)
	}
	return job{tagChallenge, input, func(sig []byte) ([]byte, error) {
		if pub, ok := info.Public.(*ecdsa.PublicKey); ok && !ecdsa.VerifyASN1(pub, input, sig) {
			return nil, wrongResult("the signature")
		}
		if _, err := only(sig, 0x30); err != nil {
			return nil, fmt.Errorf("ECDSA signature: %w", err)
		}
		return bytes.Clone(sig), nil
	}}
}

func rsaJob(info card.KeyInfo, row AlgorithmRow, block []byte) (job, error) {
	if row.Bits == 0 {
		return job{}, wrongKey(row, "do RSA")
	}
	pub, _ := info.Public.(*rsa.PublicKey)
	if len(block) != row.Size() {
		return job{}, fmt.Errorf("%d bytes for a key of %d", len(block), row.Size())
	}
	if pub != nil && new(big.Int).SetBytes(block).Cmp(pub.N) >= 0 {
		return job{}, fmt.Errorf("the block is not smaller than the modulus")
	}
	return job{tagChallenge, block, func(out []byte) ([]byte, error) {
		if len(out) != row.Size() {
			return nil, malformed("%s result of %d bytes", row.Algorithm, len(out))
		}
		if pub != nil && !reverses(pub, out, block) {
			return nil, wrongResult("the result")
		}
		return bytes.Clone(out), nil
	}}, nil
}

// reverses tells whether the public key undoes what the private key did.
func reverses(pub *rsa.PublicKey, out, in []byte) bool {
	o := new(big.Int).SetBytes(out)
	if o.Cmp(pub.N) >= 0 {
		return false
	}
	o.Exp(o, big.NewInt(int64(pub.E)), pub.N)
	return o.Cmp(new(big.Int).SetBytes(in)) == 0
}

func decryptJob(info card.KeyInfo, row AlgorithmRow, random io.Reader, msg []byte, opts crypto.DecrypterOpts) (job, error) {
	if row.Bits == 0 {
		return job{}, wrongKey(row, "decrypt")
	}
	unpad, err := unpadder(row.Size(), random, opts)
	if err != nil {
		return job{}, err
	}
	if len(msg) != row.Size() {
		return job{}, fmt.Errorf("%w: %d bytes for a key of %d", rsa.ErrDecryption, len(msg), row.Size())
	}
	j, err := rsaJob(info, row, msg)
	if err != nil {
		return job{}, fmt.Errorf("%w: %w", rsa.ErrDecryption, err)
	}
	bare := j.finish
	j.finish = func(out []byte) ([]byte, error) {
		block, err := bare(out)
		if err != nil {
			return nil, err
		}
		defer clear(block)
		return unpad(block)
	}
	return j, nil
}

func agreeJob(row AlgorithmRow, peer *ecdh.PublicKey) (job, error) {
	var curve ecdh.Curve
	switch row.Algorithm {
	case card.P256:
		curve = ecdh.P256()
	case card.P384:
		curve = ecdh.P384()
	case card.X25519:
		curve = ecdh.X25519()
	default:
		return job{}, wrongKey(row, "agree on secrets")
	}
	if peer == nil || peer.Curve() != curve {
		return job{}, fmt.Errorf("%w: the other key is not on %s", card.ErrWrongKey, row.Algorithm)
	}
	return job{tagExponentiation, peer.Bytes(), func(out []byte) ([]byte, error) {
		if len(out) != row.Size() {
			return nil, malformed("shared secret of %d bytes", len(out))
		}
		return bytes.Clone(out), nil
	}}, nil
}
