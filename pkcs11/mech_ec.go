package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/asn1"
	"math/big"

	"cardbridge/pkcs11/ck"
)

// ecFlags are what section 6.3 wants of every EC mechanism.
const ecFlags = ck.CKF_HW | ck.CKF_EC_F_P | ck.CKF_EC_OID | ck.CKF_EC_UNCOMPRESS

// ecMechanisms are the signatures of section 6.3.
func ecMechanisms() []mechanism {
	all := []mechanism{
		{
			typ: ck.CKM_ECDSA, keys: []ck.KeyType{ck.CKK_EC}, min: 256, max: 521, extra: ecFlags, param: empty,
			sign: ecdsaSigner(0), verify: ecdsaVerifier(0),
		},
		{
			typ: ck.CKM_EDDSA, keys: []ck.KeyType{ck.CKK_EC_EDWARDS}, min: 255, max: 255, extra: ecFlags | ck.CKF_EC_CURVENAME,
			param: eddsaParam, sign: signEdDSA, verify: verifyEdDSA,
		},
	}
	for _, r := range hashTable {
		if r.ecdsa != 0 {
			all = append(all, mechanism{
				typ: r.ecdsa, keys: []ck.KeyType{ck.CKK_EC}, min: 256, max: 521, extra: ecFlags, param: empty,
				sign: ecdsaSigner(r.hash), verify: ecdsaVerifier(r.hash),
			})
		}
	}
	return all
}

func ecdsaPublicOf(u *use) (*ecdsa.PublicKey, int, error) {
	pub, err := u.public()
	if err != nil {
		return nil, 0, err
	}
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return nil, 0, ck.CKR_KEY_TYPE_INCONSISTENT
	}
	return k, (k.Curve.Params().BitSize + 7) / 8, nil
}

// maxDigest is as long a digest as CKM_ECDSA takes; it is cut to the curve's
// order (section 6.3.12).
const maxDigest = 64

func ecdsaSigner(h crypto.Hash) func(*use, any) (*signing, error) {
	return func(u *use, _ any) (*signing, error) {
		_, n, err := ecdsaPublicOf(u)
		if err != nil {
			return nil, err
		}
		return &signing{absorber: absorb(h, maxDigest), size: 2 * n, finish: func(input []byte) ([]byte, error) {
			if len(input) == 0 {
				return nil, ck.CKR_DATA_LEN_RANGE
			}
			key, err := u.private()
			if err != nil {
				return nil, err
			}
			der, err := key.Sign(rand.Reader, input, h)
			if err != nil {
				return nil, err
			}
			return concatenated(der, n)
		}}, nil
	}
}

// An ecdsaSignature is ECDSA-Sig-Value of RFC 3279.
type ecdsaSignature struct{ R, S *big.Int }

// concatenated makes the form of section 6.3.1 of the form of X.509: r and s,
// each as long as the order.
func concatenated(der []byte, n int) ([]byte, error) {
	var sig ecdsaSignature
	rest, err := asn1.Unmarshal(der, &sig)
	if err != nil || len(rest) != 0 || sig.R.Sign() <= 0 || sig.S.Sign() <= 0 || sig.R.BitLen() > 8*n || sig.S.BitLen() > 8*n {
		return nil, ck.CKR_DEVICE_ERROR
	}
	out := make([]byte, 2*n)
	sig.R.FillBytes(out[:n])
	sig.S.FillBytes(out[n:])
	return out, nil
}

func ecdsaVerifier(h crypto.Hash) func(*use, any) (*verifying, error) {
	return func(u *use, _ any) (*verifying, error) {
		pub, n, err := ecdsaPublicOf(u)
		if err != nil {
			return nil, err
		}
		return &verifying{absorber: absorb(h, maxDigest), size: 2 * n, finish: func(input, sig []byte) error {
			der, err := asn1.Marshal(ecdsaSignature{new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:])})
			if err != nil || !ecdsa.VerifyASN1(pub, input, der) {
				return ck.CKR_SIGNATURE_INVALID
			}
			return nil
		}}, nil
	}
}

// eddsaParam parses CK_EDDSA_PARAMS: nothing for Ed25519 itself, else Ed25519ctx
// or Ed25519ph (RFC 8032 section 5.1).
func eddsaParam(p Parameter) (any, error) {
	if len(p.Bytes) == 0 {
		return &ed25519.Options{}, nil
	}
	v, ok := p.fields("bup")
	if !ok || v[1] > 255 {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	context, err := p.follow(v[2], v[1])
	if err != nil {
		return nil, err
	}
	opts := &ed25519.Options{Context: string(context)}
	if v[0] != 0 {
		opts.Hash = crypto.SHA512
	}
	return opts, nil
}

// eddsaAbsorber hashes for Ed25519ph, else keeps the message: Ed25519 goes over
// it twice.
func eddsaAbsorber(opts *ed25519.Options) absorber { return absorb(opts.Hash, maxCollected) }

func signEdDSA(u *use, param any) (*signing, error) {
	opts := param.(*ed25519.Options)
	if u.key.tok != nil && (opts.Hash != 0 || opts.Context != "") {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID // cards do plain Ed25519 only
	}
	return &signing{absorber: eddsaAbsorber(opts), size: ed25519.SignatureSize, finish: func(input []byte) ([]byte, error) {
		key, err := u.private()
		if err != nil {
			return nil, err
		}
		if opts.Hash == 0 && opts.Context == "" {
			return key.Sign(rand.Reader, input, crypto.Hash(0))
		}
		return key.Sign(rand.Reader, input, opts)
	}}, nil
}

func verifyEdDSA(u *use, param any) (*verifying, error) {
	opts := param.(*ed25519.Options)
	pub, err := u.public()
	if err != nil {
		return nil, err
	}
	k, ok := pub.(ed25519.PublicKey)
	if !ok {
		return nil, ck.CKR_KEY_TYPE_INCONSISTENT
	}
	return &verifying{absorber: eddsaAbsorber(opts), size: ed25519.SignatureSize, finish: func(input, sig []byte) error {
		if ed25519.VerifyWithOptions(k, bytes.Clone(input), sig, opts) != nil {
			return ck.CKR_SIGNATURE_INVALID
		}
		return nil
	}}, nil
}
