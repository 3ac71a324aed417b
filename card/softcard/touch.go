package softcard

import (
	"context"
	"time"
)

const (
	touchPatience = 15 * time.Second // how long a key blinks before it gives up
	touchLasts    = 15 * time.Second // how long the policy "cached" remembers
)

// WithTouch is asked whenever a key's policy wants a touch; it returns whether one came. It should return when ctx ends, which
// it does when the card's patience (15 s) or the card itself is gone. Without this option every touch comes at once.
func WithTouch(touch func(ctx context.Context) bool) Option { return func(c *Card) { c.touch = touch } }

// TouchAfter is somebody who touches after the delay.
func TouchAfter(delay time.Duration) func(context.Context) bool {
	return func(ctx context.Context) bool {
		sleep(ctx, delay)
		return ctx.Err() == nil
	}
}

// touched tells whether the policy's demand is met, and asks for a touch if need be.
func (c *Card) touched(ctx context.Context, policy byte) bool {
	switch policy {
	case touchAlways:
	case touchCached:
		if !c.power.touched.IsZero() && time.Since(c.power.touched) < touchLasts {
			return true
		}
	default:
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, touchPatience)
	defer cancel()
	if !c.touch(ctx) || ctx.Err() != nil {
		return false
	}
	c.power.touched = time.Now()
	return true
}
