package pkcs11

import (
	"context"
	"crypto"

	"cardbridge/card"
	"cardbridge/internal/secret"
)

// A KeySlot is a place for a key on a token, known without asking the card.
type KeySlot struct {
	Ref    card.KeyRef
	ID     byte   // CKA_ID of all that belongs to the key
	Label  string // of the key
	Hidden bool   // shown only when the configuration asks: PIV's attestation key
}

// A DataObject is a data object of a token, known without asking the card.
type DataObject struct {
	Name    string // CKA_LABEL, and what Token.ReadData takes
	OID     []int  // CKA_OBJECT_ID
	Private bool   // reading takes the user's PIN
}

// A Token is one applet on one card, for as long as the card stays inserted.
// Nothing is sent to the card before a method is called. Methods may be called
// from any goroutine; they wait for the card and for nothing else.
type Token interface {
	// Applet tells which applet this is, without asking the card.
	Applet() card.Applet
	// KeySlots lists the places for keys, without asking the card.
	KeySlots() []KeySlot
	// DataObjects lists the data objects that may be there, without asking the
	// card.
	DataObjects() []DataObject

	// Together runs f in one transaction; the methods that f calls with its
	// context take part in it.
	Together(ctx context.Context, f func(context.Context) error) error
	// Identity tells who the card is; card.ErrNoApplet where it has no such
	// applet.
	Identity(ctx context.Context) (card.Identity, error)
	// PINState asks the card how a secret stands, spending no try.
	PINState(ctx context.Context, name card.SecretName) (card.PINState, error)
	// PINLimits are the least and greatest length of the user's PIN.
	PINLimits() (least, greatest int)
	// Keys reads all keys.
	Keys(ctx context.Context) ([]card.KeyInfo, error)
	// Key reads one key; card.ErrNotFound where there is none.
	Key(ctx context.Context, ref card.KeyRef) (card.KeyInfo, error)
	// Certificate reads the certificate beside a key; card.ErrNotFound.
	Certificate(ctx context.Context, ref card.KeyRef) ([]byte, error)
	// ReadData reads a data object; card.ErrNotFound, card.ErrLoginRequired.
	ReadData(ctx context.Context, name string) ([]byte, error)

	// Login proves knowledge of the user's PIN now and keeps it, so that a
	// reset by another program can be mended until Logout. The last try is
	// spent only when asked for.
	Login(ctx context.Context, pin *secret.Secret, spendLastTry bool) error
	Logout(ctx context.Context) error
	// Confirm is Login for an operation that wants the PIN once more. What is
	// known to be right need not be asked again: the operation sends the PIN.
	Confirm(ctx context.Context, pin *secret.Secret, spendLastTry bool) error
	// LoginAdmin proves knowledge of the SO's secret, given as the application
	// gave it to C_Login.
	LoginAdmin(ctx context.Context, pin []byte) error
	LogoutAdmin(ctx context.Context) error

	// PrivateKey is the key itself. With a PIN, that PIN is verified in the
	// same transaction, right before the operation.
	PrivateKey(ctx context.Context, info card.KeyInfo, pin *secret.Secret, spendLastTry bool) card.PrivateKey

	// Close forgets what was kept. A card that is not gone forgets as well what
	// was proven to it and not taken back by a logout: whoever uses it next is to
	// prove it anew.
	Close(gone bool) error
}

// A PadToken is a Token that may be in a reader with a PIN pad.
type PadToken interface {
	Token
	// PINPad tells whether the reader takes a PIN on its own keys, without
	// asking the card.
	PINPad(ctx context.Context) (bool, error)
	// LoginOnPad is Login with a PIN typed there. It is not known here, so that
	// nothing can be mended with it.
	LoginOnPad(ctx context.Context, spendLastTry bool) error
	// ChangePINOnPad is AdminToken's ChangePIN with both PINs typed there.
	ChangePINOnPad(ctx context.Context, spendLastTry bool) error
	// UnblockPINOnPad is AdminToken's UnblockPIN with the new PIN typed there, and
	// what allows it as well if typePUK, else that which LoginAdmin was given.
	UnblockPINOnPad(ctx context.Context, typePUK bool) error
	// PrivateKeyOnPad is PrivateKey with a PIN typed there for each operation.
	PrivateKeyOnPad(ctx context.Context, info card.KeyInfo, spendLastTry bool) card.PrivateKey
}

// An AdminToken is a Token that can be written to. Its methods need
// Token.LoginAdmin unless they say otherwise.
type AdminToken interface {
	Token
	Generate(ctx context.Context, ref card.KeyRef, alg card.Algorithm, policy Policy) (card.KeyInfo, error)
	Import(ctx context.Context, ref card.KeyRef, key crypto.PrivateKey, policy Policy) (card.KeyInfo, error)
	DeleteKey(ctx context.Context, ref card.KeyRef) error
	PutCertificate(ctx context.Context, ref card.KeyRef, der []byte) error
	DeleteCertificate(ctx context.Context, ref card.KeyRef) error
	WriteData(ctx context.Context, name string, value []byte) error
	DeleteData(ctx context.Context, name string) error
	// ChangePIN changes the user's PIN, with the old one as its only condition.
	ChangePIN(ctx context.Context, old, replacement *secret.Secret, spendLastTry bool) error
	// ChangeAdmin changes the SO's secret. The old one is proven first.
	ChangeAdmin(ctx context.Context, old, replacement []byte) error
	// UnblockPIN sets the user's PIN with the secret that may do so; nil for the
	// one that LoginAdmin was given.
	UnblockPIN(ctx context.Context, puk, replacement *secret.Secret) error
	// ProveAdmin is LoginAdmin with a secret that the card checks now.
	ProveAdmin(ctx context.Context, pin []byte) error
	// Reset makes the applet as it left the factory. No login is needed.
	Reset(ctx context.Context) error
}

// A Policy is what a new key is to demand; empty fields leave it to the card.
type Policy struct {
	PIN   card.PINPolicy
	Touch card.TouchPolicy
}

// A Slot is a reader as one applet sees it.
type Slot struct {
	Reader string // CK_SLOT_INFO.slotDescription
	Applet card.Applet
}

// A SlotEvent says that a slot came, or that its token came or went.
type SlotEvent struct {
	Slot  Slot
	Token Token // nil: no token there now
}

// A Source tells of slots and tokens.
type Source interface {
	// Watch calls deliver for every slot that is there, then calls ready, and
	// then delivers what changes, in order, until ctx is done. deliver never
	// waits for a card.
	Watch(ctx context.Context, deliver func(SlotEvent), ready func()) error
}
