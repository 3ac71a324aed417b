package reader

import (
	"context"
	"time"
)

// A System is the machine's PC/SC service: pcscd, or Windows' Smart Card
// service. It holds nothing; it may be used from any goroutine.
type System struct {
	pcsc     service
	patience patience
}

// patience is how long to wait for what.
type patience struct {
	transaction time.Duration // for another program's transaction to end
	exclusive   time.Duration // for another program to give an exclusive connection up
	poll        time.Duration // between looks for that
	removal     time.Duration // for a card that failed to be seen gone
	recheck     time.Duration // before readers are counted once more, see Monitor
	readers     time.Duration // between looks for new readers, where nothing tells of them
}

var usualPatience = patience{
	// Longer than a touch is waited for (15 s), and than most generate a key.
	transaction: 30 * time.Second,
	exclusive:   3 * time.Second,
	poll:        100 * time.Millisecond,
	removal:     time.Second,
	recheck:     time.Second,
	readers:     time.Second,
}

// New does nothing yet: the service is asked when something is asked of the
// System.
func New() *System { return newSystem(newService()) }

func newSystem(pcsc service) *System {
	return &System{pcsc: pcsc, patience: usualPatience}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// List looks at all readers once. No readers are no error.
func (s *System) List(ctx context.Context) ([]State, error) { return s.Monitor().Readers(ctx) }
