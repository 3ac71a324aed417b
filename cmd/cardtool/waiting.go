package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cardbridge/apdu"
	"cardbridge/internal/cli/tui"
	"cardbridge/internal/host"
	"cardbridge/reader"
)

// patience is how long a command waits for a card in silence: longer than for
// one that another program has for itself, which ends in an error.
const patience = 4 * time.Second

// A patientConn tells a person what it waits for while another program has the
// card in a transaction, which may take as long as that program likes.
type patientConn struct {
	host.Conn
	after   time.Duration
	waiting func(reader string)
}

// Transact is the Conn's.
func (c patientConn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	t := time.AfterFunc(c.after, func() { c.waiting(c.Reader()) })
	defer t.Stop()
	return c.Conn.Transact(ctx, func(tx apdu.Transaction) error {
		t.Stop()
		return f(tx)
	})
}

// waitingFor says that a card is in use, and by whom that may be.
func (a *app) waitingFor(name string) {
	var who []string
	if !strings.HasPrefix(name, "softcard:") {
		for _, p := range reader.Holders() {
			who = append(who, p.String())
		}
	}
	text := "waiting for the card in " + name + ": another program uses it"
	if len(who) > 0 {
		text += ", " + strings.Join(who, " or ")
	}
	if s := a.status.Load(); s != nil && tui.IsTerminal(a.stderr) {
		s.Say(upperFirst(text))
		return
	}
	if !a.global.json {
		// Not a matter of -q: without it the command seems to hang.
		fmt.Fprintf(a.stderr, "cardtool: %s; Ctrl-C ends\n", oneLine(text))
	}
}
