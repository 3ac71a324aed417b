package piv

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/internal/secret"
)

var errTodo = errors.New("piv: not yet")

// A Card is the PIV applet of one card.
type Card struct {
	onTouch func(card.KeyInfo)
	roots   []*x509.Certificate
}

// Open returns the PIV applet behind conn. It sends nothing.
func Open(conn card.Conn, opts ...Option) *Card {
	c := &Card{}
	for _, o := range opts {
		o(c)
	}
	return c
}

// Close wipes what Login and LoginAdmin kept. The connection stays the
// caller's.
func (c *Card) Close() error { return nil }

// Together runs f in one transaction: each method of c that f calls with the
// context it is given takes part in it. f must not prompt, sleep or wait.
func (c *Card) Together(ctx context.Context, f func(context.Context) error) error { return errTodo }

// Probe selects the applet; card.ErrNoApplet where there is none.
func (c *Card) Probe(ctx context.Context) error { return errTodo }

// Identity tells who the card is.
func (c *Card) Identity(ctx context.Context) (card.Identity, error) {
	return card.Identity{}, errTodo
}

// Keys returns all keys that can be found.
func (c *Card) Keys(ctx context.Context) ([]card.KeyInfo, error) { return nil, errTodo }

// Key returns one key, in the fewest APDUs; card.ErrNotFound where there is none.
func (c *Card) Key(ctx context.Context, ref card.KeyRef) (card.KeyInfo, error) {
	return card.KeyInfo{}, errTodo
}

// Certificate returns the slot's certificate in DER; card.ErrNotFound where there is none.
func (c *Card) Certificate(ctx context.Context, ref card.KeyRef) ([]byte, error) {
	return nil, errTodo
}

// PutCertificate stores a certificate; management key.
func (c *Card) PutCertificate(ctx context.Context, ref card.KeyRef, der []byte, o PutCertificateOptions) error {
	return errTodo
}

// DeleteCertificate removes a slot's certificate; management key.
func (c *Card) DeleteCertificate(ctx context.Context, ref card.KeyRef) error { return errTodo }

// PINState tells what the card tells of a PIN or PUK without spending a try.
func (c *Card) PINState(ctx context.Context, name card.SecretName) (card.PINState, error) {
	return card.PINState{}, errTodo
}

// Login verifies the PIN now and keeps it, in locked memory, until Logout.
func (c *Card) Login(ctx context.Context, pin *secret.Secret, o LoginOptions) error { return errTodo }

// Logout forgets the PIN, here and on the card.
func (c *Card) Logout(ctx context.Context) error { return errTodo }

// LoginAdmin authenticates with the management key; nil takes the
// PIN-protected or PIN-derived one, after Login.
func (c *Card) LoginAdmin(ctx context.Context, key *secret.Secret) error { return errTodo }

// LogoutAdmin forgets the management key, here and on the card.
func (c *Card) LogoutAdmin(ctx context.Context) error { return errTodo }

// PrivateKey returns the key as crypto.Signer, crypto.Decrypter and ECDH. ctx
// bounds its operations. An info with nothing but Ref is completed when used.
func (c *Card) PrivateKey(ctx context.Context, info card.KeyInfo, o UseOptions) card.PrivateKey {
	return nil
}

// ChangePIN changes the PIN or PUK.
func (c *Card) ChangePIN(ctx context.Context, name card.SecretName, old, new *secret.Secret, o LoginOptions) error {
	return errTodo
}

// UnblockPIN sets a new PIN with the PUK.
func (c *Card) UnblockPIN(ctx context.Context, puk, newPIN *secret.Secret, o LoginOptions) error {
	return errTodo
}

// SetRetries sets the tries of PIN and PUK, and both to their factory values;
// management key and PIN.
func (c *Card) SetRetries(ctx context.Context, pin, puk int) error { return errTodo }

// Generate makes a key on the card; management key.
func (c *Card) Generate(ctx context.Context, ref card.KeyRef, o GenerateOptions) (card.KeyInfo, error) {
	return card.KeyInfo{}, errTodo
}

// Import puts a key on the card; management key.
func (c *Card) Import(ctx context.Context, ref card.KeyRef, key crypto.PrivateKey, o ImportOptions) (card.KeyInfo, error) {
	return card.KeyInfo{}, errTodo
}

// DeleteKey destroys a key; management key.
func (c *Card) DeleteKey(ctx context.Context, ref card.KeyRef) error { return errTodo }

// MoveKey moves a key to another slot; management key.
func (c *Card) MoveKey(ctx context.Context, from, to card.KeyRef) error { return errTodo }

// Attest returns the card's certificate, in DER, that the key was made on it.
func (c *Card) Attest(ctx context.Context, ref card.KeyRef) ([]byte, error) { return nil, errTodo }

// ReadObject returns what is inside a data object's tag 53 (or the whole of
// objects 7E and 7F61); card.ErrNotFound where there is none.
func (c *Card) ReadObject(ctx context.Context, tag Tag) ([]byte, error) { return nil, errTodo }

// WriteObject stores a data object; management key.
func (c *Card) WriteObject(ctx context.Context, tag Tag, value []byte) error { return errTodo }

// DeleteObject empties a data object; management key.
func (c *Card) DeleteObject(ctx context.Context, tag Tag) error { return errTodo }

// ManagementKey tells what the card tells of its management key.
func (c *Card) ManagementKey(ctx context.Context) (ManagementKeyInfo, error) {
	return ManagementKeyInfo{}, errTodo
}

// SetManagementKey replaces the management key; management key.
func (c *Card) SetManagementKey(ctx context.Context, alg ManagementAlgorithm, key *secret.Secret, o ManagementKeyOptions) error {
	return errTodo
}

// Reset makes the card as from the factory: all keys, certificates and PINs.
func (c *Card) Reset(ctx context.Context) error { return errTodo }

// Random returns n bytes of the card's random numbers.
func (c *Card) Random(ctx context.Context, n int) ([]byte, error) { return nil, errTodo }

// Raw sends a command as it is, the applet selected, and returns its answer.
func (c *Card) Raw(ctx context.Context, cmd apdu.Command) ([]byte, error) { return nil, errTodo }

// A Tag names a data object.
type Tag uint32

// A Slot is where a PIV key lives.
type Slot struct {
	Ref       card.KeyRef
	Key       byte // key reference of SP 800-73-4 part 1 table 4b
	ID        byte // CKA_ID
	Name      string
	Object    Tag // its certificate
	PINPolicy card.PINPolicy
	Retired   bool
}

// Slots returns the table of slots.
func Slots() []Slot { return nil }

// SlotByRef finds a slot by its reference ("9a", "9A", "0x9a") or name ("authentication").
func SlotByRef(name string) (Slot, bool) { return Slot{}, false }

// An Object is a data object that is known.
type Object struct {
	Tag   Tag
	Name  string // what the command line takes: "chuid"
	Label string // what the standard calls it
	PIN   bool   // reading it needs the PIN
	Slot  card.KeyRef
}

// Objects returns the table of data objects.
func Objects() []Object { return nil }

// A ManagementAlgorithm is a kind of management key.
type ManagementAlgorithm string

// The management key algorithms.
const (
	TripleDES ManagementAlgorithm = "3DES"
	AES128    ManagementAlgorithm = "AES-128"
	AES192    ManagementAlgorithm = "AES-192"
	AES256    ManagementAlgorithm = "AES-256"
)

// ManagementKeyInfo is what a card tells of its management key.
type ManagementKeyInfo struct {
	Algorithm   ManagementAlgorithm
	TouchPolicy card.TouchPolicy
	Default     bool // factory value
	Protected   bool // on the card behind the PIN
	Derived     bool // from the PIN, with a salt on the card
}

// An Attestation is what a verified attestation certificate says.
type Attestation struct {
	Serial      string
	Version     card.Version
	Ref         card.KeyRef
	PINPolicy   card.PINPolicy
	TouchPolicy card.TouchPolicy
	FormFactor  string
	FIPS, CSPN  bool
	Public      crypto.PublicKey
	Chain       []*x509.Certificate // attestation, intermediates, root
}

// VerifyAttestation checks a key's attestation and the card's own attestation
// certificate (slot F9) against Yubico's roots and those of WithAttestationRoots.
func (c *Card) VerifyAttestation(attestation, device []byte) (*Attestation, error) {
	return nil, errTodo
}

// Decode reads a data object's value as the struct of its kind (*CHUID, *CCC, ...).
func Decode(tag Tag, value []byte) (any, error) { return nil, errTodo }
