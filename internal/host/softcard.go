package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"cardbridge/apdu"
	"cardbridge/card/softcard"
	"cardbridge/reader"
)

// A softReader is a reader with a software card in it for as long as its state
// file can be read.
type softReader struct {
	path, name string
	slot       int
	lane       chan struct{} // held during a transaction

	mu         sync.Mutex
	card       *softcard.Card // nil: out
	extended   bool
	epoch      uint64
	generation uint64
}

// epochs numbers the powering-ups and resets of all software cards.
var epochs atomic.Uint64

func newSoftReader(path string, slot int) *softReader {
	return &softReader{path: path, name: softPrefix + path, slot: slot, lane: make(chan struct{}, 1)}
}

// open powers the card up when that is still to be done.
func (r *softReader) open() (*softcard.Card, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.card != nil {
		return r.card, nil
	}
	c, err := softcard.Open(r.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s: no such software card; make one with: cardtool softcard create %s", apdu.ErrRemoved, r.path, r.path)
	case err != nil:
		return nil, err
	}
	atr, _ := reader.ParseATR(c.ATR())
	r.card, r.extended = c, atr.ExtendedLength()
	r.epoch = epochs.Add(1)
	r.generation++
	return c, nil
}

// state looks whether the card is there.
func (r *softReader) state() (reader.State, error) {
	r.mu.Lock()
	if r.card != nil && !exists(r.path) {
		_ = r.card.Close()
		r.card = nil
	}
	r.mu.Unlock()
	st := reader.State{Slot: r.slot, Reader: r.name}
	c, err := r.open()
	r.mu.Lock()
	st.Generation = r.generation
	r.mu.Unlock()
	switch {
	case err == nil:
		st.Card, st.ATR = true, c.ATR()
	case !errors.Is(err, apdu.ErrRemoved):
		st.Card, st.Mute = true, true
	}
	return st, err
}

func (r *softReader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.card != nil {
		_ = r.card.Close()
		r.card = nil
	}
}

// wasReset takes note that the card has forgotten everything.
func (r *softReader) wasReset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch = epochs.Add(1)
}

// A softConn is a connection to a software card.
type softConn struct{ r *softReader }

func (c *softConn) Reader() string { return c.r.name }

func (c *softConn) ExtendedLength() bool {
	_, err := c.r.open()
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return err == nil && c.r.extended
}

func (c *softConn) ATR() []byte {
	card, err := c.r.open()
	if err != nil {
		return nil
	}
	return card.ATR()
}

func (c *softConn) PINPad(context.Context) (bool, error) { return false, nil }

func (c *softConn) Close() error { return nil }

func (c *softConn) Reset(ctx context.Context) error {
	return c.Transact(ctx, func(apdu.Transaction) error {
		card, err := c.r.open()
		if err != nil {
			return err
		}
		card.Reset()
		c.r.wasReset()
		return nil
	})
}

// Transact holds the card against all other connections of this process. Those
// of other processes have, with a power of their own, a card of their own; the
// state file is safe for all.
func (c *softConn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case c.r.lane <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	t := &softTransaction{ctx: ctx, r: c.r}
	defer t.end()
	card, err := c.r.open()
	if err != nil {
		return err
	}
	t.card = card
	c.r.mu.Lock()
	t.epoch = c.r.epoch
	c.r.mu.Unlock()
	return f(t)
}

type softTransaction struct {
	ctx   context.Context
	r     *softReader
	card  *softcard.Card
	epoch uint64
	err   error // the first of the wire
	ended bool
	over  bool // an abandoned exchange has the lane
}

func (t *softTransaction) Epoch() uint64 { return t.epoch }

func (t *softTransaction) end() {
	t.ended = true
	if !t.over {
		<-t.r.lane
	}
}

// Transmit exchanges one APDU. An exchange that ctx ends goes on by itself, as
// with a real card, and keeps the lane until it is done.
func (t *softTransaction) Transmit(command []byte) ([]byte, error) {
	switch {
	case t.ended:
		return nil, fmt.Errorf("reader %q: the transaction has ended", t.r.name)
	case t.err != nil:
		return nil, t.err
	case t.ctx.Err() != nil:
		return nil, t.ctx.Err()
	case t.ctx.Done() == nil:
		resp, err := t.card.Transmit(command)
		return resp, t.fail(err)
	}
	type answer struct {
		resp []byte
		err  error
	}
	copied := append([]byte(nil), command...)
	done := make(chan answer, 1)
	var decided atomic.Bool
	go func() {
		resp, err := t.card.Transmit(copied)
		clear(copied)
		if decided.CompareAndSwap(false, true) {
			done <- answer{resp, err}
			return
		}
		if err != nil {
			t.r.wasReset()
		}
		<-t.r.lane
	}()
	select {
	case a := <-done:
		return a.resp, t.fail(a.err)
	case <-t.ctx.Done():
		if !decided.CompareAndSwap(false, true) {
			a := <-done
			return a.resp, t.fail(a.err)
		}
		t.over = true
		t.err = t.ctx.Err()
		return nil, t.err
	}
}

// wireErrors are the softcard's, and what they are to everyone else.
var wireErrors = []struct{ soft, wire error }{
	{softcard.ErrRemoved, apdu.ErrRemoved},
	{softcard.ErrReset, apdu.ErrReset},
	{softcard.ErrSilent, apdu.ErrNoAnswer},
	{fs.ErrNotExist, apdu.ErrRemoved},
}

func (t *softTransaction) fail(err error) error {
	if err == nil {
		return nil
	}
	t.r.wasReset()
	t.err = fmt.Errorf("reader %q: %w", t.r.name, err)
	for _, w := range wireErrors {
		if errors.Is(err, w.soft) {
			t.err = fmt.Errorf("reader %q: %w (%w)", t.r.name, w.wire, err)
		}
	}
	return t.err
}
