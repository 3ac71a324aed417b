package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/card/softcard"
	"cardbridge/internal/host"
)

// A padReader is a reader with a PIN pad, on which somebody types what stands in
// the fields.
type padReader struct {
	host.Conn
	old, new string
}

func (r padReader) PINPad(context.Context) (bool, error) { return true, nil }

func (r padReader) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	return r.Conn.Transact(ctx, func(t apdu.Transaction) error { return f(padTyping{t, r}) })
}

type padTyping struct {
	apdu.Transaction
	r padReader
}

// TransmitPIN is the reader's part.
func (t padTyping) TransmitPIN(e apdu.PINEntry) ([]byte, error) {
	command := append([]byte{}, e.Command...)
	copy(command[5:], t.r.old)
	copy(command[13:], t.r.new)
	return t.Transmit(command)
}

// What --pin-pad does, and says, where there is one.
func TestPINPad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	if err := softcard.Create(path, "yubikey-5.7"); err != nil {
		t.Fatal(err)
	}
	h, err := host.New(host.Options{Readers: "softcard:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close() //nolint:errcheck // the test is over
	conn, err := h.Connect("softcard:" + path)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for _, test := range []struct {
		old, new string
		do       func(*pivCard) error
		code     int
		says     string
	}{
		{"123456", "654321", func(c *pivCard) error {
			return c.changeOnPad(ctx, card.PIN, pinSecret, newPIN, piv.LoginOptions{})
		}, 0, "type the PIN, then the new PIN twice, on the reader's keys"},
		{"123456", "654321", func(c *pivCard) error {
			return c.changeOnPad(ctx, card.PIN, pinSecret, newPIN, piv.LoginOptions{})
		}, 4, ""},
		{"12345678", "87654321", func(c *pivCard) error {
			return c.changeOnPad(ctx, card.PUK, pukSecret, newPUK, piv.LoginOptions{})
		}, 0, "type the PUK, then the new PUK twice, on the reader's keys"},
		{"87654321", "111111", func(c *pivCard) error { return c.unblockOnPad(ctx, piv.LoginOptions{}) }, 0, "type the PUK, then the new PIN twice"},
		{"111111", "123456", func(c *pivCard) error {
			return c.changeOnPad(ctx, card.PIN, pinSecret, newPIN, piv.LoginOptions{})
		}, 0, ""},
	} {
		var stderr bytes.Buffer
		r := padReader{conn, test.old, test.new}
		c := &pivCard{Card: piv.Open(r), app: &app{stderr: &stderr}, conn: r}
		err := test.do(c)
		if code := exitCodeOf(err).code; err != nil && code != test.code || err == nil && test.code != 0 {
			t.Errorf("%s to %s: %v (%d), want %d", test.old, test.new, err, code, test.code)
		}
		if !strings.Contains(stderr.String(), test.says) {
			t.Errorf("it says %q", stderr.String())
		}
	}
}
