package softcard

// A tlv is one BER-TLV data object: a tag of one to three bytes and a definite length.
type tlv struct {
	tag   uint32
	value []byte
}

// parseTLVs reads data objects until the bytes end; anything left over or malformed is no list of data objects.
func parseTLVs(b []byte) ([]tlv, bool) {
	var out []tlv
	for len(b) > 0 {
		t, rest, ok := parseTLV(b)
		if !ok {
			return nil, false
		}
		out, b = append(out, t), rest
	}
	return out, true
}

func parseTLV(b []byte) (t tlv, rest []byte, ok bool) {
	t.tag = uint32(b[0])
	i := 1
	if b[0]&0x1F == 0x1F {
		for more := true; more; i++ {
			if i >= len(b) || i > 2 {
				return t, nil, false
			}
			t.tag = t.tag<<8 | uint32(b[i])
			more = b[i]&0x80 != 0
		}
	}
	n, used, ok := parseLength(b[i:])
	if !ok || n > len(b)-i-used {
		return t, nil, false
	}
	i += used
	t.value = b[i : i+n]
	return t, b[i+n:], true
}

func parseLength(b []byte) (n, used int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	if b[0] < 0x80 {
		return int(b[0]), 1, true
	}
	count := int(b[0] & 0x7F)
	if count == 0 || count > 3 || len(b) < 1+count {
		return 0, 0, false
	}
	for _, v := range b[1 : 1+count] {
		n = n<<8 | int(v)
	}
	return n, 1 + count, true
}

// find is the first object with the tag.
func find(list []tlv, tag uint32) ([]byte, bool) {
	for _, t := range list {
		if t.tag == tag {
			return t.value, true
		}
	}
	return nil, false
}

// appendTLV writes one data object.
func appendTLV(b []byte, tag uint32, value []byte) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		if v := byte(tag >> shift); v != 0 || shift == 0 {
			b = append(b, v)
		}
	}
	switch n := len(value); {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	default:
		b = append(b, 0x82, byte(n>>8), byte(n))
	}
	return append(b, value...)
}

// makeTLV is appendTLV for the values put together.
func makeTLV(tag uint32, values ...[]byte) []byte {
	var all []byte
	for _, v := range values {
		all = append(all, v...)
	}
	return appendTLV(nil, tag, all)
}
