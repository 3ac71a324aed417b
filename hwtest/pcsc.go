package hwtest

import (
	"context"
	"fmt"
	"time"

	"github.com/ebfe/scard"
)

// awaitCard waits until PC/SC sees a card in a reader, or sees it gone. It uses
// PC/SC directly, so that nothing here stands on the code under test.
func awaitCard(ctx context.Context, reader string, present bool) error {
	pcsc, err := scard.EstablishContext()
	if err != nil {
		return err
	}
	defer pcsc.Release() //nolint:errcheck // nothing to lose
	states := []scard.ReaderState{{Reader: reader}}
	for {
		err := pcsc.GetStatusChange(states, 200*time.Millisecond)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%w; last %v, %v", ctx.Err(), states[0].EventState, err)
		case err == scard.ErrUnknownReader || err == scard.ErrTimeout:
			continue
		case err != nil:
			return err
		}
		state := states[0].EventState
		if state&scard.StateMute == 0 && state&scard.StatePresent != 0 == present && state&scard.StateUnknown == 0 {
			return nil
		}
		states[0].CurrentState = state
	}
}
