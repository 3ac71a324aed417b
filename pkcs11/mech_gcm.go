package pkcs11

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"slices"

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
	if v[1] == 0 || v[1] > 256 || v[4]%8 != 0 || v[4] > 128 {
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

// A gcmKey is AES-GCM with tags of some length. What the standard library has is
// the whole tag with a nonce of any length, and a tag cut short with the usual
// nonce; callers have both at once, and the short tags of SP 800-38D appendix C.
type gcmKey struct {
	cipher.AEAD
	tag int
}

// gcmTags are the lengths of SP 800-38D section 5.2.1.2.
var gcmTags = []int{4, 8, 12, 13, 14, 15, 16}

func newGCM(u *use, nonce, tag int) (gcmKey, error) {
	key, err := u.secret()
	if err != nil {
		return gcmKey{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return gcmKey{}, ck.CKR_KEY_SIZE_RANGE
	}
	if nonce == 0 || !slices.Contains(gcmTags, tag) {
		return gcmKey{}, ck.CKR_MECHANISM_PARAM_INVALID
	}
	aead, err := cipher.NewGCMWithNonceSize(block, nonce)
	if err != nil {
		return gcmKey{}, ck.CKR_MECHANISM_PARAM_INVALID
	}
	return gcmKey{aead, tag}, nil
}

// seal encrypts and appends the tag.
func (k gcmKey) seal(nonce, plaintext, aad []byte) []byte {
	sealed := k.Seal(nil, nonce, plaintext, aad)
	return sealed[:len(plaintext)+k.tag]
}

// open undoes seal. The library would want the whole tag; yet the mode is counter
// mode, which undoes itself, so that sealing twice gives plaintext and tag.
func (k gcmKey) open(nonce, sealed, aad []byte) ([]byte, bool) {
	n := len(sealed) - k.tag
	plaintext := k.Seal(nil, nonce, sealed[:n], nil)[:n]
	if subtle.ConstantTimeCompare(k.seal(nonce, plaintext, aad)[n:], sealed[n:]) != 1 {
		clear(plaintext)
		return nil, false
	}
	return plaintext, true
}

// gcmMechanisms is AES-GCM of section 6.13.4. All output comes at the end, as
// nothing may be told of a message before its tag is checked.
func gcmMechanisms() []mechanism {
	return []mechanism{{
		typ: ck.CKM_AES_GCM, keys: []ck.KeyType{ck.CKK_AES}, min: 16, max: 32, param: gcmParam, wraps: true,
		encrypt: func(u *use, param any) (transform, error) {
			p := param.(gcm)
			key, err := newGCM(u, len(p.iv), p.tag)
			if err != nil {
				return nil, err
			}
			return &whole{
				size:   func(n int) int { return n + p.tag },
				finish: func(in []byte) ([]byte, error) { return key.seal(p.iv, in, p.aad), nil },
			}, nil
		},
		decrypt: func(u *use, param any) (transform, error) {
			p := param.(gcm)
			key, err := newGCM(u, len(p.iv), p.tag)
			if err != nil {
				return nil, err
			}
			return &whole{
				size: func(n int) int { return max(0, n-p.tag) },
				finish: func(in []byte) ([]byte, error) {
					if len(in) < p.tag {
						return nil, ck.CKR_ENCRYPTED_DATA_LEN_RANGE
					}
					out, ok := key.open(p.iv, in, p.aad)
					if !ok {
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

// A gcmMessage is CK_GCM_MESSAGE_PARAMS.
type gcmMessage struct {
	key    gcmKey
	iv     []byte
	memory Memory
	tag    uint64 // where the tag is
}

// layoutGCMMessage is CK_GCM_MESSAGE_PARAMS: pIv, ulIvLen, ulIvFixedBits,
// ivGenerator, pTag, ulTagBits.
const layoutGCMMessage = "puuupu"

// begin is messages': it makes the IV where the parameter asks for one and the
// message is to be sealed.
func (g gcmMessages) begin(p Parameter, sealing bool) (message, error) {
	v, ok := p.fields(layoutGCMMessage)
	if !ok || v[1] > 256 || v[5]%8 != 0 || v[5] > 128 || p.Memory == nil {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	iv, err := p.follow(v[0], v[1])
	if err != nil {
		return nil, err
	}
	key, err := newGCM(g.use, len(iv), int(v[5]/8))
	if err != nil {
		return nil, err
	}
	if sealing && v[3] != uint64(ck.CKG_NO_GENERATE) {
		fixed := int(v[2] / 8)
		if v[2]%8 != 0 || v[2] > 8*256 || fixed > len(iv)-8 {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
		copy(iv[fixed:], randomBytes(uint(len(iv)-fixed)))
		if err := p.Memory.Write(v[0], iv); err != nil {
			return nil, err
		}
	}
	return &gcmMessage{key, iv, p.Memory, v[4]}, nil
}

// last is message's: the tag may have its place told with the last part only.
func (m *gcmMessage) last(p Parameter) error {
	v, ok := p.fields(layoutGCMMessage)
	if !ok || v[5] != uint64(8*m.key.tag) {
		return ck.CKR_MECHANISM_PARAM_INVALID
	}
	m.tag = v[4]
	return nil
}

// seal is message's.
func (m *gcmMessage) seal(aad, plaintext []byte) ([]byte, error) {
	if m.tag == 0 {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	sealed := m.key.seal(m.iv, plaintext, aad)
	return sealed[:len(plaintext)], m.memory.Write(m.tag, sealed[len(plaintext):])
}

// unseal is message's.
func (m *gcmMessage) unseal(aad, ciphertext []byte) ([]byte, error) {
	if m.tag == 0 {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	tag, err := m.memory.Read(m.tag, uint(m.key.tag))
	if err != nil {
		return nil, err
	}
	out, ok := m.key.open(m.iv, append(bytes.Clone(ciphertext), tag...), aad)
	if !ok {
		return nil, ck.CKR_AEAD_DECRYPT_FAILED
	}
	return out, nil
}
