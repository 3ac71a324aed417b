package piv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/internal/secret"
)

// A Card is the PIV applet of one card. Its methods may be called from any
// goroutine; they follow one another, as the card does one thing at a time.
type Card struct {
	conn    card.Conn
	onTouch func(card.KeyInfo)
	anyPIN  bool

	// turn is held while an operation uses what follows: a channel and not a
	// mutex, so that waiting for one's turn ends with the context.
	turn   chan struct{}
	closed bool

	channel apdu.Channel
	epoch   uint64
	state   state
	facts   facts
	content content

	pin      keptSecret // of Login, until Logout
	adminKey keptSecret // of LoginAdmin, until LogoutAdmin
	adminAs  managementRow
	owner    fingerprint // the card that all this is about, once it was asked
	refused  refusals
	tries    map[card.SecretName]int

	// unlocked is what the card took from here and was not seen to forget.
	unlocked struct{ pin, admin bool }

	now func() time.Time
}

// state is what is believed of the card between two transactions. Another
// program may have made it untrue in the meantime.
type state struct {
	selected bool // PIV is the selected applet
	verified bool // and the PIN is verified
	admin    bool // and the management key authenticated
	// open: the card took the PIN, and was not told since to forget that. It may
	// remember where verified says no: SELECT keeps it on cards that follow the
	// standard.
	open bool
}

// Open returns the PIV applet behind conn. It sends nothing.
func Open(conn card.Conn, opts ...Option) *Card {
	c := &Card{conn: conn, turn: make(chan struct{}, 1), tries: map[card.SecretName]int{}, now: time.Now}
	c.refused.init()
	for _, o := range opts {
		o(c)
	}
	return c
}

// ErrClosed is the error of every method after Close.
var ErrClosed = errors.New("piv: the card was closed")

// Close wipes what Login and LoginAdmin kept, once a running operation is over.
// It sends nothing; the connection stays the caller's.
func (c *Card) Close() error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.closed = true
	c.forgetSecrets()
	c.state = state{}
	return nil
}

// Unlocked tells whether the card took a PIN or a management key from here and may
// remember that for whoever speaks to it next: to be asked after Close, by a
// program that can reset the card. No command makes a card of the standard forget
// the management key. Access condition: always; nothing is sent.
func (c *Card) Unlocked() bool {
	c.turn <- struct{}{}
	defer c.give()
	return c.unlocked.pin || c.unlocked.admin
}

func (c *Card) forgetSecrets() {
	c.pin.drop()
	c.adminKey.drop()
}

// A keptSecret is a PIN or key that a card accepted, in an epoch.
type keptSecret struct {
	*secret.Secret
	epoch uint64
}

func (k *keptSecret) keep(s *secret.Secret, epoch uint64) {
	k.drop()
	k.Secret, k.epoch = s.Clone(), epoch
}

func (k *keptSecret) drop() {
	k.Wipe()
	k.Secret = nil
}

func (k *keptSecret) held() bool { return k.Secret != nil }

// need is what an operation needs before its own commands.
type need struct {
	what string // the operation, for messages: "sign with key 9c"
	// lazy operations may have nothing to send: they select PIV themselves.
	lazy bool
	// login has the PIN of Login verified again where it was lost.
	login bool
	// admin has the management key authenticated, again where that was lost.
	admin bool
	// again says that doing it twice does no harm: the operation is repeated
	// once when a reset by another program broke into the first.
	again bool
}

type heldKey struct{ c *Card }

// run does one operation in one transaction, or in the one that Together holds.
func run[T any](ctx context.Context, c *Card, n need, f func(*tx) (T, error)) (T, error) {
	var zero T
	if x, ok := ctx.Value(heldKey{c}).(*tx); ok {
		v, err := attempt(x, n, f)
		if err != nil {
			return zero, c.explain(n.what, err)
		}
		return v, nil
	}
	for try := 0; ; try++ {
		var v T
		x := &tx{c: c}
		err := c.transact(ctx, func(t *tx) (err error) {
			x = t
			v, err = attempt(t, n, f)
			return err
		})
		if err == nil {
			return v, nil
		}
		if n.again && !x.pinUnanswered && try < maxAgain &&
			(errors.Is(err, apdu.ErrReset) || x.refused(err) && (c.resetSince(ctx, x) || try == 0 && x.deselected(err))) {
			continue
		}
		return zero, c.explain(n.what, err)
	}
}

// maxAgain is how often an operation is begun again.
const maxAgain = 3

// refused tells whether err is the card's own word, and not about a PIN: a card
// that was reset in the middle says such things.
func (x *tx) refused(err error) bool {
	var wrong *card.WrongPIN
	var blocked *card.Blocked
	if errors.As(err, &wrong) || errors.As(err, &blocked) || errors.Is(err, card.ErrTouchTimeout) {
		return false
	}
	_, isStatus := apdu.StatusOf(err)
	return isStatus || errors.Is(err, card.ErrInvalidAnswer)
}

// resetSince tells whether the card was reset while x was under way. A
// transaction should keep other programs from that, but pcscd looks for one
// only before it begins a reset, and tells us when it has ended: what the card
// answers in between is that of a card that has forgotten everything.
func (c *Card) resetSince(ctx context.Context, x *tx) bool {
	reset := false
	err := c.conn.Transact(ctx, func(t apdu.Transaction) error {
		reset = x.t != nil && t.Epoch() != x.t.Epoch()
		return nil
	})
	return err == nil && reset
}

// deselected tells whether err is what a card says that has no applet selected,
// though ours was in this transaction: a reset of which pcscd, on a machine with
// much to do, will tell us later than the card did. An applet that lacks the
// command says the same, and says it again.
func (x *tx) deselected(err error) bool {
	return x.ours && (isStatus(err, apdu.ErrInstruction) || isStatus(err, apdu.ErrClass))
}

// take waits for c's turn; give hands it on.
func (c *Card) take(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.closed {
		c.give()
		return ErrClosed
	}
	return nil
}

func (c *Card) give() { <-c.turn }

// transact runs f in a transaction, in c's turn.
func (c *Card) transact(ctx context.Context, f func(*tx) error) error {
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.give()
	var broke error // what f made of it
	err := c.conn.Transact(ctx, func(t apdu.Transaction) error {
		x := c.begin(t)
		broke = f(x)
		c.end(x.lost)
		return broke
	})
	if broke == nil {
		c.end(err) // of a transaction that did not begin, or did not end
	}
	return err
}

// Together runs f in one transaction: each method of c that f calls with the
// context it is given takes part in it. That saves proving again and again that
// the applet is selected, and nobody gets in between. f must not prompt, sleep
// or wait, nor use c with another context, nor the context after it returned.
func (c *Card) Together(ctx context.Context, f func(context.Context) error) error {
	begun := false
	err := c.transact(ctx, func(x *tx) error {
		begun = true
		return f(context.WithValue(ctx, heldKey{c}, x))
	})
	if err != nil && !begun {
		return c.explain("transaction", err)
	}
	return err
}

// begin takes a transaction up: what was believed of another epoch is gone.
func (c *Card) begin(t apdu.Transaction) *tx {
	if e := t.Epoch(); e != c.epoch {
		c.epoch = e
		c.state, c.facts, c.content = state{}, nothingKnown(c.conn), content{}
		clear(c.tries)
		c.channel = apdu.Channel{Extended: c.conn.ExtendedLength()}
	}
	return &tx{c: c, t: t}
}

// end draws the conclusions of an error of the wire.
func (c *Card) end(err error) {
	switch {
	case err == nil:
	case errors.Is(err, apdu.ErrRemoved):
		// Another card may be put in: nothing of this one is for it.
		c.forgetSecrets()
		c.state, c.facts, c.content, c.owner = state{}, facts{}, content{}, fingerprint{}
		clear(c.tries)
	case errors.Is(err, apdu.ErrReset), errors.Is(err, apdu.ErrNoAnswer):
		c.state = state{}
		clear(c.tries)
	}
}

// explain says what failed, on which card.
func (c *Card) explain(what string, err error) error {
	return fmt.Errorf("%s (card in %s): %w", what, c.conn.Reader(), err)
}
