//go:build cgo || windows

package reader

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/ebfe/scard"
)

// newService is the real PC/SC.
func newService() service { return scardService{} }

type scardService struct{}

func (scardService) Establish() (session, error) {
	ctx, err := scard.EstablishContext()
	if err != nil {
		return nil, code(err)
	}
	return &scardSession{ctx: ctx, pin: takePin()}, nil
}

func (scardService) Await(ctx context.Context) { awaitService(ctx) }

type scardSession struct {
	ctx *scard.Context
	pin int
}

func (s *scardSession) Release() error {
	defer givePin(s.pin)
	return code(s.ctx.Release())
}

func (s *scardSession) Cancel() error { return code(s.ctx.Cancel()) }

func (s *scardSession) ListReaders() ([]string, error) {
	names, err := s.ctx.ListReaders()
	if err := code(err); err != nil {
		if errors.Is(err, NoReaders) {
			return nil, nil
		}
		return nil, err
	}
	return names, nil
}

func (s *scardSession) GetStatusChange(states []readerState, timeout time.Duration) error {
	rs := make([]scard.ReaderState, len(states))
	for i, st := range states {
		rs[i] = scard.ReaderState{Reader: pinned(st.Reader, s.pin), CurrentState: scard.StateFlag(st.Current)}
	}
	if err := code(s.ctx.GetStatusChange(rs, timeout)); err != nil {
		return err
	}
	for i := range rs {
		states[i].Event = stateFlag(rs[i].EventState)
		states[i].ATR = rs[i].Atr
	}
	return nil
}

func (s *scardSession) Connect(reader string, mode shareMode, protocols protocol) (handle, error) {
	c, err := s.ctx.Connect(reader, scard.ShareMode(mode), scard.Protocol(protocols))
	if err != nil {
		return nil, code(err)
	}
	return &scardHandle{card: c}, nil
}

type scardHandle struct{ card *scard.Card }

func (h *scardHandle) Protocol() protocol { return protocol(h.card.ActiveProtocol()) }

func (h *scardHandle) Reconnect() error {
	return code(h.card.Reconnect(scard.ShareShared, scard.ProtocolAny, scard.LeaveCard))
}

func (h *scardHandle) Reset() error {
	return code(h.card.Reconnect(scard.ShareShared, scard.ProtocolAny, scard.ResetCard))
}

func (h *scardHandle) Begin() error { return code(h.card.BeginTransaction()) }
func (h *scardHandle) End() error   { return code(h.card.EndTransaction(scard.LeaveCard)) }

func (h *scardHandle) Status() ([]byte, error) {
	st, err := h.card.Status()
	if err != nil {
		return nil, code(err)
	}
	return st.Atr, nil
}

// Transmit keeps from scard what it panics on: no command, and a protocol that
// is neither T=0 nor T=1.
func (h *scardHandle) Transmit(command []byte) ([]byte, error) {
	if len(command) == 0 {
		return nil, InvalidParameter
	}
	if p := h.Protocol(); p != protocolT0 && p != protocolT1 {
		return nil, ProtoMismatch
	}
	resp, err := h.card.Transmit(command)
	if err != nil {
		return nil, code(err)
	}
	// scard's buffer has 64 KiB, however short the answer.
	short := append([]byte(nil), resp...)
	clear(resp)
	return short, nil
}

func (h *scardHandle) Control(ioctl uint32, in []byte) ([]byte, error) {
	out, err := h.card.Control(ioctl, in)
	return out, code(err)
}

func (h *scardHandle) Attribute(id uint32) ([]byte, error) {
	b, err := h.card.GetAttrib(scard.Attrib(id))
	return b, code(err)
}

func (h *scardHandle) Disconnect() error { return code(h.card.Disconnect(scard.LeaveCard)) }

func code(err error) error {
	var e scard.Error
	if errors.As(err, &e) {
		return Code(e)
	}
	return err
}

// scard hands C the address of each reader's name and keeps the name alive in
// a map by name: two contexts that wait for one reader at the same time would
// let the garbage collector have the first one's. Names that C takes for equal
// but the map does not - all that follows a NUL is not read - keep them apart.
var pins struct {
	sync.Mutex
	used []bool
}

func takePin() int {
	pins.Lock()
	defer pins.Unlock()
	for i, used := range pins.used {
		if !used {
			pins.used[i] = true
			return i
		}
	}
	pins.used = append(pins.used, true)
	return len(pins.used) - 1
}

func givePin(i int) {
	pins.Lock()
	defer pins.Unlock()
	pins.used[i] = false
}

func pinned(name string, pin int) string {
	if pinSeparator == "" {
		return name
	}
	return name + pinSeparator + strconv.Itoa(pin)
}
