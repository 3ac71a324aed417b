package pkcs11

import (
	"crypto/subtle"
	"hash"

	"cardbridge/internal/secret"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// maxCollected bounds what an operation keeps that needs all of its input at
// once.
const maxCollected = 64 << 20

// An absorber takes the parts of a message: through a hash, or as they are.
type absorber struct {
	hash  hash.Hash // nil: parts are collected
	data  []byte
	limit int // of data; 0 for maxCollected
}

func (a *absorber) update(part []byte) error {
	if a.hash != nil {
		a.hash.Write(part)
		return nil
	}
	limit := a.limit
	if limit == 0 {
		limit = maxCollected
	}
	if len(a.data)+len(part) > limit {
		return ck.CKR_DATA_LEN_RANGE
	}
	a.data = append(a.data, part...)
	return nil
}

// input is the digest or the collected message.
func (a *absorber) input() []byte {
	if a.hash != nil {
		return a.hash.Sum(nil)
	}
	return a.data
}

// A signing makes one signature or MAC of size bytes.
type signing struct {
	absorber
	size   int
	finish func(input []byte) ([]byte, error)
}

// A verifying checks one signature or MAC.
type verifying struct {
	absorber
	size   int // of a signature; 0 where it may vary
	finish func(input, signature []byte) error
}

// verifyMAC makes a verifying of a MAC's signing.
func verifyMAC(s *signing) *verifying {
	return &verifying{absorber: s.absorber, size: s.size, finish: func(input, mac []byte) error {
		want, err := s.finish(input)
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(want, mac) != 1 {
			return ck.CKR_SIGNATURE_INVALID
		}
		return nil
	}}
}

// A recovery returns the message that a signature holds.
type recovery func(signature []byte) ([]byte, error)

// A transform encrypts or decrypts.
type transform interface {
	// update takes a part and returns just updateLen bytes.
	update(part []byte) ([]byte, error)
	updateLen(n int) int
	// final returns the rest, finalLen bytes at most after n more bytes of
	// input.
	final() ([]byte, error)
	finalLen(n int) int
}

// An operation is the state of an active operation in a session.
type operation struct {
	use       *use
	mechanism *mechanism
	hash      hash.Hash
	signing   *signing
	verifying *verifying
	recovery  recovery
	transform transform
	messages  messages

	parts     bool   // an Update came
	held      []byte // a result that waits for a large enough buffer
	isHeld    bool
	signature []byte // of C_VerifySignatureInit
	param     any    // of the Init of a message-based operation
	partial   *partial
}

// A cardOperation is an operation on a card's key: it takes the PIN of a
// context-specific login itself, because the PIN has to be verified in the
// operation's own transaction. A PIN that is not the one the user logged in with
// is checked now as well: a wrong PIN is C_Login's to tell.
type cardOperation struct{ operation }

// Authorize is C_Login with CKU_CONTEXT_SPECIFIC.
func (o *cardOperation) Authorize(pin []byte) error {
	if pin == nil {
		// Typed on the reader's keys, when the operation comes.
		_, err := o.use.key.tok.padToken(o.use.ctx)
		o.use.onPad = err == nil
		return err
	}
	s := secret.New(append([]byte(nil), pin...))
	if err := o.use.key.tok.verify(o.use.ctx, s); err != nil {
		s.Wipe()
		return err
	}
	o.use.forget()
	o.use.pin, o.use.onPad = s, false
	return nil
}

// End is package session's: the operation is over, or cancelled, or its session,
// login, card or application went. Its PIN goes with it.
func (o *cardOperation) End() { o.use.forget() }

var (
	_ session.Authorizer = (*cardOperation)(nil)
	_ session.Ender      = (*cardOperation)(nil)
)

// forget wipes the context-specific PIN.
func (u *use) forget() {
	if u.pin != nil {
		u.pin.Wipe()
		u.pin = nil
	}
}

// state is what package session keeps for an operation.
func (o *operation) state() any {
	if o.use.key != nil && o.use.key.tok != nil {
		return &cardOperation{*o}
	}
	return o
}

// operationOf undoes state.
func operationOf(state any) *operation {
	switch o := state.(type) {
	case *operation:
		return o
	case *cardOperation:
		return &o.operation
	}
	return nil
}
