// Package host is what the mains share: which readers there are - PC/SC's and
// software cards alike - and how to connect to one, with a trace or a count
// around its exchanges.
package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/reader"
)

// Options say which readers a Host sees.
type Options struct {
	// Readers is the value of CARDBRIDGE_READERS: a comma-separated list of
	// "pcsc" and "softcard:PATH". Empty means "pcsc". See FromEnvironment.
	Readers string
	// Reader narrows that to what --reader names: "pcsc" (all of PC/SC's),
	// "softcard:PATH" (that one, listed or not), the full name of a reader, or a
	// part of its name in any case.
	Reader string
	// Decorate makes what follows the exchanges with a reader's cards, a trace or
	// a count: once a reader, when it is first used. nil for nothing.
	Decorate func(reader string) apdu.Decorator
}

// A Conn is a card.Conn that is closed after use.
type Conn interface {
	card.Conn
	// ATR is the card's answer to reset as of the latest transaction.
	ATR() []byte
	// Reset resets the card.
	Reset(ctx context.Context) error
	// PINPad tells whether the reader takes a PIN on its own keys.
	PINPad(ctx context.Context) (bool, error)
	Close() error
}

// A Host is the readers of one program. It holds nothing before it is used, and
// may be used from any goroutine.
//
// Software cards have the first slot numbers, in the order in which they are
// listed; PC/SC's readers follow in the order in which they were first seen.
type Host struct {
	// want is a reader's name or a part of it, "" for all.
	want    string
	soft    []*softReader
	pcsc    *reader.System // nil: not asked for
	monitor *reader.Monitor

	decorate   func(reader string) apdu.Decorator
	mu         sync.Mutex
	decorators map[string]apdu.Decorator
}

const (
	pcscSource = "pcsc"
	softPrefix = "softcard:"
)

// New reads the options; a value that makes no sense is an error that names it.
func New(o Options) (*Host, error) { return newHost(o, reader.New) }

func newHost(o Options, system func() *reader.System) (*Host, error) {
	h := &Host{decorate: o.Decorate, decorators: map[string]apdu.Decorator{}}
	list := o.Readers
	switch {
	case o.Reader == pcscSource, strings.HasPrefix(o.Reader, softPrefix):
		// A whole source by itself. A path may have commas then.
		if err := h.source(o.Reader, "--reader", system); err != nil {
			return nil, err
		}
		return h, nil
	case list == "":
		list = pcscSource
	}
	h.want = o.Reader
	for _, s := range strings.Split(list, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		if err := h.source(s, "CARDBRIDGE_READERS", system); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// source adds one entry of the list; where says where it was read.
func (h *Host) source(s, where string, system func() *reader.System) error {
	path, soft := strings.CutPrefix(s, softPrefix)
	switch {
	case soft && path == "":
		return fmt.Errorf("%s: %q names no file", where, s)
	case soft:
		for _, r := range h.soft {
			if r.path == path {
				return nil
			}
		}
		h.soft = append(h.soft, newSoftReader(path, len(h.soft)))
	case s != pcscSource:
		return fmt.Errorf("%s: %q is neither %q nor %qPATH", where, s, pcscSource, softPrefix)
	case h.pcsc == nil:
		h.pcsc = system()
		h.monitor = h.pcsc.Monitor()
	}
	return nil
}

// wants tells whether the reader of that name is one of those asked for.
func (h *Host) wants(name string) bool {
	return strings.Contains(strings.ToLower(name), strings.ToLower(h.want))
}

// Readers is the state of all readers of the Host, by slot: of the watch under
// way, else of a look of its own. None is no error. Where there is no card to
// be used at all and one of the sources has a reason to give, the error is that
// reason; the states are good all the same.
func (h *Host) Readers(ctx context.Context) ([]reader.State, error) {
	var states []reader.State
	var reasons []error
	for _, r := range h.soft {
		if !h.wants(r.name) {
			continue
		}
		st, err := r.state()
		states = append(states, st)
		if err != nil {
			reasons = append(reasons, err)
		}
	}
	if h.monitor != nil {
		found, err := h.monitor.Readers(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			reasons = append(reasons, err)
		}
		for _, st := range found {
			if st.Slot += len(h.soft); h.wants(st.Reader) {
				states = append(states, st)
			}
		}
	}
	for _, st := range states {
		if st.Reader == h.want { // a full name means no other
			states = []reader.State{st}
			break
		}
	}
	for _, st := range states {
		if st.Card && !st.Mute {
			return states, nil
		}
	}
	return states, errors.Join(reasons...)
}

// Connect makes a connection to the reader of that full name; nothing is sent
// before its first transaction. All connections of one Host to one software
// card share its power: what one selects another finds selected, as with a
// real card.
func (h *Host) Connect(name string) (Conn, error) {
	var c Conn
	for _, r := range h.soft {
		if r.name == name {
			c = &softConn{r}
		}
	}
	switch {
	case c != nil:
	case h.pcsc == nil || strings.HasPrefix(name, softPrefix):
		return nil, fmt.Errorf("no reader %q", name)
	default:
		c = h.pcsc.Connect(name)
	}
	if h.decorate != nil {
		c = &decoratedConn{c, h}
	}
	return c, nil
}

// Close gives up what Readers and Watch hold; connections have a Close of
// their own.
func (h *Host) Close() error {
	for _, r := range h.soft {
		r.close()
	}
	return nil
}

// A decoratedConn decorates what passes in each transaction.
type decoratedConn struct {
	Conn
	h *Host
}

func (c *decoratedConn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	return c.Conn.Transact(ctx, func(t apdu.Transaction) error {
		return f(apdu.DecorateTransaction(t, c.h.decorator(c.Reader())))
	})
}

// decorator is the reader's, made when it is first used.
func (h *Host) decorator(reader string) apdu.Decorator {
	h.mu.Lock()
	defer h.mu.Unlock()
	d, ok := h.decorators[reader]
	if !ok {
		d = h.decorate(reader)
		h.decorators[reader] = d
	}
	return d
}

// Diagnose says what is wrong with software cards, and is reader.System's
// Diagnose of the PC/SC that the Host uses, if it uses it.
func (h *Host) Diagnose(ctx context.Context) []reader.Finding {
	var found []reader.Finding
	for _, r := range h.soft {
		if !h.wants(r.name) {
			continue
		}
		if _, err := r.state(); err != nil {
			found = append(found, reader.Finding{Check: "card in " + r.name, Verdict: reader.Problem, Detail: err.Error()})
		}
	}
	if h.pcsc != nil {
		found = append(found, h.pcsc.Diagnose(ctx)...)
	}
	return found
}

// resetTime bounds how long a card is waited for that is to be reset.
const resetTime = time.Second

// Leave gives a connection up, after resetting the card if that is asked for.
func Leave(conn Conn, reset bool) (err error) {
	if reset {
		ctx, cancel := context.WithTimeout(context.Background(), resetTime)
		defer cancel()
		err = conn.Reset(ctx)
	}
	return errors.Join(err, conn.Close())
}
