package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"

	"cardbridge/pkcs11/ck"
)

var rsaKeys = []ck.KeyType{ck.CKK_RSA}

// rsaMechanisms are section 6.1's, less those that nobody uses.
func rsaMechanisms() []mechanism {
	rsaRow := func(m mechanism) mechanism {
		m.keys, m.min, m.max = rsaKeys, minRSABits, maxRSABits
		m.extra |= ck.CKF_HW
		return m
	}
	all := []mechanism{
		rsaRow(mechanism{
			typ: ck.CKM_RSA_PKCS, param: empty, wraps: true,
			sign:   rsaSigner(0, func(any) (crypto.SignerOpts, int) { return crypto.Hash(0), -11 }),
			verify: rsaVerifier(0, verifyPKCS1), recover: recoverPKCS1,
			encrypt: encryptPKCS1, decrypt: decryptPKCS1,
		}),
		rsaRow(mechanism{
			typ: ck.CKM_RSA_X_509, param: empty,
			sign: signRaw, verify: rsaVerifier(0, verifyRaw), recover: recoverRaw,
			encrypt: encryptRaw, decrypt: decryptRaw,
		}),
		rsaRow(mechanism{
			typ: ck.CKM_RSA_PKCS_PSS, param: pssParam(0),
			sign: pssSigner(0), verify: rsaVerifier(0, verifyPSS),
		}),
		rsaRow(mechanism{
			typ: ck.CKM_RSA_PKCS_OAEP, param: oaepParam, wraps: true, encrypt: encryptOAEP, decrypt: decryptOAEP,
		}),
	}
	for _, r := range hashTable {
		if r.rsa == 0 {
			continue
		}
		all = append(all,
			rsaRow(mechanism{
				typ: r.rsa, param: empty,
				sign:   rsaSigner(r.hash, func(any) (crypto.SignerOpts, int) { return r.hash, r.hash.Size() }),
				verify: rsaVerifier(r.hash, verifyPKCS1),
			}),
			rsaRow(mechanism{
				typ: r.pss, param: pssParam(r.digest), sign: pssSigner(r.hash), verify: rsaVerifier(r.hash, verifyPSS),
			}))
	}
	return all
}

func rsaPublicOf(u *use) (*rsa.PublicKey, error) {
	pub, err := u.public()
	if err != nil {
		return nil, err
	}
	k, ok := pub.(*rsa.PublicKey)
	if !ok {
		return nil, ck.CKR_KEY_TYPE_INCONSISTENT
	}
	return k, nil
}

// absorb makes the absorber for a mechanism that hashes (or, for zero, does
// not). The limit is for the latter.
func absorb(h crypto.Hash, limit int) absorber {
	if h != 0 {
		return absorber{hash: h.New()}
	}
	return absorber{limit: limit}
}

// rsaSigner is the constructor for signatures with padding. options gives the
// options and how long the input may be: a number of bytes that it must be, or
// less than the modulus by so many.
func rsaSigner(h crypto.Hash, options func(param any) (crypto.SignerOpts, int)) func(*use, any) (*signing, error) {
	return func(u *use, param any) (*signing, error) {
		pub, err := rsaPublicOf(u)
		if err != nil {
			return nil, err
		}
		opts, length := options(param)
		if length >= 0 && pub.Size() < length+11 {
			return nil, ck.CKR_KEY_SIZE_RANGE
		}
		return &signing{absorber: absorb(h, pub.Size()), size: pub.Size(), finish: func(input []byte) ([]byte, error) {
			if length >= 0 && len(input) != length || length < 0 && len(input) > pub.Size()+length {
				return nil, ck.CKR_DATA_LEN_RANGE
			}
			key, err := u.private()
			if err != nil {
				return nil, err
			}
			return key.Sign(rand.Reader, input, opts)
		}}, nil
	}
}

// rsaVerifier is the constructor for the other side.
func rsaVerifier(h crypto.Hash, check func(pub *rsa.PublicKey, h crypto.Hash, param any, input, sig []byte) error) func(*use, any) (*verifying, error) {
	return func(u *use, param any) (*verifying, error) {
		pub, err := rsaPublicOf(u)
		if err != nil {
			return nil, err
		}
		return &verifying{absorber: absorb(h, pub.Size()), size: pub.Size(), finish: func(input, sig []byte) error {
			return check(pub, h, param, input, sig)
		}}, nil
	}
}

func verifyPKCS1(pub *rsa.PublicKey, h crypto.Hash, _ any, input, sig []byte) error {
	if rsa.VerifyPKCS1v15(pub, h, input, sig) != nil {
		return ck.CKR_SIGNATURE_INVALID
	}
	return nil
}

func verifyRaw(pub *rsa.PublicKey, _ crypto.Hash, _ any, input, sig []byte) error {
	m, err := publicRSA(pub, sig)
	if err != nil {
		return ck.CKR_SIGNATURE_INVALID
	}
	if len(input) > len(m) || !bytes.Equal(m, leftPad(input, len(m))) {
		return ck.CKR_SIGNATURE_INVALID
	}
	return nil
}

func leftPad(b []byte, n int) []byte {
	if len(b) >= n {
		return b
	}
	return append(make([]byte, n-len(b)), b...)
}

func signRaw(u *use, _ any) (*signing, error) {
	pub, err := rsaPublicOf(u)
	if err != nil {
		return nil, err
	}
	return &signing{absorber: absorb(0, pub.Size()), size: pub.Size(), finish: func(input []byte) ([]byte, error) {
		return privateRSA(u, pub, input)
	}}, nil
}

// privateRSA pads with zeros on the left and applies the private key.
func privateRSA(u *use, pub *rsa.PublicKey, input []byte) ([]byte, error) {
	block := leftPad(input, pub.Size())
	if bytes.Compare(block, leftPad(pub.N.Bytes(), pub.Size())) >= 0 {
		return nil, ck.CKR_DATA_INVALID
	}
	key, err := u.private()
	if err != nil {
		return nil, err
	}
	return key.RSA(block)
}

func recoverRaw(u *use, _ any) (recovery, error) {
	pub, err := rsaPublicOf(u)
	if err != nil {
		return nil, err
	}
	return func(sig []byte) ([]byte, error) {
		if len(sig) != pub.Size() {
			return nil, ck.CKR_SIGNATURE_LEN_RANGE
		}
		m, err := publicRSA(pub, sig)
		if err != nil {
			return nil, ck.CKR_SIGNATURE_INVALID
		}
		return m, nil
	}, nil
}

// recoverPKCS1 takes block type 01 apart (RFC 8017 section 9.2, without the
// DigestInfo).
func recoverPKCS1(u *use, param any) (recovery, error) {
	raw, err := recoverRaw(u, param)
	if err != nil {
		return nil, err
	}
	return func(sig []byte) ([]byte, error) {
		m, err := raw(sig)
		if err != nil {
			return nil, err
		}
		if m[0] != 0 || m[1] != 1 {
			return nil, ck.CKR_SIGNATURE_INVALID
		}
		end := bytes.IndexByte(m[2:], 0)
		if end < 8 || len(bytes.TrimLeft(m[2:2+end], "\xff")) != 0 {
			return nil, ck.CKR_SIGNATURE_INVALID
		}
		return m[2+end+1:], nil
	}, nil
}

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
		h, mgf := hashByDigest(ck.MechanismType(v[0])), hashByMGF(v[1])
		if h == nil || mgf == nil || digest != 0 && h.digest != digest || v[2] > maxRSABits/8 {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
		return pss{h, mgf, int(v[2])}, nil
	}
}

// hashByMGF finds the hash of a mask generation function.
func hashByMGF(v uint64) *hashRow {
	return hashBy(func(r *hashRow) bool { return r.mgf != 0 && r.mgf == ck.Generator(v) })
}

// options are the standard library's, for what is plain.
func (p pss) options() *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: p.salt, Hash: p.hash.hash}
}

func pssOptions(param any) (crypto.SignerOpts, int) {
	p := param.(pss)
	return p.options(), p.hash.hash.Size()
}

func verifyPSS(pub *rsa.PublicKey, _ crypto.Hash, param any, input, sig []byte) error {
	p := param.(pss)
	if len(input) != p.hash.hash.Size() {
		return ck.CKR_DATA_LEN_RANGE
	}
	if !p.plain() {
		if !p.verify(pub, input, sig) {
			return ck.CKR_SIGNATURE_INVALID
		}
		return nil
	}
	if rsa.VerifyPSS(pub, p.hash.hash, input, sig, p.options()) != nil {
		return ck.CKR_SIGNATURE_INVALID
	}
	return nil
}

// oaepParam parses CK_RSA_PKCS_OAEP_PARAMS.
func oaepParam(p Parameter) (any, error) {
	v, ok := p.fields("uuupu")
	if !ok {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	h := hashByDigest(ck.MechanismType(v[0]))
	mgf := hashByMGF(v[1])
	// A source of 0 with no data comes from callers that leave it out.
	if h == nil || mgf == nil || ck.Source(v[2]) != ck.CKZ_DATA_SPECIFIED && (v[2] != 0 || v[4] != 0) {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	label, err := p.follow(v[3], v[4])
	if err != nil {
		return nil, err
	}
	return &rsa.OAEPOptions{Hash: h.hash, MGFHash: mgf.hash, Label: label}, nil
}

// A whole is a transform that needs all of its input at once.
type whole struct {
	absorber
	size   func(n int) int // of the output at most, for n bytes of input
	finish func(input []byte) ([]byte, error)
}

func (w *whole) update(part []byte) ([]byte, error) { return nil, w.absorber.update(part) }
func (w *whole) updateLen(int) int                  { return 0 }
func (w *whole) final() ([]byte, error)             { return w.finish(w.input()) }
func (w *whole) finalLen(n int) int                 { return w.size(len(w.data) + n) }

// rsaWhole is a transform of an RSA key: a modulus' length of output at most,
// as much of input where exact, else up to less by overhead.
func rsaWhole(u *use, exact bool, overhead int, finish func(pub *rsa.PublicKey, input []byte) ([]byte, error)) (transform, error) {
	pub, err := rsaPublicOf(u)
	if err != nil {
		return nil, err
	}
	w := &whole{size: func(int) int { return pub.Size() }, finish: func(input []byte) ([]byte, error) {
		switch {
		case exact && len(input) != pub.Size():
			return nil, ck.CKR_ENCRYPTED_DATA_LEN_RANGE
		case !exact && len(input) > pub.Size()-overhead:
			return nil, ck.CKR_DATA_LEN_RANGE
		}
		return finish(pub, input)
	}}
	w.limit = maxRSABits / 8 * 2
	return w, nil
}

func encryptPKCS1(u *use, _ any) (transform, error) {
	return rsaWhole(u, false, 11, func(pub *rsa.PublicKey, input []byte) ([]byte, error) {
		//lint:ignore SA1019 CKM_RSA_PKCS is this and nothing else; callers choose it
		return rsa.EncryptPKCS1v15(rand.Reader, pub, input)
	})
}

func decryptPKCS1(u *use, _ any) (transform, error) {
	return rsaWhole(u, true, 0, func(_ *rsa.PublicKey, input []byte) ([]byte, error) {
		//lint:ignore SA1019 the same
		return rsaDecrypt(u, input, &rsa.PKCS1v15DecryptOptions{})
	})
}

func rsaDecrypt(u *use, input []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	key, err := u.private()
	if err != nil {
		return nil, err
	}
	out, err := key.Decrypt(rand.Reader, input, opts)
	if Code(err) == ck.CKR_GENERAL_ERROR {
		// Of no card and no session: the standard library's, which says of a padding
		// no more than that it is wrong.
		return nil, ck.CKR_ENCRYPTED_DATA_INVALID
	}
	return out, err
}

func encryptRaw(u *use, _ any) (transform, error) {
	return rsaWhole(u, false, 0, func(pub *rsa.PublicKey, input []byte) ([]byte, error) {
		return publicRSA(pub, leftPad(input, pub.Size()))
	})
}

func decryptRaw(u *use, _ any) (transform, error) {
	return rsaWhole(u, true, 0, func(pub *rsa.PublicKey, input []byte) ([]byte, error) {
		return privateRSA(u, pub, input)
	})
}

func encryptOAEP(u *use, param any) (transform, error) {
	opts := param.(*rsa.OAEPOptions)
	return rsaWhole(u, false, 2*opts.Hash.Size()+2, func(pub *rsa.PublicKey, input []byte) ([]byte, error) {
		return rsa.EncryptOAEPWithOptions(rand.Reader, pub, input, opts)
	})
}

func decryptOAEP(u *use, param any) (transform, error) {
	return rsaWhole(u, true, 0, func(_ *rsa.PublicKey, input []byte) ([]byte, error) {
		return rsaDecrypt(u, input, param.(*rsa.OAEPOptions))
	})
}
