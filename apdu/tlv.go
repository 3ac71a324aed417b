package apdu

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A Tag is a BER-TLV tag as it is written, of one to four bytes: 0x7C, 0x7F49,
// 0x5FC105 (ISO 7816-4 section 5.2.2.1).
type Tag uint32

// Bytes are the tag as it is written, in a tag list (5C) say.
func (t Tag) Bytes() []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(t))
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

// String is the tag in hex.
func (t Tag) String() string { return fmt.Sprintf("%X", t.Bytes()) }

// A TLV is one BER-TLV data object.
type TLV struct {
	Tag   Tag
	Value []byte // a part of the bytes it was read from, not a copy
}

// ErrTLV: the bytes are not BER-TLV with definite lengths.
var ErrTLV = errors.New("apdu: malformed BER-TLV")

// ReadTLV reads the first data object of b and returns what follows it. It
// allocates nothing: a length beyond b is ErrTLV, as are the indefinite length,
// tags of more than four bytes and the tag 00.
func ReadTLV(b []byte) (v TLV, rest []byte, err error) {
	tag, b, err := readTag(b)
	if err != nil {
		return TLV{}, nil, err
	}
	n, b, err := readLength(b)
	if err != nil {
		return TLV{}, nil, fmt.Errorf("%w (tag %v)", err, tag)
	}
	if n > uint64(len(b)) {
		return TLV{}, nil, fmt.Errorf("%w: tag %v announces %d bytes, %d are there", ErrTLV, tag, n, len(b))
	}
	return TLV{Tag: tag, Value: b[:n:n]}, b[n:], nil
}

func readTag(b []byte) (Tag, []byte, error) {
	if len(b) == 0 {
		return 0, nil, fmt.Errorf("%w: no tag", ErrTLV)
	}
	if b[0] == 0 {
		return 0, nil, fmt.Errorf("%w: tag 00", ErrTLV)
	}
	tag := Tag(b[0])
	if b[0]&0x1F != 0x1F {
		return tag, b[1:], nil
	}
	for i := 1; i < len(b) && i < 4; i++ {
		if i == 1 && b[i] == 0x80 {
			return 0, nil, fmt.Errorf("%w: tag number with leading zeros", ErrTLV)
		}
		tag = tag<<8 | Tag(b[i])
		if b[i]&0x80 == 0 {
			return tag, b[i+1:], nil
		}
	}
	return 0, nil, fmt.Errorf("%w: unfinished tag", ErrTLV)
}

// readLength accepts lengths that are longer than they need be: BER allows
// them and cards write them. The length may exceed what follows.
func readLength(b []byte) (uint64, []byte, error) {
	switch {
	case len(b) == 0:
		return 0, nil, fmt.Errorf("%w: no length", ErrTLV)
	case b[0] < 0x80:
		return uint64(b[0]), b[1:], nil
	case b[0] == 0x80:
		return 0, nil, fmt.Errorf("%w: indefinite length", ErrTLV)
	}
	size := int(b[0] & 0x7F)
	if size > 4 || size > len(b)-1 {
		return 0, nil, fmt.Errorf("%w: length of %d bytes", ErrTLV, size)
	}
	var n uint64
	for _, d := range b[1 : 1+size] {
		n = n<<8 | uint64(d)
	}
	return n, b[1+size:], nil
}

// ParseTLVs reads all of b as data objects.
func ParseTLVs(b []byte) ([]TLV, error) {
	var all []TLV
	for len(b) > 0 {
		v, rest, err := ReadTLV(b)
		if err != nil {
			return nil, err
		}
		all, b = append(all, v), rest
	}
	return all, nil
}

// EncodeTLV builds a data object with the shortest length, its value the
// values one after the other. Calls nest:
//
//	EncodeTLV(0x7C, EncodeTLV(0x82), EncodeTLV(0x81, challenge))
//
// It panics on a tag that ReadTLV would not read back: tags are constants.
func EncodeTLV(tag Tag, values ...[]byte) []byte { return AppendTLV(nil, tag, values...) }

// AppendTLV is EncodeTLV behind what dst holds.
func AppendTLV(dst []byte, tag Tag, values ...[]byte) []byte {
	dst = appendTag(dst, tag)
	n := 0
	for _, v := range values {
		n += len(v)
	}
	dst = appendLength(dst, n)
	for _, v := range values {
		dst = append(dst, v...)
	}
	return dst
}

func appendTag(dst []byte, tag Tag) []byte {
	b := tag.Bytes()
	if got, rest, err := readTag(b); err != nil || len(rest) > 0 || got != tag {
		panic(fmt.Sprintf("apdu: %v is not a BER tag", tag))
	}
	return append(dst, b...)
}

func appendLength(dst []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(dst, byte(n))
	case n <= 0xFF:
		return append(dst, 0x81, byte(n))
	case n <= 0xFFFF:
		return append(dst, 0x82, byte(n>>8), byte(n))
	case n <= 0xFFFFFF:
		return append(dst, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		return append(dst, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
}
