package pkcs11

import (
	"encoding/binary"

	"cardbridge/pkcs11/ck"
)

// Memory is the caller's memory, which a mechanism's parameter may point into.
// Addresses are the caller's; zero is NULL.
type Memory interface {
	Read(address uint64, length uint) ([]byte, error)
	Write(address uint64, data []byte) error
}

// A Parameter is CK_MECHANISM's parameter or a message's: the bytes of a
// structure as the caller laid it out.
type Parameter struct {
	Bytes  []byte // nil for a NULL pointer
	Memory Memory
}

// A Mechanism is CK_MECHANISM.
type Mechanism struct {
	Type      ck.MechanismType
	Parameter Parameter
	// Associated is the additional data of C_WrapKeyAuthenticated, which stands
	// outside of the parameter.
	Associated []byte
	// PerMessage says that the parameter is a message's: it comes with each, or, in
	// C_WrapKeyAuthenticated, with the one that a key makes.
	PerMessage bool
}

// maxIndirect bounds what a structure may point to.
const maxIndirect = 1 << 20

// fields takes a structure apart. layout has a letter for each field: 'u' for
// CK_ULONG and its like, 'p' for a pointer, 'b' for a byte or CK_BBOOL and 'x'
// for sixteen bytes that the caller takes from Bytes itself. ok is false if the
// structure has another size.
func (p Parameter) fields(layout string) (v []uint64, ok bool) {
	sizes := map[rune]int{'u': ck.ULongSize, 'p': ck.PointerSize, 'b': 1, 'x': 16}
	at, widest := 0, 1
	for _, c := range layout {
		size := sizes[c]
		align := size
		if c == 'x' || ck.Packed {
			align = 1
		}
		at = (at + align - 1) / align * align
		widest = max(widest, align)
		if at+size > len(p.Bytes) {
			return nil, false
		}
		field := p.Bytes[at : at+size]
		switch size {
		case 8:
			v = append(v, binary.NativeEndian.Uint64(field))
		case 4:
			v = append(v, uint64(binary.NativeEndian.Uint32(field)))
		case 1:
			v = append(v, uint64(field[0]))
		default:
			v = append(v, 0)
		}
		at += size
	}
	at = (at + widest - 1) / widest * widest
	return v, at == len(p.Bytes)
}

// follow copies what a pointer field points to.
func (p Parameter) follow(address, length uint64) ([]byte, error) {
	switch {
	case length == 0:
		return nil, nil
	case address == 0 || length > maxIndirect || p.Memory == nil:
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	return p.Memory.Read(address, uint(length))
}

// empty is the parser of mechanisms without a parameter. A parameter that is
// there all the same is an error, as a caller that passes one means another
// mechanism.
func empty(p Parameter) (any, error) {
	if len(p.Bytes) != 0 {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	return nil, nil
}
