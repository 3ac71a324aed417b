package card

import (
	"errors"
	"fmt"
)

// Errors a caller tells apart with errors.Is. The messages that people read
// are made by the applets, which wrap these and the status word.
var (
	ErrNotFound          = errors.New("not on the card")
	ErrNoApplet          = errors.New("the card has no such applet")
	ErrWithheld          = errors.New("the card refuses this to this reader; many allow it over their contacts only")
	ErrUnsupported       = errors.New("the card cannot do this")
	ErrLoginRequired     = errors.New("PIN required")
	ErrAdminRequired     = errors.New("management key required")
	ErrTouchTimeout      = errors.New("not touched in time")
	ErrWrongKey          = errors.New("wrong key type for this operation")
	ErrAmbiguous         = errors.New("more than one card")
	ErrInvalidAnswer     = errors.New("the card's answer makes no sense")
	ErrInterruptedWrite  = errors.New("the write was interrupted")
	ErrNotEntered        = errors.New("no PIN was typed on the reader")
	ErrRefusedBefore     = errors.New("the card refused this PIN before; not sent again")
	ErrLastTry           = errors.New("only one try is left; not spent")
	ErrWrongSecretFormat = errors.New("cannot be right for this card; not sent")
)

// A WrongPIN says that the card refused a PIN, and how many tries are left.
type WrongPIN struct {
	Name  SecretName
	Tries int // -1 where the card does not tell
	Err   error
}

func (e *WrongPIN) Error() string {
	switch {
	case e.Tries < 0:
		return fmt.Sprintf("wrong %s", e.Name)
	case e.Tries == 1:
		return fmt.Sprintf("wrong %s, 1 try left", e.Name)
	default:
		return fmt.Sprintf("wrong %s, %d tries left", e.Name, e.Tries)
	}
}

// Unwrap returns the status word.
func (e *WrongPIN) Unwrap() error { return e.Err }

// A NotTaken says that a card refused a new PIN or PUK for what it is made of, and
// has the old one. It is ErrWrongSecretFormat, though of one that was sent.
type NotTaken struct {
	Name SecretName
	Err  error
}

func (e *NotTaken) Error() string {
	return fmt.Sprintf("the card takes no such %s, perhaps as it is too simple; nothing was changed", e.Name)
}

// Unwrap returns ErrWrongSecretFormat and the status word.
func (e *NotTaken) Unwrap() []error { return []error{ErrWrongSecretFormat, e.Err} }

// A Blocked says that a secret has no tries left.
type Blocked struct {
	Name   SecretName
	Global bool // as in PINState
	Err    error
}

func (e *Blocked) Error() string {
	if e.Global {
		return fmt.Sprintf("the card's global %s is blocked", e.Name)
	}
	return fmt.Sprintf("the %s is blocked", e.Name)
}

// Unwrap returns the status word.
func (e *Blocked) Unwrap() error { return e.Err }
