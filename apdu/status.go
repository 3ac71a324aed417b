package apdu

import (
	"errors"
	"fmt"
)

// A Status is a status word, SW1-SW2 of ISO 7816-4 section 5.6, and an error
// value: compare it or match it with errors.Is. A Status is never lost on the
// way up: errors.As finds it below every error that came of one.
type Status uint16

// Status words of ISO 7816-4 section 5.6 and SP 800-73-4 part 2 that callers
// tell apart.
const (
	OK                        Status = 0x9000
	ErrVerificationFailed     Status = 0x63C0 // matches every 63Cx: see Retries
	ErrWarningNoInformation   Status = 0x6300
	ErrExecution              Status = 0x6400
	ErrMemoryFailure          Status = 0x6581
	ErrWrongLength            Status = 0x6700
	ErrChainingNotSupported   Status = 0x6884
	ErrSecurityStatus         Status = 0x6982
	ErrAuthMethodBlocked      Status = 0x6983
	ErrConditionsNotSatisfied Status = 0x6985
	ErrCommandNotAllowed      Status = 0x6986
	ErrIncorrectData          Status = 0x6A80
	ErrFunctionNotSupported   Status = 0x6A81
	ErrNotFound               Status = 0x6A82
	ErrRecordNotFound         Status = 0x6A83
	ErrNotEnoughMemory        Status = 0x6A84
	ErrIncorrectP1P2          Status = 0x6A86
	ErrReferenceNotFound      Status = 0x6A88
	ErrWrongP1P2              Status = 0x6B00
	ErrInstruction            Status = 0x6D00
	ErrClass                  Status = 0x6E00
	ErrUnknown                Status = 0x6F00
)

// SW1 returns the first byte.
func (s Status) SW1() byte { return byte(s >> 8) }

// SW2 returns the second byte.
func (s Status) SW2() byte { return byte(s) }

// Retries tells how many tries a 63Cx leaves; ok is false for every other
// status word.
func (s Status) Retries() (n int, ok bool) {
	if s&0xFFF0 != 0x63C0 {
		return 0, false
	}
	return int(s & 0x0F), true
}

// Is matches target exactly, but ErrVerificationFailed matches all of 63Cx.
func (s Status) Is(target error) bool {
	t, ok := target.(Status)
	if !ok {
		return false
	}
	if t == ErrVerificationFailed {
		return s&0xFFF0 == 0x63C0
	}
	return s == t
}

// A Class is what the first byte of a status word says (ISO 7816-4
// section 5.6, table 5).
type Class uint8

// The classes.
const (
	ClassUnknown   Class = iota // not a status word of ISO 7816-4
	ClassOK                     // 9000
	ClassMore                   // 61xx: xx bytes wait for GET RESPONSE
	ClassWarning                // 62xx, 63xx: done, but
	ClassExecution              // 64xx to 66xx: begun and failed
	ClassChecking               // 67xx to 6Fxx: refused
)

var classNames = [...]string{"unknown", "ok", "more data", "warning", "execution error", "checking error"}

func (c Class) String() string { return classNames[c] }

// Class tells what kind of answer the status word is.
func (s Status) Class() Class {
	switch sw1 := s.SW1(); {
	case s == OK:
		return ClassOK
	case sw1 == 0x61:
		return ClassMore
	case sw1 == 0x62 || sw1 == 0x63:
		return ClassWarning
	case sw1 >= 0x64 && sw1 <= 0x66:
		return ClassExecution
	case sw1 >= 0x67 && sw1 <= 0x6F:
		return ClassChecking
	default:
		return ClassUnknown
	}
}

// ParseResponse takes a response APDU apart: its data field, which is a part of b,
// and its status word (ISO 7816-4 section 5.1). ErrNoStatus where there is none.
func ParseResponse(b []byte) (data []byte, s Status, err error) {
	n := len(b) - 2
	if n < 0 {
		return nil, 0, fmt.Errorf("%w: %d bytes", ErrNoStatus, len(b))
	}
	return b[:n:n], Status(b[n])<<8 | Status(b[n+1]), nil
}

// StatusOf finds the status word that err came of.
func StatusOf(err error) (Status, bool) {
	var s Status
	ok := errors.As(err, &s)
	return s, ok
}

// A CommandError is a status word other than 9000 as the answer to a command.
type CommandError struct {
	CLA, INS, P1, P2 byte
	Status           Status
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("%s: %v", instruction(e.CLA, e.INS), e.Status)
}

// Unwrap returns the status word.
func (e *CommandError) Unwrap() error { return e.Status }
