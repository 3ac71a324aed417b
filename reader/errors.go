package reader

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"cardbridge/apdu"
)

// An Error says what could not be done with which reader, and why.
type Error struct {
	Doing  string // "connect to the card", without the reader
	Reader string
	// Err is a Code, or the error of this package that says why.
	Err error
	// Wire is the apdu error that this one matches, nil for none.
	Wire error
	// Advice is what to do next, "" where that is plain.
	Advice string
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "reader %q: %s: %v", e.Reader, e.Doing, e.Err)
	if e.Advice != "" {
		b.WriteString("; " + e.Advice)
	}
	return b.String()
}

// Unwrap lets errors.Is find both the Code and the apdu error.
func (e *Error) Unwrap() []error {
	if e.Wire == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Wire}
}

var errNoCgo = errors.New("this build cannot speak PC/SC: it was made without cgo")

// ErrService: the PC/SC service cannot be used; see Diagnose for why.
var ErrService = errors.New("no PC/SC service")

// A ServiceError says why the PC/SC service cannot be used and how to start it.
// It matches ErrService.
type ServiceError struct{ Err error }

func (e *ServiceError) Error() string {
	return fmt.Sprintf("%v; %s", e.Err, serviceAdvice(e.Err))
}

// Unwrap returns the Code and ErrService.
func (e *ServiceError) Unwrap() []error { return []error{e.Err, ErrService} }

func serviceAdvice(err error) string {
	switch {
	case errors.Is(err, errNoCgo):
		return "build it with CGO_ENABLED=1 and libpcsclite-dev installed, or use a software card (softcard:PATH)"
	case errors.Is(err, SecurityViolation):
		return "polkit lets only users at the machine itself use cards: work there, or allow org.debian.pcsc-lite.access_pcsc to this user"
	}
	switch runtime.GOOS {
	case "windows":
		return "start it with: sc start SCardSvr (Windows stops it when no reader is connected)"
	case "linux":
		return startAdvice()
	default:
		return "connect a reader and try again"
	}
}

// ErrBusy: another program keeps the card to itself.
var ErrBusy = errors.New("card is in use")

// A BusyError says that another program kept the card to itself for all the
// time that was waited for it. It matches ErrBusy.
type BusyError struct {
	Reader string
	Waited time.Duration
	// Exclusive: the other program connected exclusively; else it is in a
	// transaction.
	Exclusive bool
	// Holders are the programs that are connected to the PC/SC service, other
	// than this one: one of them has the card. Empty where the system does not
	// tell.
	Holders []Process
}

func (e *BusyError) Error() string {
	how := "another program is busy with the card"
	if e.Exclusive {
		how = "another program has the card for itself"
	}
	msg := fmt.Sprintf("reader %q: %s%s (waited %v)", e.Reader, how, named(e.Holders), e.Waited)
	if hasScdaemon(e.Holders) {
		msg += "; end it with: " + endScdaemon
	}
	return msg
}

// Unwrap returns the Code and ErrBusy.
func (e *BusyError) Unwrap() []error { return []error{SharingViolation, ErrBusy} }

// ErrClosed: the Conn was closed.
var ErrClosed = errors.New("connection closed")

// A Process is a program that runs.
type Process struct {
	PID  int
	Name string
}

func (p Process) String() string { return fmt.Sprintf("%s (process %d)", p.Name, p.PID) }

// named is the end of a sentence about one of several programs.
func named(p []Process) string {
	if len(p) == 0 {
		return ""
	}
	names := make([]string, len(p))
	for i := range p {
		names[i] = p[i].String()
	}
	return ": " + strings.Join(names, " or ")
}

// endScdaemon ends GnuPG's, which is known for keeping cards to itself.
const endScdaemon = "gpgconf --kill scdaemon"

func hasScdaemon(p []Process) bool {
	return slices.ContainsFunc(p, func(p Process) bool { return p.Name == "scdaemon" })
}

// lost tells whether err means that the context is of no more use: the service
// ended, or was started anew.
func lost(err error) bool {
	return isCode(err, NoService, ServiceStopped, CommError, InvalidHandle, SystemCancelled, InternalError)
}

// gone tells whether err means that the card or the reader is not there.
// InvalidValue is pcsc-lite's answer for a handle whose reader has gone.
func gone(err error) bool {
	return isCode(err, RemovedCard, NoSmartcard, ReaderUnavailable, UnknownReader, NoReaders, InvalidValue)
}

func isCode(err error, codes ...Code) bool {
	var c Code
	return errors.As(err, &c) && slices.Contains(codes, c)
}

// wire is the apdu error for what PC/SC said in the middle of a transaction.
func wire(err error) error {
	switch {
	case gone(err):
		return apdu.ErrRemoved
	case isCode(err, ResetCard, ProtoMismatch), lost(err):
		// pcscd has no protocol for a card that another program is just
		// resetting. With the service went the power of the card, or at least its session.
		return apdu.ErrReset
	default:
		return apdu.ErrNoAnswer
	}
}
