package session

import "slices"

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

// endKeyless ends the operations that lost their key, in all sessions with a token. Under the application's lock.
func (a *Application) endKeyless(b *binding) {
	for i := b.first; i != 0; {
		c := a.sessions.cell(i)
		i = c.v.next
		if c.v.extra.Load() == 0 {
			continue
		}
		h := SessionHandle(c.last)
		if x := a.extras[shardOf(h)].get(h); x != nil {
			x.retire((*Operation).keyless)
			x.tidy()
		}
	}
}
