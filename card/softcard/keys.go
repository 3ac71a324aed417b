package softcard

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
)

// keyCache keeps parsed private keys: parsing an RSA key costs more than using it.
type keyCache map[string]crypto.PrivateKey

const keyCacheMax = 64

func (c *keyCache) key(stored storedKey) (crypto.PrivateKey, error) {
	if key, ok := (*c)[string(stored.PKCS8)]; ok {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(stored.PKCS8)
	if err != nil {
		return nil, err
	}
	if len(*c) >= keyCacheMax || *c == nil {
		*c = keyCache{}
	}
	(*c)[string(stored.PKCS8)] = key
	return key, nil
}

func publicOf(key crypto.PrivateKey) crypto.PublicKey {
	if k, ok := key.(interface{ Public() crypto.PublicKey }); ok {
		return k.Public()
	}
	return nil
}

// encodePublic is the inside of a public key template (7F49): modulus and exponent, or the point, §3.3.2 table 23.
func encodePublic(key crypto.PublicKey) []byte {
	switch k := key.(type) {
	case *rsa.PublicKey:
		b := appendTLV(nil, 0x81, k.N.Bytes())
		return appendTLV(b, 0x82, big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := k.ECDH()
		if err != nil {
			return nil
		}
		return appendTLV(nil, 0x86, point.Bytes())
	case ed25519.PublicKey:
		return appendTLV(nil, 0x86, k)
	case *ecdh.PublicKey:
		return appendTLV(nil, 0x86, k.Bytes())
	}
	return nil
}

// A keyPolicy is when a key wants a PIN and a touch.
type keyPolicy struct{ pin, touch byte }

// readPolicy takes Yubico's tags AA and AB; the policy 0 and no policy are the slot's default. Firmware before 4 and other
// makers know no such tags.
func (r *request) readPolicy(slot byte, list []tlv) (keyPolicy, bool) {
	policy := keyPolicy{r.personality().slotPINPolicy(slot), touchNever}
	for _, part := range []struct {
		tag  uint32
		most byte
		to   *byte
	}{
		{0xAA, pinAlways, &policy.pin},
		{0xAB, touchCached, &policy.touch},
	} {
		v, ok := find(list, part.tag)
		if !ok {
			continue
		}
		if !r.personality().has(featPolicies) || len(v) != 1 || v[0] > part.most {
			return policy, false
		}
		if v[0] != policyDefault {
			*part.to = v[0]
		}
	}
	return policy, true
}
