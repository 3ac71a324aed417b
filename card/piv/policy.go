package piv

import (
	"fmt"

	"cardbridge/card"
)

// Tags of the policies in GENERATE and IMPORT (Yubico).
const (
	tagPINPolicy   Tag = 0xAA
	tagTouchPolicy Tag = 0xAB
)

// policyFields are the policies as GENERATE and IMPORT take them; nothing for
// the card's defaults.
func (x *tx) policyFields(pin card.PINPolicy, touch card.TouchPolicy) ([]byte, error) {
	if pin == card.PINUnknown && touch == card.TouchUnknown {
		return nil, nil
	}
	if !x.row().HasPolicies {
		return nil, fmt.Errorf("%w: PIN and touch policies for a key of its own", card.ErrUnsupported)
	}
	var b []byte
	if pin != card.PINUnknown {
		v, ok := code(pinPolicies, pin)
		if !ok {
			return nil, fmt.Errorf("%w: PIN policy %q", card.ErrUnsupported, pin)
		}
		b = append(b, tlv(tagPINPolicy, []byte{v})...)
	}
	if touch != card.TouchUnknown {
		v, ok := code(touchPolicies, touch)
		if !ok {
			return nil, fmt.Errorf("%w: touch policy %q", card.ErrUnsupported, touch)
		}
		b = append(b, tlv(tagTouchPolicy, []byte{v})...)
	}
	return b, nil
}

func code[T comparable](table map[byte]T, v T) (byte, bool) {
	for k, t := range table {
		if t == v {
			return k, true
		}
	}
	return 0, false
}

// effective are the policies of a key made with these options, as far as they
// are known without asking: a card that has policies has defaults of its own.
func (x *tx) effective(s Slot, pin card.PINPolicy, touch card.TouchPolicy) card.KeyInfo {
	k := s.info()
	k.TouchPolicy = card.TouchNever
	if x.row().HasPolicies {
		k.PINPolicy, k.TouchPolicy = pin, touch
	}
	return k
}
