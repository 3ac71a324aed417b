package pkcs11

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"

	"cardbridge/pkcs11/ck"
)

// keyWrapMechanisms are AES key wrap (RFC 3394) and key wrap with padding
// (RFC 5649), section 6.13.6.
func keyWrapMechanisms() []mechanism {
	iv := func(n int) func(Parameter) (any, error) {
		return func(p Parameter) (any, error) {
			if len(p.Bytes) != 0 && len(p.Bytes) != n {
				return nil, ck.CKR_MECHANISM_PARAM_INVALID
			}
			return bytes.Clone(p.Bytes), nil
		}
	}
	keys := []ck.KeyType{ck.CKK_AES}
	make := func(f func(b cipher.Block, iv, in []byte) ([]byte, error), size func(int) int) func(*use, any) (transform, error) {
		return func(u *use, param any) (transform, error) {
			b, err := blockTable[0].block(u)
			if err != nil {
				return nil, err
			}
			return &whole{size: size, finish: func(in []byte) ([]byte, error) { return f(b, param.([]byte), in) }}, nil
		}
	}
	longer := func(n int) int { return (n+7)/8*8 + 8 }
	shorter := func(n int) int { return max(0, n-8) }
	return []mechanism{
		{typ: ck.CKM_AES_KEY_WRAP, keys: keys, min: 16, max: 32, param: iv(8), wraps: true, encrypt: make(wrap3394, longer), decrypt: make(unwrap3394, shorter)},
		{typ: ck.CKM_AES_KEY_WRAP_KWP, keys: keys, min: 16, max: 32, param: iv(4), wraps: true, encrypt: make(wrap5649, longer), decrypt: make(unwrap5649, shorter)},
	}
}

// defaultIV3394 and defaultIV5649 are the integrity values of RFC 3394
// section 2.2.3.1 and RFC 5649 section 3.
var (
	defaultIV3394 = []byte{0xA6, 0xA6, 0xA6, 0xA6, 0xA6, 0xA6, 0xA6, 0xA6}
	defaultIV5649 = []byte{0xA6, 0x59, 0x59, 0xA6}
)

// wrapBlocks is W of RFC 3394 section 2.2.1: six rounds over semiblocks.
func wrapBlocks(b cipher.Block, a, in []byte) []byte {
	out := append(bytes.Clone(a), in...)
	buf := make([]byte, aes.BlockSize)
	n := len(in) / 8
	for t := uint64(1); t <= uint64(6*n); t++ {
		r := out[8*((int(t)-1)%n+1):][:8]
		copy(buf, out[:8])
		copy(buf[8:], r)
		b.Encrypt(buf, buf)
		binary.BigEndian.PutUint64(out, binary.BigEndian.Uint64(buf)^t)
		copy(r, buf[8:])
	}
	return out
}

func unwrapBlocks(b cipher.Block, in []byte) (a, out []byte) {
	all := bytes.Clone(in)
	buf := make([]byte, aes.BlockSize)
	n := len(in)/8 - 1
	for t := uint64(6 * n); t >= 1; t-- {
		r := all[8*((int(t)-1)%n+1):][:8]
		binary.BigEndian.PutUint64(buf, binary.BigEndian.Uint64(all)^t)
		copy(buf[8:], r)
		b.Decrypt(buf, buf)
		copy(all[:8], buf)
		copy(r, buf[8:])
	}
	return all[:8], all[8:]
}

func wrap3394(b cipher.Block, iv, in []byte) ([]byte, error) {
	if len(in) < 16 || len(in)%8 != 0 {
		return nil, ck.CKR_DATA_LEN_RANGE
	}
	if len(iv) == 0 {
		iv = defaultIV3394
	}
	return wrapBlocks(b, iv, in), nil
}

func unwrap3394(b cipher.Block, iv, in []byte) ([]byte, error) {
	if len(in) < 24 || len(in)%8 != 0 {
		return nil, ck.CKR_ENCRYPTED_DATA_LEN_RANGE
	}
	if len(iv) == 0 {
		iv = defaultIV3394
	}
	a, out := unwrapBlocks(b, in)
	if subtle.ConstantTimeCompare(a, iv) != 1 {
		return nil, ck.CKR_ENCRYPTED_DATA_INVALID
	}
	return out, nil
}

func wrap5649(b cipher.Block, iv, in []byte) ([]byte, error) {
	if len(in) == 0 {
		return nil, ck.CKR_DATA_LEN_RANGE
	}
	if len(iv) == 0 {
		iv = defaultIV5649
	}
	a := binary.BigEndian.AppendUint32(bytes.Clone(iv), uint32(len(in)))
	padded := append(bytes.Clone(in), make([]byte, (8-len(in)%8)%8)...)
	if len(padded) == 8 {
		out := append(a, padded...)
		b.Encrypt(out, out)
		return out, nil
	}
	return wrapBlocks(b, a, padded), nil
}

func unwrap5649(b cipher.Block, iv, in []byte) ([]byte, error) {
	if len(in) < 16 || len(in)%8 != 0 {
		return nil, ck.CKR_ENCRYPTED_DATA_LEN_RANGE
	}
	if len(iv) == 0 {
		iv = defaultIV5649
	}
	var a, out []byte
	if len(in) == 16 {
		all := make([]byte, 16)
		b.Decrypt(all, in)
		a, out = all[:8], all[8:]
	} else {
		a, out = unwrapBlocks(b, in)
	}
	n := int(binary.BigEndian.Uint32(a[4:]))
	if subtle.ConstantTimeCompare(a[:4], iv) != 1 || n > len(out) || n <= len(out)-8 || len(bytes.Trim(out[n:], "\x00")) != 0 {
		return nil, ck.CKR_ENCRYPTED_DATA_INVALID
	}
	return out[:n], nil
}
