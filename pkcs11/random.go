package pkcs11

import (
	"crypto/rand"
	"math/big"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Section 5.20, random number generation.

// GenerateRandom fills buffer from the system's generator. The card's own is not
// asked: none of the cards behind this module is as fast or as well examined.
func (m *Module) GenerateRandom(s session.SessionHandle, buffer []byte) error {
	return m.app.Do(s, func() error {
		_, err := rand.Read(buffer)
		return err
	})
}

// SeedRandom says that the generator takes no seed.
func (m *Module) SeedRandom(s session.SessionHandle, seed []byte) error {
	return m.app.Do(s, func() error { return ck.CKR_RANDOM_SEED_NOT_SUPPORTED })
}

func randomBelow(limit *big.Int) (*big.Int, error) { return rand.Int(rand.Reader, limit) }

func randomBytes(n uint) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, Go 1.24 and later
	return b
}
