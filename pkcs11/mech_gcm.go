package pkcs11

import (
	"crypto/aes"
	"crypto/cipher"

	"cardbridge/pkcs11/ck"
)

// gcm is CK_GCM_PARAMS.
type gcm struct {
	iv, aad []byte
	tag     int // bytes
}

// gcmParam parses CK_GCM_PARAMS with ulIvBits, as the headers have it since
// 2.40 errata 1, and without, as the text of 2.40 has it.
func gcmParam(p Parameter) (any, error) {
	v, ok := p.fields("puupuu")
	if ok {
		v = append(v[:2], v[3:]...)
	} else if v, ok = p.fields("pupuu"); !ok {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	if v[1] == 0 || v[1] > 256 || v[4]%8 != 0 {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	iv, err := p.follow(v[0], v[1])
	if err != nil {
		return nil, err
	}
	aad, err := p.follow(v[2], v[3])
	if err != nil {
		return nil, err
	}
	return gcm{iv, aad, int(v[4] / 8)}, nil
}

// newGCM makes the AEAD. The standard library has other tag lengths with the
// standard nonce only, and none below 12 bytes, where GCM is weak.
func newGCM(u *use, nonce, tag int) (cipher.AEAD, error) {
	key, err := u.secret()
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, ck.CKR_KEY_SIZE_RANGE
	}
	var aead cipher.AEAD
	switch {
	case tag == 16 && nonce > 0:
		aead, err = cipher.NewGCMWithNonceSize(block, nonce)
	case nonce == 12:
		aead, err = cipher.NewGCMWithTagSize(block, tag)
	default:
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	if err != nil {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	return aead, nil
}

// gcmMechanisms is AES-GCM of section 6.13.4. All output comes at the end, as
// nothing may be told of a message before its tag is checked.
func gcmMechanisms() []mechanism {
	return []mechanism{{
		typ: ck.CKM_AES_GCM, keys: []ck.KeyType{ck.CKK_AES}, min: 16, max: 32, param: gcmParam, wraps: true,
		encrypt: func(u *use, param any) (transform, error) {
			p := param.(gcm)
			aead, err := newGCM(u, len(p.iv), p.tag)
			if err != nil {
				return nil, err
			}
			return &whole{
				size:   func(n int) int { return n + p.tag },
				finish: func(in []byte) ([]byte, error) { return aead.Seal(nil, p.iv, in, p.aad), nil },
			}, nil
		},
		decrypt: func(u *use, param any) (transform, error) {
			p := param.(gcm)
			aead, err := newGCM(u, len(p.iv), p.tag)
			if err != nil {
				return nil, err
			}
			return &whole{
				size: func(n int) int { return max(0, n-p.tag) },
				finish: func(in []byte) ([]byte, error) {
					if len(in) < p.tag {
						return nil, ck.CKR_ENCRYPTED_DATA_LEN_RANGE
					}
					out, err := aead.Open(nil, p.iv, in, p.aad)
					if err != nil {
						return nil, ck.CKR_ENCRYPTED_DATA_INVALID
					}
					return out, nil
				},
			}, nil
		},
		message: func(u *use) (messages, error) { return gcmMessages{u}, nil },
	}}
}

// gcmMessages is AES-GCM message by message (section 6.13.4.5): the IV and the
// tag stand in each message's parameter.
type gcmMessages struct{ use *use }

// layoutGCMMessage is CK_GCM_MESSAGE_PARAMS: pIv, ulIvLen, ulIvFixedBits,
// ivGenerator, pTag, ulTagBits.
const layoutGCMMessage = "puuupu"

func (g gcmMessages) seal(p Parameter, aad, plaintext []byte) ([]byte, error) {
	v, aead, iv, err := g.open(p)
	if err != nil {
		return nil, err
	}
	if v[3] != uint64(ck.CKG_NO_GENERATE) {
		fixed := int(v[2] / 8)
		if v[2]%8 != 0 || fixed > len(iv)-8 {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
		copy(iv[fixed:], randomBytes(uint(len(iv)-fixed)))
		if err := p.Memory.Write(v[0], iv); err != nil {
			return nil, err
		}
	}
	sealed := aead.Seal(nil, iv, plaintext, aad)
	return sealed[:len(plaintext)], p.Memory.Write(v[4], sealed[len(plaintext):])
}

func (g gcmMessages) unseal(p Parameter, aad, ciphertext []byte) ([]byte, error) {
	v, aead, iv, err := g.open(p)
	if err != nil {
		return nil, err
	}
	tag, err := p.follow(v[4], v[5]/8)
	if err != nil {
		return nil, err
	}
	out, err := aead.Open(nil, iv, append(append([]byte{}, ciphertext...), tag...), aad)
	if err != nil {
		return nil, ck.CKR_AEAD_DECRYPT_FAILED
	}
	return out, nil
}

func (g gcmMessages) open(p Parameter) ([]uint64, cipher.AEAD, []byte, error) {
	v, ok := p.fields(layoutGCMMessage)
	if !ok || v[1] > 256 || v[5]%8 != 0 || v[5] > 128 || v[4] == 0 || p.Memory == nil {
		return nil, nil, nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	iv, err := p.follow(v[0], v[1])
	if err != nil {
		return nil, nil, nil, err
	}
	aead, err := newGCM(g.use, len(iv), int(v[5]/8))
	return v, aead, iv, err
}
