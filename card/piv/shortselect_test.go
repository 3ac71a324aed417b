package piv

import (
	"context"
	"errors"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
)

// shortConn is a card that answers SELECT with what the standard asks for and no
// more, which is what Yubico's cards answer.
type shortConn struct{ *softConn }

func (c shortConn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	return c.softConn.Transact(ctx, func(t apdu.Transaction) error { return f(shortTx{t}) })
}

type shortTx struct{ apdu.Transaction }

func (t shortTx) Transmit(b []byte) ([]byte, error) {
	r, err := t.Transaction.Transmit(b)
	if b[1] == insSelect && len(r) > 2 {
		r = append(tlv(0x61, tlv(0x4F, fullPIX), tlv(0x79, tlv(0x4F, aid[:5]))), 0x90, 0x00)
	}
	return r, err
}

var fullPIX = []byte{0x00, 0x00, 0x10, 0x00, 0x01, 0x00}

// A card that answers as shortly as a YubiKey is not one for that: it has no GET
// VERSION, and its global PIN is the one that people know where it says so.
func TestNoYubiKey(t *testing.T) {
	for _, name := range []string{"nist", "global-pin"} {
		conn := newSoft(t, name)
		id, err := bare2(t, shortConn{conn}).Identity(ctx)
		if err != nil || id.Model != "PIV card" || id.Manufacturer != "" {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
		c := bare2(t, shortConn{conn})
		err = c.Login(ctx, sec("111111"), LoginOptions{})
		if !errors.As(err, new(*card.WrongPIN)) {
			t.Errorf("%s: %v", name, err)
		}
		want := 2
		if name == "global-pin" {
			want = 3 // the application's own PIN was not asked for
		}
		if pin, _ := conn.soft.Tries(); pin != want {
			t.Errorf("%s: %d tries of the application's PIN left, not %d", name, pin, want)
		}
		ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	}
}
