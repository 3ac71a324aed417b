package pkcs11

import (
	"crypto"
	"crypto/ecdh"
	"errors"
	"io"
	"time"

	"cardbridge/apdu"
)

// noticeTime bounds how long a call waits for the monitor to notice what the
// call has noticed.
const noticeTime = 500 * time.Millisecond

// noticed returns err. Where it says that the card is gone, it waits until the
// monitor says so too, so that a caller who was told finds the sessions closed
// (S20) and not still open for a moment.
func (t *token) noticed(err error) error {
	if errors.Is(err, apdu.ErrRemoved) {
		select {
		case <-t.ctx.Done():
		case <-time.After(noticeTime):
		}
	}
	return err
}

// A watchedKey is a card's key whose errors are noticed, and what its use did to
// the state of the PIN.
type watchedKey struct {
	privateKey
	t   *token
	pin bool // each use verifies a PIN
}

// used returns err of a use. A PIN was verified where the key asks for it each
// time, and perhaps where the use failed: the kept one, after a reset, may be
// the right one no longer.
func (k watchedKey) used(err error) error {
	if k.pin || err != nil {
		k.t.pinUsed(err == nil)
	}
	return k.t.noticed(err)
}

// Sign is crypto.Signer's.
func (k watchedKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	b, err := k.privateKey.Sign(rand, digest, opts)
	return b, k.used(err)
}

// Decrypt is crypto.Decrypter's.
func (k watchedKey) Decrypt(rand io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	b, err := k.privateKey.Decrypt(rand, msg, opts)
	return b, k.used(err)
}

// ECDH is the shared secret with peer.
func (k watchedKey) ECDH(peer *ecdh.PublicKey) ([]byte, error) {
	b, err := k.privateKey.ECDH(peer)
	return b, k.used(err)
}

// RSA is the bare private-key operation.
func (k watchedKey) RSA(block []byte) ([]byte, error) {
	b, err := k.privateKey.RSA(block)
	return b, k.used(err)
}
