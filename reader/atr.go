package reader

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// Errors of ParseATR.
var (
	ErrMalformedATR = errors.New("malformed ATR")
	ErrATRChecksum  = errors.New("wrong ATR checksum")
)

// MaxATR is the most bytes an answer to reset can have (ISO 7816-3 section
// 8.2.1: TS and at most 32 more).
const MaxATR = 33

// An ATR is an answer to reset, taken apart as in ISO 7816-3 section 8.2.
type ATR struct {
	Raw []byte
	// Inverse tells the convention: TS 3F instead of 3B.
	Inverse bool
	// Protocols are the transmission protocols offered, T=0 to T=14, the default
	// first. Without any TD byte that is T=0.
	Protocols []int
	// Historical are the historical bytes; see Card for what they say.
	Historical []byte
	// Checked: there is a checksum TCK, and it is right. It is left out where
	// only T=0 is offered.
	Checked bool
	// Card is what the historical bytes say in the standard's ways.
	Card CardData
}

// ParseATR takes an ATR apart. A wrong checksum is ErrATRChecksum next to an
// ATR that can be used all the same: readers let such cards pass.
func ParseATR(b []byte) (ATR, error) {
	a := ATR{Raw: bytes.Clone(b)}
	if len(b) < 2 || len(b) > MaxATR {
		return a, fmt.Errorf("%w: %d bytes", ErrMalformedATR, len(b))
	}
	switch b[0] {
	case 0x3B:
	case 0x3F:
		a.Inverse = true
	default:
		return a, fmt.Errorf("%w: it begins with %02X", ErrMalformedATR, b[0])
	}
	rest := b[2:]
	historical := int(b[1] & 0x0F)
	checksum := false
	// Interface bytes: each TD says which of TA, TB, TC and TD follow, and for
	// which protocol they are. T=15 stands for no protocol (section 8.2.3).
	for y := b[1] >> 4; y != 0; {
		td := -1
		for bit := range 4 {
			if y&(1<<bit) == 0 {
				continue
			}
			if len(rest) == 0 {
				return a, fmt.Errorf("%w: interface bytes are missing", ErrMalformedATR)
			}
			if bit == 3 {
				td = int(rest[0])
			}
			rest = rest[1:]
		}
		if td < 0 {
			break
		}
		t := td & 0x0F
		checksum = checksum || t != 0
		if t != 15 && !slices.Contains(a.Protocols, t) {
			a.Protocols = append(a.Protocols, t)
		}
		y = byte(td >> 4)
	}
	if len(a.Protocols) == 0 {
		a.Protocols = []int{0}
	}
	if len(rest) < historical {
		return a, fmt.Errorf("%w: %d historical bytes of %d", ErrMalformedATR, len(rest), historical)
	}
	a.Historical = bytes.Clone(rest[:historical])
	a.Card = parseHistorical(a.Historical)
	rest = rest[historical:]
	switch {
	case !checksum && len(rest) == 0:
		return a, nil
	case !checksum || len(rest) > 1:
		return a, fmt.Errorf("%w: more bytes than it announces", ErrMalformedATR)
	case len(rest) == 0:
		return a, fmt.Errorf("%w: no checksum", ErrMalformedATR)
	}
	var sum byte
	for _, v := range b[1:] {
		sum ^= v
	}
	if sum != 0 {
		return a, ErrATRChecksum
	}
	a.Checked = true
	return a, nil
}

// ExtendedLength tells whether the card says that it takes extended Lc and Le
// fields. Many that do not say so do.
func (a ATR) ExtendedLength() bool { return a.Card.ExtendedLength }

// String is the ATR as it is usually written, in hex with blanks.
func (a ATR) String() string { return fmt.Sprintf("% X", a.Raw) }
