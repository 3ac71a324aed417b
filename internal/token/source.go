package token

import (
	"context"

	"cardbridge/card"
	"cardbridge/internal/host"
	"cardbridge/pkcs11"
	"cardbridge/reader"
)

// A source tells package pkcs11 of the readers of a host: one slot a reader and
// applet.
type source struct{ host *host.Host }

// NewSource returns the readers of h as slots.
func NewSource(h *host.Host) pkcs11.Source { return source{h} }

// applets says what each card may be. Whether it is, is asked when somebody
// wants to know more than that a card is there.
var applets = [...]struct {
	applet card.Applet
	open   func(card.Conn, func(reset bool) error) pkcs11.AdminToken
}{
	{card.PIV, NewPIV},
}

// Watch is pkcs11.Source's.
func (s source) Watch(ctx context.Context, deliver func(pkcs11.SlotEvent), ready func()) error {
	return s.host.Watch(ctx, func(e reader.Event) {
		if e.Kind == reader.Settled {
			ready()
			return
		}
		for _, a := range applets {
			event := pkcs11.SlotEvent{Slot: pkcs11.Slot{Reader: e.Reader, Applet: a.applet}}
			if e.Kind == reader.CardInserted {
				if conn, err := s.host.Connect(e.Reader); err == nil { // or the slot has no token
					event.Token = a.open(conn, func(reset bool) error { return host.Leave(conn, reset) })
				}
			}
			deliver(event)
		}
	})
}
