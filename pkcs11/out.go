package pkcs11

import "cardbridge/pkcs11/ck"

// Out is where a function's output goes, whose length the caller may ask for
// first (section 5.2): the conventions are kept here and in dance.go, once for
// all functions.
type Out struct {
	Null bool // no buffer: only the length is asked for
	Room uint // bytes the buffer holds

	Len  uint   // to be reported
	Data []byte // to be copied into the buffer, Len bytes, if there is one
}

// put returns data through o: the length alone where that is what was asked
// for, CKR_BUFFER_TOO_SMALL where it does not fit.
func (o *Out) put(data []byte) error {
	o.Len = uint(len(data))
	if o.Null {
		return nil
	}
	if o.Len > o.Room {
		return ck.CKR_BUFFER_TOO_SMALL
	}
	o.Data = data
	return nil
}

// fits tells whether n bytes may be produced now. If not, the length is set
// and err is what the function returns: nil for a question about the length.
func (o *Out) fits(n int) (ok bool, err error) {
	o.Len = uint(n)
	switch {
	case o.Null:
		return false, nil
	case o.Room < o.Len:
		return false, ck.CKR_BUFFER_TOO_SMALL
	}
	return true, nil
}
