package piv

import (
	"bytes"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
)

// tlv builds one data object.
func tlv(tag Tag, values ...[]byte) []byte { return apdu.EncodeTLV(tag, values...) }

// elements are the data objects of a card's answer, in order.
type elements []apdu.TLV

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", card.ErrInvalidAnswer, fmt.Sprintf(format, args...))
}

// parse takes a run of data objects apart.
func parse(b []byte) (elements, error) {
	es, err := apdu.ParseTLVs(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", card.ErrInvalidAnswer, err)
	}
	return es, nil
}

// find returns the value of the first data object with the tag.
func (es elements) find(tag Tag) ([]byte, bool) {
	for _, e := range es {
		if e.Tag == tag {
			return e.Value, true
		}
	}
	return nil, false
}

// byte returns the value of a data object of one byte.
func (es elements) byte(tag Tag) (byte, bool) {
	v, ok := es.find(tag)
	if !ok || len(v) != 1 {
		return 0, false
	}
	return v[0], true
}

// only reads b as exactly one data object with the tag.
func only(b []byte, tag Tag) ([]byte, error) {
	e, rest, err := apdu.ReadTLV(b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", card.ErrInvalidAnswer, err)
	case e.Tag != tag:
		return nil, malformed("tag %v where %v was expected", e.Tag, tag)
	case len(rest) > 0:
		return nil, malformed("%d bytes after tag %v", len(rest), tag)
	}
	return e.Value, nil
}

// leading reads b as one data object with the tag, and padding: some cards fill
// their files up.
func leading(b []byte, tag Tag) ([]byte, error) {
	_, rest, err := apdu.ReadTLV(b)
	if err == nil && padding(rest) {
		b = b[:len(b)-len(rest)]
	}
	return only(b, tag)
}

// padding tells whether there is nothing in b: bytes 00, or bytes FF.
func padding(b []byte) bool {
	return len(bytes.Trim(b, "\x00")) == 0 || len(bytes.Trim(b, "\xFF")) == 0
}

// parsePadded is parse for files, which may have bytes without a meaning before,
// between and after their data objects: 00 (ISO 7816-4 section 5.2.2), FF after.
func parsePadded(b []byte) (elements, error) {
	var es elements
	for {
		b = bytes.TrimLeft(b, "\x00")
		if padding(b) {
			return es, nil
		}
		e, rest, err := apdu.ReadTLV(b)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", card.ErrInvalidAnswer, err)
		}
		es, b = append(es, e), rest
	}
}

// inside reads b as one data object with the tag, and what is inside it.
func inside(b []byte, tag Tag) (elements, error) {
	v, err := only(b, tag)
	if err != nil {
		return nil, err
	}
	return parse(v)
}
