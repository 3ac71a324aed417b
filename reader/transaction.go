package reader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"cardbridge/apdu"
)

// A transaction is what f of Transact is given.
type transaction struct {
	conn  *Conn
	turn  *turn
	ctx   context.Context
	epoch uint64
	// err is the wire's first error: whatever follows in this transaction would
	// meet a card that has forgotten everything.
	err    error
	failed bool
	ended  atomic.Bool
}

// Epoch changes with every connection and after every reset.
func (t *transaction) Epoch() uint64 { return t.epoch }

// Transmit exchanges one APDU.
func (t *transaction) Transmit(command []byte) ([]byte, error) {
	switch {
	case t.ended.Load():
		return nil, fmt.Errorf("reader %q: the transaction has ended", t.conn.name)
	case t.err != nil:
		return nil, t.err
	}
	tpdu := bytes.Clone(command)
	if t.conn.h.Protocol() == protocolT0 {
		var err error
		if tpdu, err = toT0(tpdu); err != nil {
			return nil, fmt.Errorf("reader %q: %w", t.conn.name, err)
		}
	}
	var resp []byte
	limit := answerTime(tpdu)
	ctx, cancel := context.WithTimeoutCause(t.ctx, limit, errSilent)
	defer cancel()
	// The caller may wipe its command as soon as ctx has ended, while ours is
	// still on its way: hence the copy.
	err := t.turn.call(ctx, func() (err error) {
		defer clear(tpdu)
		resp, err = t.conn.h.Transmit(tpdu)
		return err
	}, func() {
		t.conn.clean()
		if context.Cause(ctx) == errSilent {
			t.conn.stuck.Add(-1)
		}
	})
	if t.turn.over {
		t.err = err
		if context.Cause(ctx) == errSilent { // not the caller's patience has ended, but ours
			t.conn.stuck.Add(1)
			t.err = t.conn.silent(fmt.Sprintf("none came in %v", limit))
		}
		return nil, t.err
	}
	if err == nil && len(resp) < 2 {
		err = NotTransacted
	}
	if err != nil {
		t.err = t.explain(err)
		return nil, t.err
	}
	return resp, nil
}

// How long a card may take over one command before it is given up: drivers end
// an exchange by themselves when a card falls silent, but not all do. A card
// that makes an RSA key (GENERATE ASYMMETRIC KEY PAIR, 46 and 47 of ISO 7816-8)
// may be at it for minutes.
const (
	answerLimit   = 2 * time.Minute
	generateLimit = 20 * time.Minute
)

// errSilent is why an exchange that took longer was given up.
var errSilent = errors.New("silent for too long")

func answerTime(command []byte) time.Duration {
	if len(command) > 1 && command[1]&^1 == 0x46 {
		return generateLimit
	}
	return answerLimit
}

// silent is the error for a card that does not answer.
func (c *Conn) silent(how string) error {
	return &Error{
		Doing: "exchange with the card", Reader: c.name, Err: fmt.Errorf("%w: %s", apdu.ErrNoAnswer, how), Wire: apdu.ErrNoAnswer,
		Advice: "take the card out and put it in again",
	}
}

// explain makes the error of an exchange. The drivers of readers call a card
// that is pulled out in the middle of a command a failed exchange: whether it is
// still there shows after one round of the service's polling.
func (t *transaction) explain(err error) error {
	if ctxErr := t.ctx.Err(); ctxErr != nil && err == ctxErr {
		return err // nothing was sent
	}
	t.failed = true
	e := &Error{Doing: "exchange with the card", Reader: t.conn.name, Err: err, Wire: wire(err)}
	if isCode(err, NotTransacted) {
		var why error
		if err := t.turn.call(t.ctx, func() error {
			why = t.conn.missing()
			return nil
		}, t.conn.clean); err != nil {
			return err
		}
		if why != nil {
			e.Err, e.Wire = why, wire(why)
		}
	}
	switch {
	case lost(e.Err):
		e.Advice = "it stopped in the middle; what was under way may or may not have happened"
	case e.Wire == apdu.ErrNoAnswer:
		e.Advice = "take the card out and put it in again"
	}
	return e
}

// end ends the PC/SC transaction; it is waited for unless ctx has ended.
func (t *transaction) end() {
	t.ended.Store(true)
	if t.turn.over {
		return
	}
	c := t.conn
	_ = t.turn.finish(t.ctx, func() error {
		if t.failed {
			c.drop()
		}
		c.clean()
		return nil
	}, func() {})
	t.turn.end()
}

// missing waits for the card to be seen gone - pcscd looks every 400 ms, and later
// on a machine with much to do - and says what is: the card, the reader or the
// service. Twice, so that one wait may pass while the whole machine stands still.
func (c *Conn) missing() error {
	st := []readerState{{Reader: c.name}}
	for _, wait := range []time.Duration{0, c.sys.patience.removal, c.sys.patience.removal} {
		err := c.ses.GetStatusChange(st, wait)
		switch {
		case isCode(err, Timeout):
			continue
		case gone(err) || lost(err):
			return err
		case err != nil:
			return nil
		case st[0].Event&statePresent == 0:
			return RemovedCard
		}
		st[0].Current = st[0].Event &^ stateChanged
	}
	return nil
}

// toT0 makes the command TPDU of T=0 (ISO 7816-3 section 12.2.1): always five
// bytes of header, and no Le where there is data - the answer to case 4 is
// fetched with GET RESPONSE, which 61xx calls for. An extended APDU has no such
// form (it would take an ENVELOPE, which hardly a card knows).
func toT0(command []byte) ([]byte, error) {
	c, extended, err := apdu.ParseCommand(command)
	switch {
	case err != nil:
		return nil, err
	case extended:
		return nil, fmt.Errorf("%w: the card speaks T=0, which has no extended length", apdu.ErrTooLong)
	case len(command) == 4: // case 1
		return append(command, 0), nil
	case len(c.Data) > 0: // cases 3 and 4
		return command[:5+len(c.Data)], nil
	default: // case 2
		return command, nil
	}
}
