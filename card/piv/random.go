package piv

import (
	"context"
	"errors"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
)

// Random returns n bytes of the card's random numbers: the challenges of the
// management key's authentication (GENERAL AUTHENTICATE, SP 800-73-4 part 2,
// appendix A.1), which are never answered. Access condition: always. They are
// good to mix with the system's own, not instead of them: nothing proves how a
// card makes them.
func (c *Card) Random(ctx context.Context, n int) ([]byte, error) {
	if n < 0 || n > maxRandom {
		return nil, fmt.Errorf("random numbers of %d bytes; at most %d at a time", n, maxRandom)
	}
	return run(ctx, c, need{what: "get random numbers", again: true}, func(x *tx) ([]byte, error) {
		out := make([]byte, 0, n+16)
		if err := x.prove(); err != nil {
			return nil, err
		}
		for len(out) < n {
			b, err := x.challenge()
			if err != nil {
				return nil, err
			}
			out = append(out, b...)
		}
		return out[:n], nil
	})
}

const maxRandom = 4096

// challenge is a challenge of the management key. Asking for one forgets an
// authentication on some cards.
func (x *tx) challenge() ([]byte, error) {
	kinds := managementTable
	if x.mayHaveMetadata() {
		k, err := x.adminMetadata()
		if err == nil {
			kinds = []managementRow{k.row}
		} else if !errors.Is(err, errNoMetadata) {
			return nil, err
		}
	}
	var err error
	for _, row := range kinds {
		var b []byte
		b, err = x.send(apdu.Command{INS: insAuthenticate, P1: row.id, P2: refAdminKey, Data: tlv(tagTemplate, tlv(tagChallenge)), Le: apdu.MaxShortLe})
		if err == nil {
			x.c.state.admin, x.admin = false, false
			block := 16
			if row.algorithm == TripleDES {
				block = 8
			}
			return step(b, tagChallenge, block)
		}
		if !errors.Is(refusedForm(err, errOtherForm), errOtherForm) && !withheld(err) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: random numbers: %w", card.ErrUnsupported, err)
}
