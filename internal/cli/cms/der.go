package cms

import (
	"bytes"
	"sort"
)

// Tags of DER that the format uses.
const (
	tagInteger     = 0x02
	tagOctetString = 0x04
	tagOID         = 0x06
	tagSequence    = 0x30
	tagSet         = 0x31
	tagContext0    = 0xA0 // [0], constructed
)

// header is the tag and length of a value of n bytes; values larger than
// memory are written after their header.
func header(tag byte, n int64) []byte {
	if n < 0x80 {
		return []byte{tag, byte(n)}
	}
	var length []byte
	for ; n > 0; n >>= 8 {
		length = append([]byte{byte(n)}, length...)
	}
	return append([]byte{tag, 0x80 | byte(len(length))}, length...)
}

func tlv(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(header(tag, int64(len(body))), body...)
}

// setOf sorts, as DER wants of a SET OF.
func setOf(tag byte, parts ...[]byte) []byte {
	sorted := append([][]byte(nil), parts...)
	sort.Slice(sorted, func(i, j int) bool { return bytes.Compare(sorted[i], sorted[j]) < 0 })
	return tlv(tag, sorted...)
}
