package piv

import "sync/atomic"

// An atomicOnce is taken by the first who asks.
type atomicOnce struct{ taken atomic.Bool }

func (o *atomicOnce) take() bool { return o.taken.CompareAndSwap(false, true) }
