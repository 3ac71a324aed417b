package cms

import (
	"bytes"
	"fmt"
)

// maxDepth bounds how deep values are nested.
const maxDepth = 32

// A berHeader is what stands before a value.
type berHeader struct {
	tag        byte
	size       int   // of the header
	length     int64 // of the value, where it is said
	indefinite bool
}

// parseHeader reads a header; tags of several bytes do not occur here.
func parseHeader(b []byte) (h berHeader, ok bool) {
	if len(b) < 2 || b[0]&0x1F == 0x1F {
		return h, false
	}
	h.tag, h.size = b[0], 2
	switch n := int(b[1]); {
	case n < 0x80:
		h.length = int64(n)
	case n == 0x80:
		h.indefinite = true
	default:
		n &= 0x7F
		if n > 7 || len(b) < 2+n {
			return h, false
		}
		h.size += n
		for _, c := range b[2:h.size] {
			h.length = h.length<<8 | int64(c)
		}
	}
	return h, true
}

// toDER writes BER with definite lengths and octet strings in one piece: what
// OpenSSL's -stream makes has neither.
func toDER(b []byte) ([]byte, error) {
	out, rest, err := valueToDER(b, 0)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: %d bytes after its end", ErrMalformed, len(rest))
	}
	return out, err
}

func valueToDER(b []byte, depth int) (out, rest []byte, err error) {
	h, ok := parseHeader(b)
	if !ok || depth > maxDepth || h.indefinite && h.tag&0x20 == 0 || !h.indefinite && h.length > int64(len(b)-h.size) {
		return nil, nil, ErrMalformed
	}
	body := b[h.size:]
	if !h.indefinite {
		rest = body[h.length:]
		body = body[:h.length]
	}
	if h.tag&0x20 == 0 {
		return b[:len(b)-len(rest)], rest, nil
	}
	const constructedOctetString = tagOctetString | 0x20
	var parts bytes.Buffer
	for {
		if h.indefinite && bytes.HasPrefix(body, []byte{0, 0}) {
			rest = body[2:]
			break
		}
		if !h.indefinite && len(body) == 0 {
			break
		}
		var part []byte
		if part, body, err = valueToDER(body, depth+1); err != nil {
			return nil, nil, err
		}
		if h.tag == constructedOctetString {
			inner, ok := parseHeader(part)
			if !ok || inner.tag != tagOctetString {
				return nil, nil, ErrMalformed
			}
			part = part[inner.size:]
		}
		parts.Write(part)
	}
	tag := h.tag
	if tag == constructedOctetString {
		tag = tagOctetString
	}
	return tlv(tag, parts.Bytes()), rest, nil
}
