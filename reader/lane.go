package reader

import (
	"context"
	"sync/atomic"
)

// A lane is the right to call PC/SC on one context; it holds one token.
type lane chan struct{}

func newLane() lane { return make(lane, 1) }

// A turn is a lane taken. It is over with end, or with a call that was
// abandoned: that one takes the lane along and gives it back when it is done,
// for nobody may call on its context before.
type turn struct {
	lane lane
	over bool
}

// turn waits until the lane is free.
func (l lane) turn(ctx context.Context) (*turn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case l <- struct{}{}:
		return &turn{lane: l}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// call runs f and returns its error. When ctx ends first it returns ctx's error
// at once, and the turn is over: f goes on in a goroutine of its own, clean
// runs after it, and only then is the lane free. f and clean therefore write
// only to what the lane guards or what nobody reads after an error.
func (t *turn) call(ctx context.Context, f func() error, clean func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return t.finish(ctx, f, clean)
}

// finish is call for what must be done even though ctx may have ended; only
// its end is not waited for then.
func (t *turn) finish(ctx context.Context, f func() error, clean func()) error {
	if t.over {
		return context.Canceled
	}
	if ctx.Done() == nil {
		return f()
	}
	var decided atomic.Bool // who came first: the call's end, or ctx's
	done := make(chan error, 1)
	go func() {
		err := f()
		if decided.CompareAndSwap(false, true) {
			done <- err
			return
		}
		clean()
		<-t.lane
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		if !decided.CompareAndSwap(false, true) {
			return <-done
		}
		t.over = true
		return ctx.Err()
	}
}

// end gives the lane back, unless an abandoned call took it along.
func (t *turn) end() {
	if !t.over {
		t.over = true
		<-t.lane
	}
}
