package piv

import (
	"fmt"

	"cardbridge/card"
)

// tlv builds one BER-TLV data object of the concatenated values.
func tlv(tag Tag, values ...[]byte) []byte {
	n := 0
	for _, v := range values {
		n += len(v)
	}
	b := tag.bytes()
	switch {
	case n < 0x80:
		b = append(b, byte(n))
	case n <= 0xFF:
		b = append(b, 0x81, byte(n))
	case n <= 0xFFFF:
		b = append(b, 0x82, byte(n>>8), byte(n))
	default:
		b = append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	for _, v := range values {
		b = append(b, v...)
	}
	return b
}

// An element is one data object of a card's answer.
type element struct {
	tag   Tag
	value []byte
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", card.ErrInvalidAnswer, fmt.Sprintf(format, args...))
}

// elements takes a run of data objects apart.
func elements(b []byte) ([]element, error) {
	var es []element
	for len(b) > 0 {
		e, rest, err := nextElement(b)
		if err != nil {
			return nil, err
		}
		es, b = append(es, e), rest
	}
	return es, nil
}

func nextElement(b []byte) (element, []byte, error) {
	tag := Tag(b[0])
	b = b[1:]
	if tag&0x1F == 0x1F {
		for i := 0; ; i++ {
			if i == 3 || len(b) == 0 {
				return element{}, nil, malformed("bad tag")
			}
			c := b[0]
			tag, b = tag<<8|Tag(c), b[1:]
			if c&0x80 == 0 {
				break
			}
		}
	}
	if len(b) == 0 {
		return element{}, nil, malformed("tag %v without length", tag)
	}
	n := int(b[0])
	b = b[1:]
	if n >= 0x80 {
		k := n & 0x7F
		if k == 0 || k > 3 || k > len(b) {
			return element{}, nil, malformed("tag %v with a bad length", tag)
		}
		n = 0
		for _, c := range b[:k] {
			n = n<<8 | int(c)
		}
		b = b[k:]
	}
	if n > len(b) {
		return element{}, nil, malformed("tag %v is %d bytes short", tag, n-len(b))
	}
	return element{tag, b[:n:n]}, b[n:], nil
}

// find returns the first element with the tag.
func find(es []element, tag Tag) ([]byte, bool) {
	for _, e := range es {
		if e.tag == tag {
			return e.value, true
		}
	}
	return nil, false
}

// only reads b as exactly one data object with the tag.
func only(b []byte, tag Tag) ([]byte, error) {
	if len(b) == 0 {
		return nil, malformed("empty answer where tag %v was expected", tag)
	}
	e, rest, err := nextElement(b)
	switch {
	case err != nil:
		return nil, err
	case e.tag != tag:
		return nil, malformed("tag %v where %v was expected", e.tag, tag)
	case len(rest) > 0:
		return nil, malformed("%d bytes after tag %v", len(rest), tag)
	}
	return e.value, nil
}

// inside reads b as one data object with the tag, and what is inside it.
func inside(b []byte, tag Tag) ([]element, error) {
	v, err := only(b, tag)
	if err != nil {
		return nil, err
	}
	return elements(v)
}
