package main

/*
#include <stdlib.h>
#include "cryptoki.h"

static CK_RV cb_notify(CK_NOTIFY f, CK_SESSION_HANDLE s, CK_NOTIFICATION event, CK_VOID_PTR application)
{
	return f(s, event, application);
}
*/
import "C"

import (
	"unsafe"

	"cardbridge/pkcs11"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// maxInput bounds one argument. Nothing that goes to a card or through a hash in
// one call is longer, and a length that is longer is a mistake of the caller's.
const maxInput = 1 << 31

// maxAttributes bounds a template.
const maxAttributes = 1 << 12

// view is the caller's memory, for the time of a copy.
func view(p unsafe.Pointer, n C.CK_ULONG) []byte { return unsafe.Slice((*byte)(p), int(n)) }

// copyIn copies bytes that the caller owns. NULL with no length is nil, which is
// not the same as no bytes: C_Login has a meaning for it.
func copyIn(p *C.uchar, n C.CK_ULONG) ([]byte, error) {
	switch {
	case p == nil && n == 0:
		return nil, nil
	case p == nil || n >= maxInput:
		return nil, ck.CKR_ARGUMENTS_BAD
	}
	return append(make([]byte, 0, n), view(unsafe.Pointer(p), n)...), nil
}

// newOut reads what the caller has room for.
func newOut(p *C.uchar, n *C.CK_ULONG) (*pkcs11.Out, error) {
	if n == nil {
		return nil, ck.CKR_ARGUMENTS_BAD
	}
	return &pkcs11.Out{Null: p == nil, Room: uint(*n)}, nil
}

// copyOut tells the caller length and data.
func copyOut(o *pkcs11.Out, p *C.uchar, n *C.CK_ULONG, err error) {
	if rv := pkcs11.Code(err); rv != ck.CKR_OK && rv != ck.CKR_BUFFER_TOO_SMALL {
		return
	}
	*n = C.CK_ULONG(o.Len)
	if err == nil && len(o.Data) > 0 {
		copy(view(unsafe.Pointer(p), C.CK_ULONG(len(o.Data))), o.Data)
	}
}

func newBuffer(p *C.uchar, n C.CK_ULONG) ([]byte, error) {
	if p == nil || n >= maxInput {
		return nil, ck.CKR_ARGUMENTS_BAD
	}
	return make([]byte, n), nil
}

func copyBuffer(b []byte, p *C.uchar, err error) {
	if err == nil {
		copy(view(unsafe.Pointer(p), C.CK_ULONG(len(b))), b)
	}
}

// memory reads and writes what a mechanism's parameter points to.
type memory struct{}

// Read is pkcs11.Memory's.
func (memory) Read(address uint64, length uint) ([]byte, error) {
	p := pointer(address)
	return append([]byte(nil), view(p, C.CK_ULONG(length))...), nil
}

// Write is pkcs11.Memory's.
func (memory) Write(address uint64, data []byte) error {
	if address == 0 {
		return ck.CKR_MECHANISM_PARAM_INVALID
	}
	copy(view(pointer(address), C.CK_ULONG(len(data))), data)
	return nil
}

// pointer makes a C pointer of a number that stood in the caller's structure.
// It is never one of Go's.
func pointer(address uint64) unsafe.Pointer {
	a := uintptr(address)
	return *(*unsafe.Pointer)(unsafe.Pointer(&a))
}

func copyParameter(p C.CK_VOID_PTR, n C.CK_ULONG) (pkcs11.Parameter, error) {
	b, err := copyIn((*C.uchar)(p), n)
	if err != nil || n > 1<<16 {
		return pkcs11.Parameter{}, ck.CKR_MECHANISM_PARAM_INVALID
	}
	return pkcs11.Parameter{Bytes: b, Memory: memory{}}, nil
}

// copyMechanism copies CK_MECHANISM; nil for NULL, which cancels.
func copyMechanism(m *C.CK_MECHANISM) (*pkcs11.Mechanism, error) {
	if m == nil {
		return nil, nil
	}
	p, err := copyParameter(m.pParameter, m.ulParameterLen)
	if err != nil {
		return nil, err
	}
	return &pkcs11.Mechanism{Type: ck.MechanismType(m.mechanism), Parameter: p}, nil
}

// copyTemplate copies attributes with their values.
func copyTemplate(p *C.CK_ATTRIBUTE, n C.CK_ULONG) (pkcs11.Template, error) {
	switch {
	case n == 0:
		return nil, nil
	case p == nil || n > maxAttributes:
		return nil, ck.CKR_ARGUMENTS_BAD
	}
	t := make(pkcs11.Template, 0, n)
	for _, a := range unsafe.Slice(p, int(n)) {
		value, err := copyIn((*C.uchar)(a.pValue), a.ulValueLen)
		if err != nil {
			wipeTemplate(t)
			return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
		t = append(t, pkcs11.Attribute{Type: ck.AttributeType(a._type), Value: value})
	}
	return t, nil
}

// wipeTemplate overwrites the copies: a template may hold a key.
func wipeTemplate(t pkcs11.Template) {
	for _, a := range t {
		clear(a.Value)
	}
}

// copyText fills a blank-padded field (section 4.1), cutting no character of
// UTF-8 in half.
func copyText(field []C.uchar, s string) {
	if len(s) > len(field) {
		n := len(field)
		for n > 0 && s[n]&0xC0 == 0x80 {
			n--
		}
		s = s[:n]
	}
	for i := range field {
		field[i] = ' '
		if i < len(s) {
			field[i] = C.uchar(s[i])
		}
	}
}

func version(v pkcs11.Version) C.CK_VERSION {
	return C.CK_VERSION{major: C.CK_BYTE(v.Major), minor: C.CK_BYTE(v.Minor)}
}

// notifier is the caller's callback as package session calls it.
func notifier(f C.CK_NOTIFY, application C.CK_VOID_PTR) session.NotifyFunc {
	if f == nil {
		return nil
	}
	return func(s session.SessionHandle, event session.Notification) session.RV {
		return session.RV(C.cb_notify(f, C.CK_SESSION_HANDLE(s), C.CK_NOTIFICATION(event), application))
	}
}
