package softcard

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"crypto/subtle"
)

// Algorithms of the management key, SP 800-78-4 table 6-2; 00 is another name of 03.
const (
	adminTDES   = 0x03
	adminAES128 = 0x08
	adminAES192 = 0x0A
	adminAES256 = 0x0C
)

// defaultAdminKey is what the field's cards come with, as 3DES and as AES-192.
var defaultAdminKey = bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 3)

// adminCipher is the block cipher of a management key, if the key fits the algorithm.
func adminCipher(algorithm byte, key []byte) (cipher.Block, bool) {
	length := map[byte]int{adminTDES: 24, adminAES128: 16, adminAES192: 24, adminAES256: 32}[algorithm]
	if length == 0 || len(key) != length {
		return nil, false
	}
	newCipher := aes.NewCipher
	if algorithm == adminTDES {
		newCipher = des.NewTripleDESCipher
	}
	block, err := newCipher(key)
	return block, err == nil
}

// An adminAuth is an authentication with the management key half done: what the card sent out in its first step and now wants
// to see again, in the clear (a witness, of mutual authentication) or enciphered (a challenge).
type adminAuth struct {
	witness, challenge []byte
}

// authenticateAdmin is GENERAL AUTHENTICATE with key reference 9B: §3.2.4 and appendix A.1. The presence and emptiness of the
// witness (80), challenge (81) and response (82) say which step it is.
func (r *request) authenticateAdmin(template []tlv) ([]byte, uint16) {
	algorithm := r.cmd.p1
	if algorithm == 0 {
		algorithm = adminTDES
	}
	key := r.state().Admin
	if algorithm != key.Algorithm {
		return nil, swBadP1P2
	}
	block, _ := adminCipher(key.Algorithm, key.Key)
	before := r.power().auth
	r.power().auth = adminAuth{}

	witness, hasWitness := find(template, 0x80)
	challenge, hasChallenge := find(template, 0x81)
	response, hasResponse := find(template, 0x82)
	size := block.BlockSize()
	switch {
	case hasWitness && len(witness) == 0: // mutual, first step: prove that you can decipher this
		secret := randomBytes(size)
		r.power().auth.witness = secret
		return makeTLV(0x7C, makeTLV(0x80, encipher(block, secret))), swOK
	case hasWitness && hasChallenge: // mutual, second step: the proof, and a challenge for the card
		if len(challenge) != size {
			return nil, swBadData
		}
		if sw := r.admit(before.witness, witness, key.Touch); sw != swOK {
			return nil, sw
		}
		return makeTLV(0x7C, makeTLV(0x82, encipher(block, challenge))), swOK
	case hasChallenge && len(challenge) == 0: // single, first step: encipher this
		r.power().auth.challenge = randomBytes(size)
		return makeTLV(0x7C, makeTLV(0x81, r.power().auth.challenge)), swOK
	case hasResponse && len(response) > 0 && !hasChallenge: // single, second step
		var want []byte
		if before.challenge != nil {
			want = encipher(block, before.challenge)
		}
		return nil, r.admit(want, response, key.Touch)
	}
	return nil, swBadData
}

// admit sets the security status of the management key by what was expected and what came.
func (r *request) admit(want, got []byte, touch byte) uint16 {
	r.power().admin = false
	if want == nil {
		return swConditions // there was no first step
	}
	if subtle.ConstantTimeCompare(want, got) != 1 || !r.card.touched(r.ctx, touch) {
		return swSecurity
	}
	r.power().admin = true
	return swOK
}

func encipher(block cipher.Block, b []byte) []byte {
	out := make([]byte, block.BlockSize())
	block.Encrypt(out, b)
	return out
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return b
}

// setAdminKey is SET MANAGEMENT KEY, Yubico: P2 tells the touch policy; then algorithm, 9B, length, key.
func setAdminKey(r *request) ([]byte, uint16) {
	touch, ok := map[byte]byte{0xFF: touchNever, 0xFE: touchAlways, 0xFD: touchCached}[r.cmd.p2]
	if r.cmd.p1 != 0xFF || !ok || touch != touchNever && !r.personality().has(featPolicies) {
		return nil, swBadP1P2
	}
	d := r.cmd.data
	if len(d) < 3 || d[1] != refAdmin || int(d[2]) != len(d)-3 || !r.personality().canAdminister(d[0]) {
		return nil, swBadData
	}
	if _, ok := adminCipher(d[0], d[3:]); !ok {
		return nil, swBadData
	}
	r.change(func(s *state) bool {
		s.Admin = adminKey{d[0], bytes.Clone(d[3:]), touch}
		return true
	})
	return nil, swOK
}
