package pkcs11

import (
	"crypto"
	"crypto/hmac"
	_ "crypto/sha1" // the hashes of the table below
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"hash"

	"cardbridge/pkcs11/ck"
)

// A hashRow is a hash function and the mechanisms that the standard derives
// from it. Zero stands where there is none.
type hashRow struct {
	hash                      crypto.Hash
	digest, hmac, hmacGeneral ck.MechanismType
	rsa, pss, ecdsa           ck.MechanismType
	mgf                       ck.Generator
	kdf                       ck.KDF
	keyType                   ck.KeyType
}

var hashTable = [...]hashRow{
	{crypto.SHA1, ck.CKM_SHA_1, ck.CKM_SHA_1_HMAC, ck.CKM_SHA_1_HMAC_GENERAL, ck.CKM_SHA1_RSA_PKCS, ck.CKM_SHA1_RSA_PKCS_PSS, ck.CKM_ECDSA_SHA1, ck.CKG_MGF1_SHA1, ck.CKD_SHA1_KDF, ck.CKK_SHA_1_HMAC},
	{crypto.SHA224, ck.CKM_SHA224, ck.CKM_SHA224_HMAC, ck.CKM_SHA224_HMAC_GENERAL, ck.CKM_SHA224_RSA_PKCS, ck.CKM_SHA224_RSA_PKCS_PSS, ck.CKM_ECDSA_SHA224, ck.CKG_MGF1_SHA224, ck.CKD_SHA224_KDF, ck.CKK_SHA224_HMAC},
	{crypto.SHA256, ck.CKM_SHA256, ck.CKM_SHA256_HMAC, ck.CKM_SHA256_HMAC_GENERAL, ck.CKM_SHA256_RSA_PKCS, ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_ECDSA_SHA256, ck.CKG_MGF1_SHA256, ck.CKD_SHA256_KDF, ck.CKK_SHA256_HMAC},
	{crypto.SHA384, ck.CKM_SHA384, ck.CKM_SHA384_HMAC, ck.CKM_SHA384_HMAC_GENERAL, ck.CKM_SHA384_RSA_PKCS, ck.CKM_SHA384_RSA_PKCS_PSS, ck.CKM_ECDSA_SHA384, ck.CKG_MGF1_SHA384, ck.CKD_SHA384_KDF, ck.CKK_SHA384_HMAC},
	{crypto.SHA512, ck.CKM_SHA512, ck.CKM_SHA512_HMAC, ck.CKM_SHA512_HMAC_GENERAL, ck.CKM_SHA512_RSA_PKCS, ck.CKM_SHA512_RSA_PKCS_PSS, ck.CKM_ECDSA_SHA512, ck.CKG_MGF1_SHA512, ck.CKD_SHA512_KDF, ck.CKK_SHA512_HMAC},
	{crypto.SHA512_224, ck.CKM_SHA512_224, ck.CKM_SHA512_224_HMAC, ck.CKM_SHA512_224_HMAC_GENERAL, 0, 0, 0, 0, 0, 0},
	{crypto.SHA512_256, ck.CKM_SHA512_256, ck.CKM_SHA512_256_HMAC, ck.CKM_SHA512_256_HMAC_GENERAL, 0, 0, 0, 0, 0, 0},
	{crypto.SHA3_224, ck.CKM_SHA3_224, ck.CKM_SHA3_224_HMAC, ck.CKM_SHA3_224_HMAC_GENERAL, ck.CKM_SHA3_224_RSA_PKCS, ck.CKM_SHA3_224_RSA_PKCS_PSS, ck.CKM_ECDSA_SHA3_224, ck.CKG_MGF1_SHA3_224, ck.CKD_SHA3_224_KDF, ck.CKK_SHA3_224_HMAC},
	{crypto.SHA3_256, ck.CKM_SHA3_256, ck.CKM_SHA3_256_HMAC, ck.CKM_SHA3_256_HMAC_GENERAL, ck.CKM_SHA3_256_RSA_PKCS, ck.CKM_SHA3_256_RSA_PKCS_PSS, ck.CKM_ECDSA_SHA3_256, ck.CKG_MGF1_SHA3_256, ck.CKD_SHA3_256_KDF, ck.CKK_SHA3_256_HMAC},
	{crypto.SHA3_384, ck.CKM_SHA3_384, ck.CKM_SHA3_384_HMAC, ck.CKM_SHA3_384_HMAC_GENERAL, ck.CKM_SHA3_384_RSA_PKCS, ck.CKM_SHA3_384_RSA_PKCS_PSS, ck.CKM_ECDSA_SHA3_384, ck.CKG_MGF1_SHA3_384, ck.CKD_SHA3_384_KDF, ck.CKK_SHA3_384_HMAC},
	{crypto.SHA3_512, ck.CKM_SHA3_512, ck.CKM_SHA3_512_HMAC, ck.CKM_SHA3_512_HMAC_GENERAL, ck.CKM_SHA3_512_RSA_PKCS, ck.CKM_SHA3_512_RSA_PKCS_PSS, ck.CKM_ECDSA_SHA3_512, ck.CKG_MGF1_SHA3_512, ck.CKD_SHA3_512_KDF, ck.CKK_SHA3_512_HMAC},
}

// hashBy finds the first row that f accepts.
func hashBy(f func(*hashRow) bool) *hashRow {
	for i := range hashTable {
		if f(&hashTable[i]) {
			return &hashTable[i]
		}
	}
	return nil
}

func hashByDigest(t ck.MechanismType) *hashRow {
	return hashBy(func(r *hashRow) bool { return r.digest == t })
}

// digestMechanisms are section 6.20 to 6.31's digests.
func digestMechanisms() (all []mechanism) {
	for _, r := range hashTable {
		all = append(all, mechanism{typ: r.digest, param: empty, digest: func(any) hash.Hash { return r.hash.New() }})
	}
	return all
}

// hmacMechanisms are the HMACs, whole and cut short.
func hmacMechanisms() (all []mechanism) {
	for _, r := range hashTable {
		keys := []ck.KeyType{ck.CKK_GENERIC_SECRET}
		if r.keyType != 0 {
			keys = append(keys, r.keyType)
		}
		sign := func(u *use, param any) (*signing, error) {
			key, err := u.secret()
			if err != nil {
				return nil, err
			}
			size := r.hash.Size()
			if n, ok := param.(uint); ok {
				size = int(n)
			}
			return &signing{
				absorber: absorber{hash: hmac.New(r.hash.New, key)}, size: size,
				finish: func(mac []byte) ([]byte, error) { return mac[:size], nil },
			}, nil
		}
		verify := func(u *use, param any) (*verifying, error) {
			s, err := sign(u, param)
			if err != nil {
				return nil, err
			}
			return verifyMAC(s), nil
		}
		general := func(p Parameter) (any, error) {
			v, ok := p.fields("u")
			if !ok || v[0] == 0 || v[0] > uint64(r.hash.Size()) {
				return nil, ck.CKR_MECHANISM_PARAM_INVALID
			}
			return uint(v[0]), nil
		}
		all = append(all,
			mechanism{typ: r.hmac, keys: keys, min: 1, max: maxGeneric, param: empty, sign: sign, verify: verify},
			mechanism{typ: r.hmacGeneral, keys: keys, min: 1, max: maxGeneric, param: general, sign: sign, verify: verify})
	}
	return all
}
