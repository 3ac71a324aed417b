package pkcs11

import (
	"bytes"
	"encoding/binary"
	"slices"

	"cardbridge/pkcs11/ck"
)

// An Attribute is CK_ATTRIBUTE with its value copied in.
type Attribute struct {
	Type  ck.AttributeType
	Value []byte
}

// A Template is an array of CK_ATTRIBUTE.
type Template []Attribute

// find returns the value of the first attribute of that type.
func (t Template) find(typ ck.AttributeType) ([]byte, bool) {
	for _, a := range t {
		if a.Type == typ {
			return a.Value, true
		}
	}
	return nil, false
}

// ulong returns an attribute that is a number; ok is false where it is missing
// or malformed.
func (t Template) ulong(typ ck.AttributeType) (uint, bool) {
	v, ok := t.find(typ)
	if !ok {
		return 0, false
	}
	return decodeULong(v)
}

// bool returns an attribute that is a CK_BBOOL, or otherwise where it is
// missing.
func (t Template) bool(typ ck.AttributeType, otherwise bool) bool {
	v, ok := t.find(typ)
	if !ok || len(v) != 1 {
		return otherwise
	}
	return v[0] != 0
}

// with returns the template with an attribute added or replaced.
func (t Template) with(typ ck.AttributeType, value []byte) Template {
	t = slices.DeleteFunc(slices.Clone(t), func(a Attribute) bool { return a.Type == typ })
	return append(t, Attribute{typ, value})
}

// attributes are the attributes an object has.
type attributes map[ck.AttributeType][]byte

func (a attributes) bool(t ck.AttributeType) bool { return bytes.Equal(a[t], []byte{1}) }

func (a attributes) ulong(t ck.AttributeType) uint {
	v, _ := decodeULong(a[t])
	return v
}

func (a attributes) setBool(t ck.AttributeType, v bool) { a[t] = encodeBool(v) }

func (a attributes) setULong(t ck.AttributeType, v uint) { a[t] = encodeULong(v) }

func (a attributes) setDefault(t ck.AttributeType, v []byte) {
	if _, ok := a[t]; !ok {
		a[t] = v
	}
}

func encodeBool(v bool) []byte {
	if v {
		return []byte{1}
	}
	return []byte{0}
}

func encodeULong(v uint) []byte {
	if ck.ULongSize == 4 {
		return binary.NativeEndian.AppendUint32(nil, uint32(v))
	}
	return binary.NativeEndian.AppendUint64(nil, uint64(v))
}

func decodeULong(b []byte) (uint, bool) {
	switch {
	case len(b) != ck.ULongSize:
		return 0, false
	case ck.ULongSize == 4:
		return uint(binary.NativeEndian.Uint32(b)), true
	}
	return uint(binary.NativeEndian.Uint64(b)), true
}

func encodeULongs[T ~uint](all []T) []byte {
	b := []byte{}
	for _, v := range all {
		b = append(b, encodeULong(uint(v))...)
	}
	return b
}
