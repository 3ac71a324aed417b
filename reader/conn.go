package reader

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"cardbridge/apdu"
)

// A Conn is the card in one reader, whichever card that is at the time. It
// connects when it is first used, in shared mode, and again whenever that is
// needed: after a reset by another program, after the card or the reader came
// back, after the service was started anew. While idle it holds nothing but the
// shared handle. It may be used from any goroutine; transactions of one Conn
// follow one another.
type Conn struct {
	sys  *System
	name string
	lane lane // guards what follows, and the use of ses

	ses   session // nil: none established
	h     handle  // nil: not connected
	begun bool    // a PC/SC transaction is under way on h
	epoch uint64

	// 1 while a call that was given up has the lane still: an exchange with a
	// card that does not answer, or a wait for another program.
	stuck, queued atomic.Int32

	mu       sync.Mutex // guards what follows, for those without the lane
	atr      []byte
	extended bool
	closed   bool
}

// Connect makes a Conn; nothing is sent and nothing can fail until its first
// transaction. Close it after use.
func (s *System) Connect(reader string) *Conn {
	return &Conn{sys: s, name: reader, lane: newLane()}
}

// epochs numbers the sessions with cards of the whole process, so that no two
// Conns' epochs can be taken for each other.
var epochs atomic.Uint64

// Reader is the PC/SC name of the reader.
func (c *Conn) Reader() string { return c.name }

// ExtendedLength tells whether card and reader promise extended-length APDUs:
// the card in its capabilities (ISO 7816-4 section 12.1.1.9) over T=1, the
// reader in its properties where it has any (PC/SC part 10 section 2.6.14). It
// is false before the first transaction has begun: ask inside one.
func (c *Conn) ExtendedLength() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.extended
}

// ATR is the answer to reset of the card of the latest transaction, nil before
// the first.
func (c *Conn) ATR() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.atr)
}

// Transact runs f while no other program can speak to the card. It connects
// first where needed and waits, within bounds, while another program has the
// card; then it fails with a BusyError. It returns f's error, or one of the
// wire's that matches apdu.ErrRemoved, apdu.ErrReset or apdu.ErrNoAnswer.
//
// When ctx ends, Transact and the exchange under way return its error at once,
// even while the card is at work: that exchange is left to finish by itself,
// its answer is dropped, and the next transaction begins after it.
func (c *Conn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	t, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer t.end() // also when f panics
	err = f(t)
	t.ended.Store(true)
	return err
}

// begin takes the lane and begins a PC/SC transaction.
func (c *Conn) begin(ctx context.Context) (*transaction, error) {
	turn, err := c.turn(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.ready(ctx, turn); err != nil {
		turn.end()
		return nil, err
	}
	return &transaction{conn: c, turn: turn, ctx: ctx, epoch: c.epoch}, nil
}

// turn waits for the transactions before it, however long they take, but not for
// a call that was given up: that one may never end.
func (c *Conn) turn(ctx context.Context) (*turn, error) {
	for {
		if c.stuck.Load() > 0 {
			return nil, c.silent("it has not answered the last command yet")
		}
		bounded, cancel := context.WithTimeout(ctx, c.sys.patience.transaction)
		turn, err := c.lane.turn(bounded)
		cancel()
		switch {
		case err == nil || ctx.Err() != nil:
			return turn, err
		case c.queued.Load() > 0:
			return nil, c.busy(false, c.sys.patience.transaction)
		}
	}
}

// clean leaves the Conn idle: with the lane, after anything.
func (c *Conn) clean() {
	if c.begun {
		c.begun = false
		// A handle whose card was reset or removed cannot always end its
		// transaction; disconnecting ends it.
		if err := c.h.End(); err != nil {
			c.drop()
		}
	}
	if c.isClosed() {
		c.release()
	}
}

// drop gives the handle up. A handle that PC/SC does not know any more cannot
// be disconnected, which is no error here.
func (c *Conn) drop() {
	if c.h != nil {
		_ = c.h.Disconnect()
		c.h, c.begun = nil, false
	}
}

// release gives the whole context up.
func (c *Conn) release() {
	c.drop()
	if c.ses != nil {
		_ = c.ses.Release()
		c.ses = nil
	}
}

func (c *Conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Reset resets the card (a warm reset), as other programs may do at any time.
func (c *Conn) Reset(ctx context.Context) error {
	t, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer t.end()
	err = t.turn.call(ctx, func() error {
		err := c.h.Reset()
		c.epoch = epochs.Add(1)
		return err
	}, c.clean)
	if err != nil && !t.turn.over {
		t.failed = true
		return c.failed(err)
	}
	return err
}

// Close gives the handle back; the card is left as it is. A transaction under
// way goes on to its end, and the handle is given back after it; Close does not
// wait for that.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	select {
	case c.lane <- struct{}{}:
		c.release()
		<-c.lane
	default:
		// Whoever has the lane cleans up, unless that is done already.
		go func() {
			c.lane <- struct{}{}
			c.release()
			<-c.lane
		}()
	}
	return nil
}
