package main

// #include "cryptoki.h"
import "C"

import (
	"unsafe"

	"cardbridge/pkcs11"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// The functions whose arguments are structures or lists of their own. All others
// are in exports.go, generated.

//export go_C_Initialize
func go_C_Initialize(args C.CK_VOID_PTR) C.CK_RV {
	return C.CK_RV(pkcs11.Code(guard(func(*pkcs11.Module) error { return initialize((*C.CK_C_INITIALIZE_ARGS)(args)) }, nil)))
}

//export go_C_Finalize
func go_C_Finalize(reserved C.CK_VOID_PTR) C.CK_RV {
	if reserved != nil {
		return call("C_Finalize", func(*pkcs11.Module) error { return ck.CKR_ARGUMENTS_BAD })
	}
	return C.CK_RV(pkcs11.Code(guard(func(*pkcs11.Module) error { return finalize() }, nil)))
}

// answer is a function with one answer, which goes where to points.
func answer[T any](name string, to *T, get func(*pkcs11.Module) (T, error)) C.CK_RV {
	return call(name, func(m *pkcs11.Module) error {
		if to == nil {
			return ck.CKR_ARGUMENTS_BAD
		}
		v, err := get(m)
		if err == nil {
			*to = v
		}
		return err
	})
}

//export go_C_GetInfo
func go_C_GetInfo(info C.CK_INFO_PTR) C.CK_RV {
	return answer("C_GetInfo", info, func(m *pkcs11.Module) (c C.CK_INFO, _ error) {
		v := m.GetInfo()
		c.cryptokiVersion, c.libraryVersion = version(v.CryptokiVersion), version(v.LibraryVersion)
		copyText(c.manufacturerID[:], v.Manufacturer)
		copyText(c.libraryDescription[:], v.Description)
		return c, nil
	})
}

// list copies a list in the two-call way of section 5.2.
func list[T any, C1 ~uint64 | ~uint32](all []T, p *C1, count *C1, convert func(T) C1) error {
	room := uint64(*count)
	*count = C1(len(all))
	if p == nil {
		return nil
	}
	if room < uint64(len(all)) {
		return ck.CKR_BUFFER_TOO_SMALL
	}
	for i, v := range all {
		unsafe.Slice(p, len(all))[i] = convert(v)
	}
	return nil
}

//export go_C_GetSlotList
func go_C_GetSlotList(present C.CK_BBOOL, slots C.CK_SLOT_ID_PTR, count C.CK_ULONG_PTR) C.CK_RV {
	return call("C_GetSlotList", func(m *pkcs11.Module) error {
		if count == nil {
			return ck.CKR_ARGUMENTS_BAD
		}
		return list(m.GetSlotList(present != 0), (*C.ulong)(slots), (*C.ulong)(count), func(id session.SlotID) C.ulong { return C.ulong(id) })
	})
}

//export go_C_GetSlotInfo
func go_C_GetSlotInfo(slotID C.CK_SLOT_ID, info C.CK_SLOT_INFO_PTR) C.CK_RV {
	return answer("C_GetSlotInfo", info, func(m *pkcs11.Module) (c C.CK_SLOT_INFO, _ error) {
		v, err := m.GetSlotInfo(session.SlotID(slotID))
		c.flags = C.CK_FLAGS(v.Flags)
		copyText(c.slotDescription[:], v.Description)
		copyText(c.manufacturerID[:], v.Manufacturer)
		return c, err
	})
}

//export go_C_GetTokenInfo
func go_C_GetTokenInfo(slotID C.CK_SLOT_ID, info C.CK_TOKEN_INFO_PTR) C.CK_RV {
	return answer("C_GetTokenInfo", info, func(m *pkcs11.Module) (C.CK_TOKEN_INFO, error) {
		v, err := m.GetTokenInfo(session.SlotID(slotID))
		c := C.CK_TOKEN_INFO{
			flags:             C.CK_FLAGS(v.Flags),
			ulMaxSessionCount: C.CK_ULONG(v.MaxSessions), ulSessionCount: C.CK_ULONG(v.Sessions),
			ulMaxRwSessionCount: C.CK_ULONG(v.MaxRWSessions), ulRwSessionCount: C.CK_ULONG(v.RWSessions),
			ulMaxPinLen: C.CK_ULONG(v.MaxPIN), ulMinPinLen: C.CK_ULONG(v.MinPIN),
			ulTotalPublicMemory: C.CK_ULONG(v.TotalPublic), ulFreePublicMemory: C.CK_ULONG(v.FreePublic),
			ulTotalPrivateMemory: C.CK_ULONG(v.TotalPrivate), ulFreePrivateMemory: C.CK_ULONG(v.FreePrivate),
			hardwareVersion: version(v.Hardware), firmwareVersion: version(v.Firmware),
		}
		copyText(c.label[:], v.Label)
		copyText(c.manufacturerID[:], v.Manufacturer)
		copyText(c.model[:], v.Model)
		copyText(c.serialNumber[:], v.Serial)
		copyText(c.utcTime[:], "")
		return c, err
	})
}

//export go_C_GetMechanismList
func go_C_GetMechanismList(slotID C.CK_SLOT_ID, out C.CK_MECHANISM_TYPE_PTR, count C.CK_ULONG_PTR) C.CK_RV {
	return call("C_GetMechanismList", func(m *pkcs11.Module) error {
		if count == nil {
			return ck.CKR_ARGUMENTS_BAD
		}
		all, err := m.GetMechanismList(session.SlotID(slotID))
		if err != nil {
			return err
		}
		return list(all, (*C.ulong)(out), (*C.ulong)(count), func(t ck.MechanismType) C.ulong { return C.ulong(t) })
	})
}

//export go_C_GetMechanismInfo
func go_C_GetMechanismInfo(slotID C.CK_SLOT_ID, mech C.CK_MECHANISM_TYPE, info C.CK_MECHANISM_INFO_PTR) C.CK_RV {
	return answer("C_GetMechanismInfo", info, func(m *pkcs11.Module) (C.CK_MECHANISM_INFO, error) {
		v, err := m.GetMechanismInfo(session.SlotID(slotID), ck.MechanismType(mech))
		return C.CK_MECHANISM_INFO{ulMinKeySize: C.CK_ULONG(v.Min), ulMaxKeySize: C.CK_ULONG(v.Max), flags: C.CK_FLAGS(v.Flags)}, err
	})
}

//export go_C_InitToken
func go_C_InitToken(slotID C.CK_SLOT_ID, pin C.CK_UTF8CHAR_PTR, pinLen C.CK_ULONG, label C.CK_UTF8CHAR_PTR) C.CK_RV {
	return call("C_InitToken", func(m *pkcs11.Module) error {
		if label == nil {
			return ck.CKR_ARGUMENTS_BAD
		}
		p, err := copyIn(pin, pinLen)
		if err != nil {
			return err
		}
		defer clear(p)
		return m.InitToken(session.SlotID(slotID), p, string(view(unsafe.Pointer(label), 32)))
	})
}

//export go_C_OpenSession
func go_C_OpenSession(slotID C.CK_SLOT_ID, flags C.CK_FLAGS, application C.CK_VOID_PTR, notify C.CK_NOTIFY, handle C.CK_SESSION_HANDLE_PTR) C.CK_RV {
	return answer("C_OpenSession", handle, func(m *pkcs11.Module) (C.CK_SESSION_HANDLE, error) {
		s, err := m.OpenSession(session.SlotID(slotID), ck.Flags(flags), notifier(notify, application))
		return C.CK_SESSION_HANDLE(s), err
	})
}

//export go_C_GetSessionInfo
func go_C_GetSessionInfo(s C.CK_SESSION_HANDLE, info C.CK_SESSION_INFO_PTR) C.CK_RV {
	return answer("C_GetSessionInfo", info, func(m *pkcs11.Module) (C.CK_SESSION_INFO, error) {
		v, err := m.SessionInfo(session.SessionHandle(s))
		return C.CK_SESSION_INFO{slotID: C.CK_SLOT_ID(v.Slot), state: C.CK_STATE(v.State), flags: C.CK_FLAGS(v.Flags)}, err
	})
}

//export go_C_GetAttributeValue
func go_C_GetAttributeValue(s C.CK_SESSION_HANDLE, target C.CK_OBJECT_HANDLE, templ C.CK_ATTRIBUTE_PTR, count C.CK_ULONG) C.CK_RV {
	return call("C_GetAttributeValue", func(m *pkcs11.Module) error {
		if templ == nil || count > maxAttributes {
			return ck.CKR_ARGUMENTS_BAD
		}
		attributes := unsafe.Slice(templ, int(count))
		wanted := make([]pkcs11.Request, len(attributes))
		for i, a := range attributes {
			wanted[i] = pkcs11.Request{Type: ck.AttributeType(a._type), Out: pkcs11.Out{Null: a.pValue == nil, Room: uint(a.ulValueLen), Len: ck.Unavailable}}
		}
		err := m.GetAttributeValue(session.SessionHandle(s), session.ObjectHandle(target), wanted)
		if asked(err) {
			for i, w := range wanted {
				attributes[i].ulValueLen = C.CK_ULONG(w.Out.Len)
				if len(w.Out.Data) > 0 {
					copy(view(unsafe.Pointer(attributes[i].pValue), C.CK_ULONG(len(w.Out.Data))), w.Out.Data)
				}
			}
		}
		return err
	})
}

// asked tells whether C_GetAttributeValue filled the template: it does so with
// these errors too (section 5.7.5).
func asked(err error) bool {
	switch pkcs11.Code(err) {
	case ck.CKR_OK, ck.CKR_ATTRIBUTE_SENSITIVE, ck.CKR_ATTRIBUTE_TYPE_INVALID, ck.CKR_BUFFER_TOO_SMALL:
		return true
	}
	return false
}

//export go_C_FindObjects
func go_C_FindObjects(s C.CK_SESSION_HANDLE, objects C.CK_OBJECT_HANDLE_PTR, most C.CK_ULONG, count C.CK_ULONG_PTR) C.CK_RV {
	return call("C_FindObjects", func(m *pkcs11.Module) error {
		if count == nil || objects == nil && most > 0 {
			return ck.CKR_ARGUMENTS_BAD
		}
		found, err := m.FindObjects(session.SessionHandle(s), uint(most))
		if err != nil {
			return err
		}
		*count = C.CK_ULONG(len(found))
		for i, h := range found {
			unsafe.Slice(objects, len(found))[i] = C.CK_OBJECT_HANDLE(h)
		}
		return nil
	})
}

//export go_C_WaitForSlotEvent
func go_C_WaitForSlotEvent(flags C.CK_FLAGS, slot C.CK_SLOT_ID_PTR, reserved C.CK_VOID_PTR) C.CK_RV {
	return answer("C_WaitForSlotEvent", slot, func(m *pkcs11.Module) (C.CK_SLOT_ID, error) {
		if reserved != nil {
			return 0, ck.CKR_ARGUMENTS_BAD
		}
		id, err := m.WaitForSlotEvent(ck.Flags(flags))
		return C.CK_SLOT_ID(id), err
	})
}

//export go_C_SignMessageNext
func go_C_SignMessageNext(s C.CK_SESSION_HANDLE, parameter C.CK_VOID_PTR, parameterLen C.CK_ULONG, data C.CK_BYTE_PTR, dataLen C.CK_ULONG, signature C.CK_BYTE_PTR, length C.CK_ULONG_PTR) C.CK_RV {
	return call("C_SignMessageNext", func(m *pkcs11.Module) error {
		p, err := copyParameter(parameter, parameterLen)
		if err != nil {
			return err
		}
		b, err := copyIn(data, dataLen)
		if err != nil {
			return err
		}
		if length == nil { // not the last part
			return m.SignMessageNext(session.SessionHandle(s), p, b, nil)
		}
		out, err := newOut(signature, length)
		if err != nil {
			return err
		}
		err = m.SignMessageNext(session.SessionHandle(s), p, b, out)
		copyOut(out, signature, length, err)
		return err
	})
}

//export go_C_AsyncComplete
func go_C_AsyncComplete(s C.CK_SESSION_HANDLE, fn C.CK_UTF8CHAR_PTR, result C.CK_ASYNC_DATA_PTR) C.CK_RV {
	return async("C_AsyncComplete", s, fn != nil && result != nil)
}

//export go_C_AsyncGetID
func go_C_AsyncGetID(s C.CK_SESSION_HANDLE, fn C.CK_UTF8CHAR_PTR, id C.CK_ULONG_PTR) C.CK_RV {
	return async("C_AsyncGetID", s, fn != nil && id != nil)
}

//export go_C_AsyncJoin
func go_C_AsyncJoin(s C.CK_SESSION_HANDLE, fn C.CK_UTF8CHAR_PTR, id C.CK_ULONG, data C.CK_BYTE_PTR, dataLen C.CK_ULONG) C.CK_RV {
	return async("C_AsyncJoin", s, fn != nil)
}

func async(name string, s C.CK_SESSION_HANDLE, good bool) C.CK_RV {
	return call(name, func(m *pkcs11.Module) error {
		if !good {
			return ck.CKR_ARGUMENTS_BAD
		}
		return m.Async(session.SessionHandle(s))
	})
}
