package softcard

import (
	"context"
	"sync"
	"time"
)

// A Card is one software card in one reader: a state file and a power-up state. Its methods may be called from any goroutine;
// exchanges are serialised as a reader would.
type Card struct {
	latency     time.Duration
	touch       func(context.Context) bool
	personality *personality // at opening time; what the card looks like from outside does not change

	mu       sync.Mutex // held during an exchange
	store    store
	powered  bool
	removed  bool
	removals int
	closed   bool
	change   chan struct{} // closed, and another made, when the card is removed, inserted or closed
	count    int
	faults   faults
	power    powerUp
	lines    lines
	keyCache keyCache

	waitMu sync.Mutex // guards what follows, which others use while an exchange waits
	wake   context.CancelFunc
	back   *time.Timer
}

// An Option changes how Open's Card behaves; none changes the state file.
type Option func(*Card)

// WithLatency makes every exchange take at least d, as a card's processor and wire do.
func WithLatency(d time.Duration) Option { return func(c *Card) { c.latency = d } }

// InMemory has the card read its state file once, in Open, and never write it: what it does is forgotten with it. For tests
// that need thousands of cards alike, as a file that is sure to be on the disk costs more time than all else a card does.
func InMemory() Option { return func(c *Card) { c.store.memory = true } }

// Open inserts the card of a state file, powered.
func Open(path string, opts ...Option) (*Card, error) {
	s, err := openStore(path)
	if err != nil {
		return nil, err
	}
	c := &Card{store: s, personality: s.personality, touch: TouchAfter(0), powered: true, change: make(chan struct{})}
	for _, o := range opts {
		o(c)
	}
	return c, nil
}

// Transmit exchanges one APDU. Whatever bytes it is given it answers with a status word; an error means that the card is not
// there, was reset, or did not answer (ErrRemoved, ErrReset, ErrSilent), or that the state file cannot be used.
func (c *Card) Transmit(command []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.removed || !c.powered {
		return nil, ErrRemoved
	}
	ctx, done := c.waiting()
	defer done()
	start := time.Now()
	c.count++
	response, err := c.withFaults(ctx, command)
	sleep(ctx, c.latency-time.Since(start))
	return response, err
}

// Reset is a warm reset: it drops the security state, the selected application and anything half sent.
func (c *Card) Reset() { c.interrupted(c.reset) }

func (c *Card) reset() { c.power, c.lines = powerUp{}, lines{} }

// PowerOff takes the card's power; Transmit then fails with ErrRemoved.
func (c *Card) PowerOff() {
	c.interrupted(func() {
		c.reset()
		c.powered = false
	})
}

// PowerOn is a cold reset.
func (c *Card) PowerOn() {
	c.interrupted(func() {
		c.reset()
		c.powered = true
	})
}

// Remove takes the card out of its reader; Run leaves vpcd.
func (c *Card) Remove() { c.interrupted(c.remove) }

func (c *Card) remove() {
	c.reset()
	c.removed = true
	c.removals++
	c.changed()
}

// changed wakes who waits for the card to come or go.
func (c *Card) changed() {
	close(c.change)
	c.change = make(chan struct{})
}

// Insert puts a removed card back, powered.
func (c *Card) Insert() {
	c.interrupted(func() {
		c.reset()
		c.removed, c.powered = false, true
		c.changed()
	})
}

// ATR is the answer to reset.
func (c *Card) ATR() []byte { return c.personality.atr() }

// Personality is the kind of card this is.
func (c *Card) Personality() Personality { return c.personality.Personality }

// Serial is the number the card was made with. Not every personality tells it to the other side.
func (c *Card) Serial() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store.state.Serial
}

// Count is the number of APDUs since Open, GET RESPONSE and chained parts included.
func (c *Card) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Tries are the tries left as the state file has them now; -1 where it cannot be read.
func (c *Card) Tries() (pin, puk int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.store.refresh(); err != nil {
		return -1, -1
	}
	return c.store.state.PIN.Tries, c.store.state.PUK.Tries
}

// Close ends the use of the card. The state file is always up to date.
func (c *Card) Close() error {
	c.interrupted(func() {
		c.reset()
		c.closed = true
		c.changed()
	})
	return nil
}

// waiting gives an exchange a context that ends when the card is reset, removed or closed under it.
func (c *Card) waiting() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	c.waitMu.Lock()
	c.wake = cancel
	c.waitMu.Unlock()
	return ctx, func() {
		c.waitMu.Lock()
		c.wake = nil
		c.waitMu.Unlock()
		cancel()
	}
}

// interrupted runs f between exchanges, and has one that waits (for a touch, or because a fault says so) wait no longer.
func (c *Card) interrupted(f func()) {
	c.interrupt()
	c.waitMu.Lock()
	if c.back != nil {
		c.back.Stop()
		c.back = nil
	}
	c.waitMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// interrupt ends a wait within the exchange under way, if there is one.
func (c *Card) interrupt() {
	c.waitMu.Lock()
	defer c.waitMu.Unlock()
	if c.wake != nil {
		c.wake()
	}
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
