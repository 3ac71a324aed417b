package piv

import (
	"encoding/hex"
	"strings"
)

// Hex is bytes that are shown in hex.
type Hex []byte

func (h Hex) String() string { return strings.ToUpper(hex.EncodeToString(h)) }

// MarshalText is String.
func (h Hex) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// A container is the data objects of a file, which are taken by tag. What is
// malformed makes err; what was taken is worth nothing then.
type container struct {
	es  elements
	err error
}

func readContainer(b []byte) *container {
	es, err := parsePadded(b)
	return &container{es, err}
}

// hex returns a value, nil where there is none.
func (c *container) hex(tag Tag) Hex {
	v, ok := c.es.find(tag)
	if !ok {
		return nil
	}
	return append(Hex{}, v...)
}

func (c *container) text(tag Tag) string { return strings.TrimRight(string(c.hex(tag)), " \x00") }

// fixed returns a value that must have n bytes where it is there.
func (c *container) fixed(tag Tag, n int) Hex {
	v := c.hex(tag)
	if v != nil && len(v) != n && c.err == nil {
		c.err = malformed("tag %v has %d bytes, not %d", tag, len(v), n)
	}
	return v
}

// number returns a value of one byte, 0 where there is none.
func (c *container) number(tag Tag) byte {
	v := c.fixed(tag, 1)
	if len(v) != 1 {
		return 0
	}
	return v[0]
}

// field is a data object where the value is not nil; an empty one is written.
func field(tag Tag, v []byte) []byte {
	if v == nil {
		return nil
	}
	return tlv(tag, v)
}

func join(fields ...[]byte) []byte {
	var b []byte
	for _, f := range fields {
		b = append(b, f...)
	}
	return b
}
