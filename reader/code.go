package reader

import "fmt"

// A Code is what a PC/SC function returned, SCARD_S_SUCCESS aside: an error
// value to match with errors.Is.
type Code uint32

// The codes that this package or its callers tell apart; the values are those
// of pcsclite.h and winerror.h.
const (
	InternalError     Code = 0x80100001
	Cancelled         Code = 0x80100002
	InvalidHandle     Code = 0x80100003
	InvalidParameter  Code = 0x80100004
	NoMemory          Code = 0x80100006
	UnknownReader     Code = 0x80100009
	Timeout           Code = 0x8010000A
	SharingViolation  Code = 0x8010000B
	NoSmartcard       Code = 0x8010000C
	ProtoMismatch     Code = 0x8010000F
	InvalidValue      Code = 0x80100011
	SystemCancelled   Code = 0x80100012
	CommError         Code = 0x80100013
	NotTransacted     Code = 0x80100016
	ReaderUnavailable Code = 0x80100017
	NoService         Code = 0x8010001D
	ServiceStopped    Code = 0x8010001E
	Unsupported       Code = 0x8010001F
	NoReaders         Code = 0x8010002E
	UnsupportedCard   Code = 0x80100065
	UnresponsiveCard  Code = 0x80100066
	UnpoweredCard     Code = 0x80100067
	ResetCard         Code = 0x80100068
	RemovedCard       Code = 0x80100069
	SecurityViolation Code = 0x8010006A
)

var codeTexts = map[Code]struct{ name, text string }{
	InternalError:     {"SCARD_F_INTERNAL_ERROR", "internal error of the PC/SC service"},
	Cancelled:         {"SCARD_E_CANCELLED", "cancelled"},
	InvalidHandle:     {"SCARD_E_INVALID_HANDLE", "the handle is no longer valid"},
	InvalidParameter:  {"SCARD_E_INVALID_PARAMETER", "invalid parameter"},
	NoMemory:          {"SCARD_E_NO_MEMORY", "the PC/SC service is out of memory or handles"},
	UnknownReader:     {"SCARD_E_UNKNOWN_READER", "no such reader"},
	Timeout:           {"SCARD_E_TIMEOUT", "timed out"},
	SharingViolation:  {"SCARD_E_SHARING_VIOLATION", "another program has the card for itself"},
	NoSmartcard:       {"SCARD_E_NO_SMARTCARD", "no card in the reader"},
	ProtoMismatch:     {"SCARD_E_PROTO_MISMATCH", "the card speaks another protocol"},
	InvalidValue:      {"SCARD_E_INVALID_VALUE", "invalid value"},
	SystemCancelled:   {"SCARD_E_SYSTEM_CANCELLED", "cancelled by the system"},
	CommError:         {"SCARD_F_COMM_ERROR", "the PC/SC service does not answer"},
	NotTransacted:     {"SCARD_E_NOT_TRANSACTED", "the exchange with the card failed"},
	ReaderUnavailable: {"SCARD_E_READER_UNAVAILABLE", "the reader is gone"},
	NoService:         {"SCARD_E_NO_SERVICE", "the PC/SC service is not running"},
	ServiceStopped:    {"SCARD_E_SERVICE_STOPPED", "the PC/SC service was stopped"},
	Unsupported:       {"SCARD_E_UNSUPPORTED_FEATURE", "not supported"},
	NoReaders:         {"SCARD_E_NO_READERS_AVAILABLE", "no readers"},
	UnsupportedCard:   {"SCARD_W_UNSUPPORTED_CARD", "the reader cannot speak to this card"},
	UnresponsiveCard:  {"SCARD_W_UNRESPONSIVE_CARD", "the card does not respond to a reset"},
	UnpoweredCard:     {"SCARD_W_UNPOWERED_CARD", "the card has no power"},
	ResetCard:         {"SCARD_W_RESET_CARD", "the card was reset"},
	RemovedCard:       {"SCARD_W_REMOVED_CARD", "the card was removed"},
	SecurityViolation: {"SCARD_W_SECURITY_VIOLATION", "access denied"},
}

// Error gives the meaning, the name and the hex.
func (c Code) Error() string {
	if t, ok := codeTexts[c]; ok {
		return fmt.Sprintf("%s (%s, %08X)", t.text, t.name, uint32(c))
	}
	return fmt.Sprintf("PC/SC error %08X", uint32(c))
}
