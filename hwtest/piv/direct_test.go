package piv_test

import (
	"context"
	"testing"
	"time"

	"cardbridge/card/piv"
	"cardbridge/hwtest"
	"cardbridge/reader"
)

// direct is the card in the first reader, past cardtool, until the test is over;
// what is asked of it has to end within patience.
func direct(t *testing.T, r *hwtest.Rig, patience time.Duration) (context.Context, *piv.Card) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	conn := reader.New().Connect(r.Reader(0))
	c := piv.Open(conn)
	t.Cleanup(func() {
		c.Close()    //nolint:errcheck // nothing to lose
		conn.Close() //nolint:errcheck // nothing to lose
		cancel()
	})
	return ctx, c
}
