//go:build linux && cgo

package conform

import (
	"fmt"

	p11 "github.com/miekg/pkcs11"
)

// Users of C_Login.
const (
	SO      = p11.CKU_SO
	User    = p11.CKU_USER
	Context = p11.CKU_CONTEXT_SPECIFIC
)

// Kinds of sessions.
const (
	RO = p11.CKF_SERIAL_SESSION
	RW = p11.CKF_SERIAL_SESSION | p11.CKF_RW_SESSION
)

// Initialize is C_Initialize with CKF_OS_LOCKING_OK.
func (c Caller) Initialize() RV {
	return c.Call("C_Initialize", Block(Null, Null, Null, Null, N(p11.CKF_OS_LOCKING_OK), Null)).RV
}

// Finalize is C_Finalize.
func (c Caller) Finalize() RV { return c.Call("C_Finalize", Null).RV }

// Slots lists slots.
func (c Caller) Slots(withToken bool) ([]uint, RV) {
	present := uint(0)
	if withToken {
		present = 1
	}
	r := c.Call("C_GetSlotList", N(present), Out(64*8), InOut(N(64)))
	if r.RV != p11.CKR_OK {
		return nil, r.RV
	}
	var s []uint
	for i := range r.Outs[1].Words[0] {
		v, _ := fromUlong(r.Outs[0].Bytes[8*i : 8*i+8])
		s = append(s, v)
	}
	return s, r.RV
}

// Slot is the slot of the target's token.
func (c Caller) Slot() uint {
	s, err := c.app.slot()
	if err != nil {
		c.fatal(err)
	}
	return s
}

// Open is C_OpenSession.
func (c Caller) Open(slot, flags uint) (uint, RV) {
	r := c.Call("C_OpenSession", N(slot), N(flags), Null, Null, InOut(N(0)))
	return r.Outs[0].Words[0], r.RV
}

// MustOpen is Open that must succeed.
func (c Caller) MustOpen(slot, flags uint) uint {
	h, rv := c.Open(slot, flags)
	c.must("C_OpenSession", rv)
	return h
}

// CloseSession is C_CloseSession.
func (c Caller) CloseSession(session uint) RV { return c.Call("C_CloseSession", N(session)).RV }

// CloseAll is C_CloseAllSessions.
func (c Caller) CloseAll(slot uint) RV { return c.Call("C_CloseAllSessions", N(slot)).RV }

// SessionInfo is C_GetSessionInfo: the slot, the state and the flags.
func (c Caller) SessionInfo(session uint) (slot, state, flags uint, rv RV) {
	r := c.Call("C_GetSessionInfo", N(session), InOut(N(99), N(99), N(99), N(99)))
	w := r.Outs[0].Words
	return w[0], w[1], w[2], r.RV
}

// Login is C_Login.
func (c Caller) Login(session, user uint, pin string) RV {
	return c.Call("C_Login", N(session), N(user), In([]byte(pin)), N(uint(len(pin)))).RV
}

// Logout is C_Logout.
func (c Caller) Logout(session uint) RV { return c.Call("C_Logout", N(session)).RV }

// Create is C_CreateObject.
func (c Caller) Create(session uint, attrs ...Attr) (uint, RV) {
	r := c.Call("C_CreateObject", N(session), Template(attrs), N(uint(len(attrs))), InOut(N(0)))
	return r.Outs[0].Words[0], r.RV
}

// Copy is C_CopyObject.
func (c Caller) Copy(session, object uint, attrs ...Attr) (uint, RV) {
	r := c.Call("C_CopyObject", N(session), N(object), Template(attrs), N(uint(len(attrs))), InOut(N(0)))
	return r.Outs[0].Words[0], r.RV
}

// Destroy is C_DestroyObject.
func (c Caller) Destroy(session, object uint) RV {
	return c.Call("C_DestroyObject", N(session), N(object)).RV
}

// Get is C_GetAttributeValue of one attribute.
func (c Caller) Get(session, object, attribute uint) ([]byte, RV) {
	r := c.Call("C_GetAttributeValue", N(session), N(object), InOut(N(attribute), Out(4096), N(4096)), N(1))
	if r.RV != p11.CKR_OK {
		return nil, r.RV
	}
	n := r.Outs[0].Words[2]
	if n > 4096 {
		c.fatal(fmt.Sprintf("C_GetAttributeValue(%#x): CKR_OK and a length of %d", attribute, n))
	}
	return r.Outs[1].Bytes[:n], r.RV
}

// Set is C_SetAttributeValue.
func (c Caller) Set(session, object uint, attrs ...Attr) RV {
	return c.Call("C_SetAttributeValue", N(session), N(object), Template(attrs), N(uint(len(attrs)))).RV
}

// FindInit is C_FindObjectsInit.
func (c Caller) FindInit(session uint, attrs ...Attr) RV {
	return c.Call("C_FindObjectsInit", N(session), Template(attrs), N(uint(len(attrs)))).RV
}

// FindNext is C_FindObjects.
func (c Caller) FindNext(session, limit uint) ([]uint, RV) {
	r := c.Call("C_FindObjects", N(session), Out(8*limit), N(limit), InOut(N(0)))
	if r.RV != p11.CKR_OK {
		return nil, r.RV
	}
	var h []uint
	for i := range r.Outs[1].Words[0] {
		v, _ := fromUlong(r.Outs[0].Bytes[8*i : 8*i+8])
		h = append(h, v)
	}
	return h, r.RV
}

// FindFinal is C_FindObjectsFinal.
func (c Caller) FindFinal(session uint) RV { return c.Call("C_FindObjectsFinal", N(session)).RV }

// Find is a whole search, which must succeed.
func (c Caller) Find(session uint, attrs ...Attr) []uint {
	c.must("C_FindObjectsInit", c.FindInit(session, attrs...))
	var all []uint
	for {
		h, rv := c.FindNext(session, 16)
		c.must("C_FindObjects", rv)
		if len(h) == 0 {
			break
		}
		all = append(all, h...)
	}
	c.must("C_FindObjectsFinal", c.FindFinal(session))
	return all
}

// Key finds the target's key of one class with one CKA_ID; 0 if there is none.
func (c Caller) Key(session, class uint, id byte) uint {
	h := c.Find(session, A(p11.CKA_CLASS, class), A(p11.CKA_ID, []byte{id}))
	if len(h) == 0 {
		return 0
	}
	return h[0]
}

// begin is an Init function: C_SignInit, C_DecryptInit and their kind.
func (c Caller) begin(function string, session uint, mechanism Arg, key uint) RV {
	if function == "C_DigestInit" {
		return c.Call(function, N(session), mechanism).RV
	}
	return c.Call(function, N(session), mechanism, N(key)).RV
}

// work is a function of the form (session, in, inLen, out, outLen): C_Sign, C_EncryptUpdate and their kind.
func (c Caller) work(function string, session uint, in []byte, room uint) ([]byte, RV) {
	r := c.Call(function, N(session), In(in), N(uint(len(in))), Out(room), InOut(N(room)))
	if r.RV != p11.CKR_OK {
		return nil, r.RV
	}
	return r.Outs[0].Bytes[:r.Outs[1].Words[0]], r.RV
}

// workLength is the same function asked for the length of its output.
func (c Caller) workLength(function string, session uint, in []byte) (uint, RV) {
	r := c.Call(function, N(session), In(in), N(uint(len(in))), Null, InOut(N(0)))
	return r.Outs[0].Words[0], r.RV
}

// finish is a function of the form (session, out, outLen): C_SignFinal and its kind.
func (c Caller) finish(function string, session, room uint) ([]byte, RV) {
	r := c.Call(function, N(session), Out(room), InOut(N(room)))
	if r.RV != p11.CKR_OK {
		return nil, r.RV
	}
	return r.Outs[0].Bytes[:r.Outs[1].Words[0]], r.RV
}

// feed is a function of the form (session, in, inLen): C_SignUpdate and its kind.
func (c Caller) feed(function string, session uint, in []byte) RV {
	return c.Call(function, N(session), In(in), N(uint(len(in)))).RV
}

// Sign is C_SignInit and C_Sign.
func (c Caller) Sign(session uint, mechanism Arg, key uint, data []byte) ([]byte, RV) {
	if rv := c.begin("C_SignInit", session, mechanism, key); rv != p11.CKR_OK {
		return nil, rv
	}
	return c.work("C_Sign", session, data, 1024)
}
