package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"cardbridge/apdu"
	"cardbridge/internal/host"
)

// A busyConn's card is in use by another program until free is closed.
type busyConn struct {
	host.Conn
	free chan struct{}
}

func (c busyConn) Reader() string { return "softcard:busy" }

func (c busyConn) Transact(_ context.Context, f func(apdu.Transaction) error) error {
	<-c.free
	return f(nil)
}

// Who waits for a card that another program uses is told so; who need not wait
// is told nothing.
func TestWaitingIsTold(t *testing.T) {
	busy := busyConn{free: make(chan struct{})}
	var b strings.Builder
	a := &app{stderr: &b}
	c := patientConn{busy, 0, func(name string) {
		a.waitingFor(name)
		close(busy.free)
	}}
	ran := false
	err := c.Transact(t.Context(), func(apdu.Transaction) error {
		ran = true
		return nil
	})
	if err != nil || !ran {
		t.Errorf("the transaction: %v", err)
	}
	if want := "cardtool: waiting for the card in softcard:busy: another program uses it; Ctrl-C ends\n"; b.String() != want {
		t.Errorf("told %q, not %q", b.String(), want)
	}
	c.after, c.waiting = time.Hour, func(string) { t.Error("told of a card that was free") }
	if err := c.Transact(t.Context(), func(apdu.Transaction) error { return nil }); err != nil {
		t.Error(err)
	}
}
