package apdu

import (
	"errors"
	"fmt"
)

// Limits of ISO 7816-4 section 5.1, table 1.
const (
	MaxShortLc    = 255
	MaxShortLe    = 256
	MaxExtendedLc = 65535
	MaxExtendedLe = 65536
)

// LeMax as a Command's Le asks for as much as the encoding in use can ask for:
// 256 bytes in short form, 65,536 in extended form.
const LeMax = -1

// A Command is a command APDU of any of the four cases of ISO 7816-4
// section 5.1: with or without Data, with or without an expected answer.
type Command struct {
	CLA, INS, P1, P2 byte
	// Data is the command data field; empty for cases 1 and 2.
	Data []byte
	// Le is the greatest number of bytes expected in the answer: 0 for none
	// (cases 1 and 3), up to 65,536, or LeMax.
	Le int
	// Secret marks Data as a PIN or key whatever the instruction, so that no
	// trace shows it.
	Secret bool
}

// Errors of encoding and parsing.
var (
	ErrTooLong   = errors.New("apdu: data or expected length does not fit the encoding")
	ErrMalformed = errors.New("apdu: malformed command APDU")
)

// Encode returns the command in short or extended form (ISO 7816-4
// section 5.1). Data or Le beyond what that form can carry is ErrTooLong; a
// [Channel] chains instead.
func (c Command) Encode(extended bool) ([]byte, error) {
	maxLc, maxLe := MaxShortLc, MaxShortLe
	if extended {
		maxLc, maxLe = MaxExtendedLc, MaxExtendedLe
	}
	le := c.Le
	if le == LeMax {
		le = maxLe
	}
	if len(c.Data) > maxLc || le > maxLe || le < 0 {
		return nil, fmt.Errorf("%w: %d bytes of data, %d expected", ErrTooLong, len(c.Data), c.Le)
	}
	b := make([]byte, 4, 4+3+len(c.Data)+2)
	b[0], b[1], b[2], b[3] = c.CLA, c.INS, c.P1, c.P2
	n := len(c.Data)
	switch {
	case n == 0 && le == 0: // case 1
		return b, nil
	case !extended:
		if n > 0 { // case 3
			b = append(append(b, byte(n)), c.Data...)
		}
		if le > 0 { // cases 2 and 4; 256 is written 00
			b = append(b, byte(le))
		}
		return b, nil
	default:
		b = append(b, 0)
		if n > 0 {
			b = append(append(b, byte(n>>8), byte(n)), c.Data...)
		}
		if le > 0 { // 65536 is written 0000
			b = append(b, byte(le>>8), byte(le))
		}
		return b, nil
	}
}

// ParseCommand reads a command APDU in either form. It is what traces, fault
// plans and recordings use to know what passes by.
func ParseCommand(b []byte) (c Command, extended bool, err error) {
	if len(b) < 4 {
		return Command{}, false, ErrMalformed
	}
	c = Command{CLA: b[0], INS: b[1], P1: b[2], P2: b[3]}
	body := b[4:]
	switch {
	case len(body) == 0: // case 1
		return c, false, nil
	case len(body) == 1: // case 2 short
		c.Le = shortLe(body[0])
		return c, false, nil
	case body[0] != 0: // cases 3 and 4 short
		n := int(body[0])
		switch len(body) {
		case 1 + n:
		case 1 + n + 1:
			c.Le = shortLe(body[1+n])
		default:
			return Command{}, false, ErrMalformed
		}
		c.Data = body[1 : 1+n]
		return c, false, nil
	case len(body) == 3: // case 2 extended
		c.Le = extendedLe(body[1], body[2])
		return c, true, nil
	case len(body) < 3:
		return Command{}, false, ErrMalformed
	default: // cases 3 and 4 extended
		n := int(body[1])<<8 | int(body[2])
		switch {
		case n == 0:
			return Command{}, false, ErrMalformed
		case len(body) == 3+n:
		case len(body) == 3+n+2:
			c.Le = extendedLe(body[3+n], body[3+n+1])
		default:
			return Command{}, false, ErrMalformed
		}
		c.Data = body[3 : 3+n]
		return c, true, nil
	}
}

func shortLe(b byte) int {
	if b == 0 {
		return MaxShortLe
	}
	return int(b)
}

func extendedLe(hi, lo byte) int {
	if n := int(hi)<<8 | int(lo); n != 0 {
		return n
	}
	return MaxExtendedLe
}
