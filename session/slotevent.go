package session

import (
	"slices"
	"sync"
)

// slotEvents are an application's flags of C_WaitForSlotEvent, one a slot: an insertion or removal sets it, being told
// clears it. They are kept in the order they were set, so that no busy slot hides another.
type slotEvents struct {
	mu      sync.Mutex
	change  sync.Cond
	flagged []SlotID
	stopped bool
}

func (e *slotEvents) post(id SlotID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.flagged, id) {
		e.flagged = append(e.flagged, id)
		e.change.Signal()
	}
}

func (e *slotEvents) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
	e.change.Broadcast()
}

// WaitForSlotEvent is C_WaitForSlotEvent: the slot of an insertion or removal the application was not told of yet. If there
// is none it waits, and Close wakes it; or returns CKR_NO_EVENT, if block is false (CKF_DONT_BLOCK).
func (a *Application) WaitForSlotEvent(block bool) (SlotID, error) {
	e := &a.events
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		switch {
		case e.stopped:
			return 0, CKR_CRYPTOKI_NOT_INITIALIZED
		case len(e.flagged) > 0:
			id := e.flagged[0]
			e.flagged = e.flagged[1:]
			return id, nil
		case !block:
			return 0, CKR_NO_EVENT
		}
		e.change.Wait()
	}
}
