package piv

import (
	"errors"

	"cardbridge/card"
	"cardbridge/internal/secret"
)

// An Option changes what [Open] makes.
type Option func(*Card)

// WithTouch has f called, from another goroutine, when a key waits for a touch:
// at once where its touch policy says so, after a moment without an answer
// where it is unknown. f must not use the Card.
func WithTouch(f func(card.KeyInfo)) Option { return func(c *Card) { c.onTouch = f } }

// WithAnyPIN sends PINs of other characters than digits to every card that is
// not known to refuse them. Without it, cards of which no more is known than
// that they are PIV get none: the standard has digits only, and the card may
// take others for a wrong PIN, which costs a try.
func WithAnyPIN() Option { return func(c *Card) { c.anyPIN = true } }

// ErrDigitsOnly says that a PIN was not sent because the standard has PINs of
// digits only and nothing is known of the card; see [WithAnyPIN].
var ErrDigitsOnly = errors.New("a PIN has digits only (SP 800-73-4), unless the card is known to take others")

// LoginOptions change what an operation that takes a PIN dares.
type LoginOptions struct {
	// SpendLastTry sends the PIN even when only one try is left.
	SpendLastTry bool
}

// UseOptions say how a private key gets its PIN.
type UseOptions struct {
	// PIN is verified in the transaction of each operation, right before it.
	// Keys with PIN policy "always" need it; nil uses what Login verified. It
	// stays the caller's, who wipes it.
	PIN *secret.Secret
	// Pad has the PIN typed on the reader's keys in its place.
	Pad          bool
	SpendLastTry bool
}

// GenerateOptions say what key is made. Policies left unknown are the card's
// defaults; others need a card with the Yubico extensions.
type GenerateOptions struct {
	Algorithm   card.Algorithm
	PINPolicy   card.PINPolicy
	TouchPolicy card.TouchPolicy
	// AllowWeak makes RSA-1024 keys too, which nobody should.
	AllowWeak bool
}

// ImportOptions say how an imported key may be used, as GenerateOptions do.
type ImportOptions struct {
	PINPolicy   card.PINPolicy
	TouchPolicy card.TouchPolicy
	AllowWeak   bool // RSA-1024
}

// PutCertificateOptions change how a certificate is stored.
type PutCertificateOptions struct {
	// Compress stores it with gzip (SP 800-73-4 part 1, CertInfo bit 1).
	Compress bool
}

// ManagementKeyOptions change how a new management key is kept.
type ManagementKeyOptions struct {
	// Touch wants a touch for each authentication (Yubico).
	Touch bool
	// Protect stores the key on the card behind the PIN, as ykman does; it
	// needs Login.
	Protect bool
}
