package piv

import (
	"context"
	"errors"
	"strings"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
)

// A padConn is a reader with a PIN pad that gives one answer.
type padConn struct {
	*softConn
	answer []byte
}

func (c padConn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	return c.softConn.Transact(ctx, func(t apdu.Transaction) error { return f(padTx{t, c.answer}) })
}

type padTx struct {
	apdu.Transaction
	answer []byte
}

func (t padTx) TransmitPIN(apdu.PINEntry) ([]byte, error) { return t.answer, nil }

// What reader and card say of a PIN that was typed on the reader.
func TestPadAnswers(t *testing.T) {
	conn := newSoft(t, "nist") // none that tells the tries as 630x
	for _, test := range []struct {
		status  apdu.Status
		want    error
		tries   int // of a *card.WrongPIN
		blocked bool
	}{
		{status: apdu.OK},
		{status: apdu.ErrEntryTimeout, want: card.ErrNotEntered},
		{status: apdu.ErrEntryCancelled, want: card.ErrNotEntered},
		{status: 0x63C2, want: apdu.ErrVerificationFailed, tries: 2},
		{status: apdu.ErrWarningNoInformation, want: apdu.ErrWarningNoInformation, tries: -1},
		{status: 0x63C0, want: apdu.ErrVerificationFailed, blocked: true},
		{status: apdu.ErrAuthMethodBlocked, want: apdu.ErrAuthMethodBlocked, blocked: true},
		{status: apdu.ErrUnknown, want: apdu.ErrUnknown},
	} {
		c := Open(padConn{conn, []byte{test.status.SW1(), test.status.SW2()}})
		err := c.LoginOnPad(ctx, LoginOptions{})
		if !errors.Is(err, test.want) {
			t.Errorf("%04X: %v", uint16(test.status), err)
		}
		var wrong *card.WrongPIN
		if errors.As(err, &wrong) && wrong.Tries != test.tries || wrong == nil && test.tries != 0 {
			t.Errorf("%04X: %v", uint16(test.status), err)
		}
		if errors.As(err, new(*card.Blocked)) != test.blocked {
			t.Errorf("%04X: %v", uint16(test.status), err)
		}
		ok(t, c.Close())
	}
}

// A new PIN that was typed on the reader, and that the card does not take, was
// sent, and did not change anything.
func TestPadNotTaken(t *testing.T) {
	c := Open(padConn{newSoft(t, "nist"), []byte{0x6A, 0x80}})
	err := c.ChangePINOnPad(ctx, card.PIN, LoginOptions{})
	var refused *card.NotTaken
	if !errors.As(err, &refused) || refused.Name != card.PIN || strings.Contains(err.Error(), "not sent") {
		t.Error(err)
	}
}
