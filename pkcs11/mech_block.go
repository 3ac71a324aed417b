package pkcs11

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"

	"cardbridge/pkcs11/ck"
)

// A blockRow is a block cipher and the mechanisms of its modes.
type blockRow struct {
	new          func(key []byte) (cipher.Block, error)
	keys         []ck.KeyType
	min, max     uint
	size         int
	ecb, cbc     ck.MechanismType
	cbcPad, ctr  ck.MechanismType
	counterParam string // layout of the CTR parameter
}

var blockTable = [...]blockRow{
	{aes.NewCipher, []ck.KeyType{ck.CKK_AES}, 16, 32, aes.BlockSize, ck.CKM_AES_ECB, ck.CKM_AES_CBC, ck.CKM_AES_CBC_PAD, ck.CKM_AES_CTR, "ux"},
	{
		func(key []byte) (cipher.Block, error) { return des.NewTripleDESCipher(tripleDES(key)) },
		[]ck.KeyType{ck.CKK_DES3, ck.CKK_DES2},
		16, 24, des.BlockSize, ck.CKM_DES3_ECB, ck.CKM_DES3_CBC, ck.CKM_DES3_CBC_PAD, 0, "",
	},
}

// blockMechanisms are ECB, CBC and CTR of sections 6.13 and 6.16.
func blockMechanisms() (all []mechanism) {
	for _, r := range blockTable {
		iv := func(p Parameter) (any, error) {
			if len(p.Bytes) != r.size {
				return nil, ck.CKR_MECHANISM_PARAM_INVALID
			}
			return bytes.Clone(p.Bytes), nil
		}
		mode := func(make func(b cipher.Block, iv []byte) cipher.BlockMode, pad, decrypt bool) func(*use, any) (transform, error) {
			return func(u *use, param any) (transform, error) {
				b, err := r.block(u)
				if err != nil {
					return nil, err
				}
				iv, _ := param.([]byte)
				return &blocks{mode: make(b, iv), size: r.size, pad: pad, decrypt: decrypt}, nil
			}
		}
		row := func(m mechanism) { m.keys, m.min, m.max = r.keys, r.min, r.max; all = append(all, m) }
		row(mechanism{typ: r.ecb, param: empty, wraps: true, fill: r.size, encrypt: mode(newECBEncrypter, false, false), decrypt: mode(newECBDecrypter, false, true)})
		row(mechanism{typ: r.cbc, param: iv, wraps: true, fill: r.size, encrypt: mode(cipher.NewCBCEncrypter, false, false), decrypt: mode(cipher.NewCBCDecrypter, false, true)})
		row(mechanism{typ: r.cbcPad, param: iv, wraps: true, encrypt: mode(cipher.NewCBCEncrypter, true, false), decrypt: mode(cipher.NewCBCDecrypter, true, true)})
		if r.ctr != 0 {
			row(mechanism{typ: r.ctr, param: ctrParam, encrypt: r.ctrTransform, decrypt: r.ctrTransform})
		}
	}
	return all
}

func (r *blockRow) block(u *use) (cipher.Block, error) {
	key, err := u.secret()
	if err != nil {
		return nil, err
	}
	b, err := r.new(key)
	if err != nil {
		return nil, ck.CKR_KEY_SIZE_RANGE
	}
	return b, nil
}

// blocks is a transform in whole blocks, with PKCS #7 padding or without.
type blocks struct {
	mode         cipher.BlockMode
	size         int
	pad, decrypt bool
	rest         []byte // less than a block; when unpadding up to a whole one
}

func (b *blocks) updateLen(n int) int {
	n += len(b.rest)
	if b.pad && b.decrypt && n > 0 {
		n-- // the last block waits for its padding to be seen
	}
	return n - n%b.size
}

func (b *blocks) update(part []byte) ([]byte, error) {
	n := b.updateLen(len(part))
	in := append(b.rest, part...)
	out := make([]byte, n)
	b.mode.CryptBlocks(out, in[:n])
	b.rest = bytes.Clone(in[n:])
	return out, nil
}

func (b *blocks) finalLen(n int) int {
	if !b.pad {
		return 0
	}
	rest := len(b.rest) + n - b.updateLen(n)
	if b.decrypt {
		return rest
	}
	return rest + b.size - rest%b.size
}

func (b *blocks) final() ([]byte, error) {
	switch {
	case !b.pad && len(b.rest) == 0:
		return nil, nil
	case !b.pad && b.decrypt:
		return nil, ck.CKR_ENCRYPTED_DATA_LEN_RANGE
	case !b.pad:
		return nil, ck.CKR_DATA_LEN_RANGE
	case !b.decrypt:
		n := b.size - len(b.rest)
		out := append(b.rest, bytes.Repeat([]byte{byte(n)}, n)...)
		b.mode.CryptBlocks(out, out)
		return out, nil
	case len(b.rest) != b.size:
		return nil, ck.CKR_ENCRYPTED_DATA_LEN_RANGE
	}
	b.mode.CryptBlocks(b.rest, b.rest)
	return unpad(b.rest, b.size)
}

// unpad takes PKCS #7 padding off the last block, in the same time whatever is
// wrong with it.
func unpad(block []byte, size int) ([]byte, error) {
	n := int(block[size-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, size)
	for i := range size {
		isPad := subtle.ConstantTimeLessOrEq(size-i, n)
		good &= subtle.ConstantTimeSelect(isPad, subtle.ConstantTimeByteEq(block[i], byte(n)), 1)
	}
	if good != 1 {
		return nil, ck.CKR_ENCRYPTED_DATA_INVALID
	}
	return block[:size-n], nil
}

// ecb is the electronic codebook as a cipher.BlockMode. The standard library
// leaves it out because it hides no patterns; PKCS #11 callers want it for
// single blocks.
type ecb struct {
	cipher.Block
	crypt func(dst, src []byte)
}

func newECBEncrypter(b cipher.Block, _ []byte) cipher.BlockMode { return ecb{b, b.Encrypt} }
func newECBDecrypter(b cipher.Block, _ []byte) cipher.BlockMode { return ecb{b, b.Decrypt} }

// CryptBlocks is cipher.BlockMode's.
func (e ecb) CryptBlocks(dst, src []byte) {
	for n := e.BlockSize(); len(src) >= n; dst, src = dst[n:], src[n:] {
		e.crypt(dst[:n], src[:n])
	}
}

// A counter is CK_AES_CTR_PARAMS.
type counter struct {
	bits  uint
	block []byte
}

func ctrParam(p Parameter) (any, error) {
	v, ok := p.fields("ux")
	if !ok || v[0] == 0 || v[0] > 128 {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	return counter{uint(v[0]), bytes.Clone(p.Bytes[ck.ULongSize:])}, nil
}

// ctrTransform is CTR mode. The standard library counts over all 128 bits, so
// that a shorter counter may be used until it wraps, which is where it must not
// be used anyway: the key stream would repeat.
func (r *blockRow) ctrTransform(u *use, param any) (transform, error) {
	b, err := r.block(u)
	if err != nil {
		return nil, err
	}
	c := param.(counter)
	s := &stream{Stream: cipher.NewCTR(b, c.block), left: -1}
	if c.bits < 40 {
		var at uint64
		for _, x := range c.block[8:] {
			at = at<<8 | uint64(x)
		}
		mask := uint64(1)<<c.bits - 1
		s.left = int64(mask-at&mask+1) * int64(r.size)
	}
	return s, nil
}

// A stream is a transform that gives a byte for a byte.
type stream struct {
	cipher.Stream
	left int64 // bytes until the counter wraps, negative for no limit
}

func (s *stream) updateLen(n int) int { return n }

func (s *stream) update(part []byte) ([]byte, error) {
	if s.left >= 0 {
		if int64(len(part)) > s.left {
			return nil, ck.CKR_DATA_LEN_RANGE
		}
		s.left -= int64(len(part))
	}
	out := make([]byte, len(part))
	s.XORKeyStream(out, part)
	return out, nil
}

func (s *stream) finalLen(int) int       { return 0 }
func (s *stream) final() ([]byte, error) { return nil, nil }
