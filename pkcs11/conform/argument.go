//go:build linux && cgo

package conform

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	p11 "github.com/miekg/pkcs11"
)

// RV is a return code.
type RV uint

func (r RV) String() string {
	s := p11.Error(r).Error()
	if i := strings.LastIndex(s, "CKR_"); i >= 0 {
		return s[i:]
	}
	return fmt.Sprintf("%#x", uint(r))
}

// Arg is one argument of a call in the driver's language (csrc/driver.c).
type Arg string

// Null is a NULL pointer.
const Null Arg = "-"

// N is a number: CK_ULONG, a handle, a flag.
func N(v uint) Arg { return Arg(fmt.Sprintf("%d", v)) }

// In points to bytes the function may only read; nil is NULL.
func In(b []byte) Arg {
	if b == nil {
		return Null
	}
	return Arg("x" + hex.EncodeToString(b))
}

// Out points to n bytes for the function to write.
func Out(n uint) Arg { return Arg(fmt.Sprintf("o%d", n)) }

// Block points to words, each an argument of its own: a structure or an array of them.
func Block(words ...Arg) Arg { return join("[", words, "]") }

// InOut is a Block whose words are told after the call.
func InOut(words ...Arg) Arg { return join("{", words, "}") }

func join(open string, words []Arg, end string) Arg {
	var b strings.Builder
	b.WriteString(open)
	for _, w := range words {
		b.WriteByte(' ')
		b.WriteString(string(w))
	}
	b.WriteByte(' ')
	b.WriteString(end)
	return Arg(b.String())
}

// Mechanism is a CK_MECHANISM. parameter is In for plain bytes or Block for a structure, size its size in bytes.
func Mechanism(mechanism uint, parameter Arg, size uint) Arg {
	return Block(N(mechanism), parameter, N(size))
}

// Mech is a CK_MECHANISM without a parameter.
func Mech(mechanism uint) Arg { return Mechanism(mechanism, Null, 0) }

// Attr is an attribute of a template. Value is a bool, a uint, a string or bytes.
type Attr struct {
	Type  uint
	Value any
}

// A is short for an Attr.
func A(typ uint, value any) Attr { return Attr{typ, value} }

func (a Attr) bytes() []byte {
	switch v := a.Value.(type) {
	case bool:
		if v {
			return []byte{1}
		}
		return []byte{0}
	case int:
		return Ulong(uint(v))
	case uint:
		return Ulong(v)
	case string:
		return []byte(v)
	case []byte:
		return v
	}
	panic(fmt.Sprintf("conform: attribute of %T", a.Value))
}

// Ulong is a CK_ULONG in memory.
func Ulong(v uint) []byte { return binary.NativeEndian.AppendUint64(nil, uint64(v)) }

// fromUlong is Ulong backwards; ok tells whether b is as long as a CK_ULONG.
func fromUlong(b []byte) (v uint, ok bool) {
	if len(b) != 8 {
		return 0, false
	}
	return uint(binary.NativeEndian.Uint64(b)), true
}

// Template is an array of CK_ATTRIBUTE for a function to read.
func Template(attrs []Attr) Arg {
	if len(attrs) == 0 {
		return Null
	}
	var w []Arg
	for _, a := range attrs {
		b := a.bytes()
		w = append(w, N(a.Type), In(b), N(uint(len(b))))
	}
	return Block(w...)
}
