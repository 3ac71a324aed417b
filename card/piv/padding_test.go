//lint:file-ignore SA1019 the padding that cards are still used with is tested

package piv

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
	"sync"
	"testing"
)

var paddingKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// bareRSA is what a card does.
func bareRSA(k *rsa.PrivateKey, b []byte) []byte {
	return new(big.Int).Exp(new(big.Int).SetBytes(b), k.D, k.N).FillBytes(make([]byte, k.Size()))
}

// enciphered is a block under the public key.
func enciphered(k *rsa.PrivateKey, b []byte) []byte {
	return new(big.Int).Exp(new(big.Int).SetBytes(b), big.NewInt(int64(k.E)), k.N).FillBytes(make([]byte, k.Size()))
}

// TestPadSigning: every hash with every padding, as the standard library
// verifies it.
func TestPadSigning(t *testing.T) {
	k := paddingKey()
	for h := range digestInfo {
		digest := bytes.Repeat([]byte{0xA5}, 36)
		if h != crypto.MD5SHA1 && h != 0 {
			digest = bytes.Repeat([]byte{0xA5}, h.Size())
		}
		block, err := padPKCS1v15(k.Size(), h, digest)
		ok(t, err)
		if err := rsa.VerifyPKCS1v15(&k.PublicKey, h, digest, bareRSA(k, block)); err != nil {
			t.Errorf("%v: %v", h, err)
		}
		if h == 0 || h == crypto.MD5SHA1 {
			continue
		}
		for _, salt := range []int{rsa.PSSSaltLengthAuto, rsa.PSSSaltLengthEqualsHash, 1} {
			o := &rsa.PSSOptions{Hash: h, SaltLength: salt}
			block, err := padPSS(2048, digest, o, rand.Reader)
			ok(t, err)
			if err := rsa.VerifyPSS(&k.PublicKey, h, digest, bareRSA(k, block), o); err != nil {
				t.Errorf("PSS %v, salt %d: %v", h, salt, err)
			}
		}
	}
	if _, err := padPKCS1v15(64, crypto.SHA512, make([]byte, 64)); !errors.Is(err, rsa.ErrMessageTooLong) {
		t.Error(err)
	}
	if _, err := padPSS(1024, make([]byte, 64), &rsa.PSSOptions{Hash: crypto.SHA512, SaltLength: 64}, rand.Reader); !errors.Is(err, rsa.ErrMessageTooLong) {
		t.Error(err)
	}
	if _, err := padPKCS1v15(256, crypto.BLAKE2b_256, make([]byte, 32)); err == nil {
		t.Error("an undefined hash")
	}
}

// FuzzUnpad: what the standard library deciphers we do, and the reverse.
func FuzzUnpad(f *testing.F) {
	f.Add([]byte{0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0, 'h', 'i'}, 0)
	f.Add([]byte{0, 2, 1, 1, 1, 1, 1, 1, 1, 0, 'h', 'i'}, 2)
	f.Add([]byte{0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 'h', 'i'}, 2)
	f.Add([]byte{0, 2, 1}, 0)
	f.Fuzz(func(t *testing.T, head []byte, fill int) {
		k := paddingKey()
		block := make([]byte, k.Size())
		for i := range block {
			block[i] = byte(1 + (i*fill)&0x7F)
		}
		copy(block, head)
		block[0] = 0 // below the modulus
		want, werr := rsa.DecryptPKCS1v15(nil, k, enciphered(k, block))
		got, err := unpadPKCS1v15(block)
		if (err == nil) != (werr == nil) || !bytes.Equal(got, want) {
			t.Errorf("got %x, %v; want %x, %v", got, err, want, werr)
		}
		want, werr = rsa.DecryptOAEP(sha256.New(), nil, k, enciphered(k, block), head)
		got, err = unpadOAEP(block, crypto.SHA256, crypto.SHA256, head)
		if (err == nil) != (werr == nil) || !bytes.Equal(got, want) {
			t.Errorf("OAEP: got %x, %v; want %x, %v", got, err, want, werr)
		}
	})
}

func TestUnpad(t *testing.T) {
	k := paddingKey()
	for _, msg := range [][]byte{{}, []byte("hello"), bytes.Repeat([]byte{0}, 100), bytes.Repeat([]byte{1}, 190)} {
		for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA512} {
			if len(msg) > k.Size()-2*h.Size()-2 {
				continue
			}
			ct, err := rsa.EncryptOAEPWithOptions(rand.Reader, &k.PublicKey, msg, &rsa.OAEPOptions{Hash: h, MGFHash: crypto.SHA1, Label: msg})
			ok(t, err)
			got, err := unpadOAEP(bareRSA(k, ct), h, crypto.SHA1, msg)
			if err != nil || !bytes.Equal(got, msg) {
				t.Errorf("OAEP %v: %x, %v", h, got, err)
			}
		}
		ct, err := rsa.EncryptPKCS1v15(rand.Reader, &k.PublicKey, msg)
		ok(t, err)
		got, err := unpadPKCS1v15(bareRSA(k, ct))
		if err != nil || !bytes.Equal(got, msg) {
			t.Errorf("%x, %v", got, err)
		}
		// A session key of that length; of another it is random, and no error.
		session, err := sessionKey(bareRSA(k, ct), len(msg), rand.Reader)
		if err != nil || !bytes.Equal(session, msg) {
			t.Errorf("session key %x, %v", session, err)
		}
		session, err = sessionKey(bareRSA(k, ct), 32, rand.Reader)
		if err != nil || len(session) != 32 || bytes.Equal(session, msg) {
			t.Errorf("session key %x, %v", session, err)
		}
	}
}
