package session

import (
	"maps"
	"slices"
	"sync"
)

// Ender is the state of an operation that has something to give up when the operation ends, however it does: a PIN, a
// buffer. End is called once, never while a step or an Authorize of the operation runs: if one does, right after it. It
// is called with locks held, so it may neither wait nor call back.
type Ender interface {
	End()
}

// retire takes the operations for which gone holds out of the active ones. Their ends come with settle.
func (x *extra) retire(gone func(*Operation) bool) (n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.retireLocked(gone)
}

func (x *extra) retireLocked(gone func(*Operation) bool) (n int) {
	x.ops = slices.DeleteFunc(x.ops, func(o *Operation) bool {
		if !gone(o) {
			return false
		}
		n++
		if o.key != nil {
			o.r.b.inUse.add(x, -1)
		}
		if e, ok := o.state.(Ender); ok {
			x.ending = append(x.ending, e)
		}
		return true
	})
	return n
}

func all(*Operation) bool { return true }

// settle ends what was retired. With the session's turn, so that no step is running.
func (x *extra) settle() {
	x.mu.Lock()
	ending := x.ending
	x.ending = nil
	x.mu.Unlock()
	for _, e := range ending {
		e.End()
	}
}

func (x *extra) unsettled() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.ending) > 0
}

// tidy settles for who has not the turn, and does not wait for it: whoever has it settles when they leave.
func (x *extra) tidy() {
	for x.unsettled() {
		select {
		case x.turn <- struct{}{}:
			x.settle()
			<-x.turn
		default:
			return
		}
	}
}

// leave passes on the session's turn.
func (x *extra) leave() {
	x.settle()
	<-x.turn
	x.tidy() // what was retired between the two, by someone who found the turn taken
}

// end is the end of the session.
func (x *extra) end() {
	close(x.gone)
	x.retire(all)
	x.tidy()
}

// keysInUse counts the active operations with a key, by session: when a key goes, these few sessions are looked at and not
// all that are open. Its lock is the innermost of all.
type keysInUse struct {
	mu sync.Mutex
	by map[*extra]int
}

func (k *keysInUse) add(x *extra, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.by == nil {
		k.by = make(map[*extra]int)
	}
	if k.by[x] += n; k.by[x] == 0 {
		delete(k.by, x)
	}
}

func (k *keysInUse) sessions() []*extra {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Keys(k.by))
}

// endKeyless ends the operations with a token's keys that lost theirs.
func (b *binding) endKeyless() {
	for _, x := range b.inUse.sessions() {
		x.retire((*Operation).keyless)
		x.tidy()
	}
}
