package reader

import (
	"context"
	"time"
)

// A service hands out PC/SC contexts. These interfaces are all that this
// package asks of PC/SC, with the semantics of the functions that they are
// named after; every error is a [Code].
type service interface {
	// Establish is SCardEstablishContext with system scope.
	Establish() (session, error)
	// Await returns when it may be worth while to try Establish again after it
	// failed, or when ctx ends.
	Await(ctx context.Context)
}

type session interface {
	Release() error
	// Cancel makes GetStatusChange return Cancelled; it alone may be called
	// while another call on the session is under way. It does nothing when
	// nothing waits yet.
	Cancel() error
	ListReaders() ([]string, error)
	// GetStatusChange fills in Event and ATR; a negative timeout waits for
	// ever.
	GetStatusChange(states []readerState, timeout time.Duration) error
	// Connect connects in shared or, for a reader without a card, direct mode.
	Connect(reader string, mode shareMode, protocols protocol) (handle, error)
}

type handle interface {
	Protocol() protocol
	Reconnect() error // shared, any protocol, leaving the card as it is
	Reset() error     // SCardReconnect with SCARD_RESET_CARD
	Begin() error
	End() error
	Status() (atr []byte, err error)
	Transmit(command []byte) ([]byte, error)
	Control(code uint32, in []byte) ([]byte, error)
	Attribute(id uint32) ([]byte, error)
	Disconnect() error
}

// A readerState is SCARD_READERSTATE.
type readerState struct {
	Reader         string
	Current, Event stateFlag
	ATR            []byte
}

// A stateFlag is dwCurrentState or dwEventState; its upper 16 bits count the
// insertions and removals in the reader.
type stateFlag uint32

const (
	stateChanged     stateFlag = 0x0002
	stateUnknown     stateFlag = 0x0004
	stateUnavailable stateFlag = 0x0008
	stateEmpty       stateFlag = 0x0010
	statePresent     stateFlag = 0x0020
	stateExclusive   stateFlag = 0x0080
	stateInUse       stateFlag = 0x0100
	stateMute        stateFlag = 0x0200
)

func (f stateFlag) counter() uint16 { return uint16(f >> 16) }

type shareMode uint32

const (
	shareShared shareMode = 2
	shareDirect shareMode = 3
)

type protocol uint32

const (
	protocolNone protocol = 0
	protocolT0   protocol = 1
	protocolT1   protocol = 2
	protocolAny           = protocolT0 | protocolT1
)

// pnpReader is the reader whose state changes when readers come and go.
const pnpReader = `\\?PnP?\Notification`
