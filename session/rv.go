package session

import (
	"errors"
	"fmt"
)

// RV is CK_RV, the value every Cryptoki function returns. All refusals of this package are an RV; success is a nil
// error, never CKR_OK in an error.
type RV uint

// The return codes this package gives or understands. Values and names are those of the standard (PKCS #11 v3.2,
// "Function return values"); the full list belongs to the package that faces C.
const (
	CKR_OK                             RV = 0x00
	CKR_CANCEL                         RV = 0x01
	CKR_SLOT_ID_INVALID                RV = 0x03
	CKR_GENERAL_ERROR                  RV = 0x05
	CKR_FUNCTION_FAILED                RV = 0x06
	CKR_ARGUMENTS_BAD                  RV = 0x07
	CKR_NO_EVENT                       RV = 0x08
	CKR_ATTRIBUTE_READ_ONLY            RV = 0x10
	CKR_ACTION_PROHIBITED              RV = 0x1B
	CKR_DEVICE_ERROR                   RV = 0x30
	CKR_DEVICE_MEMORY                  RV = 0x31
	CKR_DEVICE_REMOVED                 RV = 0x32
	CKR_FUNCTION_CANCELED              RV = 0x50
	CKR_KEY_HANDLE_INVALID             RV = 0x60
	CKR_OBJECT_HANDLE_INVALID          RV = 0x82
	CKR_OPERATION_ACTIVE               RV = 0x90
	CKR_OPERATION_NOT_INITIALIZED      RV = 0x91
	CKR_PIN_INCORRECT                  RV = 0xA0
	CKR_SESSION_CLOSED                 RV = 0xB0
	CKR_SESSION_COUNT                  RV = 0xB1
	CKR_SESSION_HANDLE_INVALID         RV = 0xB3
	CKR_SESSION_PARALLEL_NOT_SUPPORTED RV = 0xB4
	CKR_SESSION_READ_ONLY              RV = 0xB5
	CKR_SESSION_EXISTS                 RV = 0xB6
	CKR_SESSION_READ_ONLY_EXISTS       RV = 0xB7
	CKR_SESSION_READ_WRITE_SO_EXISTS   RV = 0xB8
	CKR_TEMPLATE_INCONSISTENT          RV = 0xD1
	CKR_TOKEN_NOT_PRESENT              RV = 0xE0
	CKR_USER_ALREADY_LOGGED_IN         RV = 0x100
	CKR_USER_NOT_LOGGED_IN             RV = 0x101
	CKR_USER_TYPE_INVALID              RV = 0x103
	CKR_USER_ANOTHER_ALREADY_LOGGED_IN RV = 0x104
	CKR_BUFFER_TOO_SMALL               RV = 0x150
	CKR_CRYPTOKI_NOT_INITIALIZED       RV = 0x190
	CKR_OPERATION_CANCEL_FAILED        RV = 0x202
	CKR_SESSION_ASYNC_NOT_SUPPORTED    RV = 0x205
)

// texts has a row for every code above: its name, and the sentence a person reads.
var texts = map[RV]struct{ name, text string }{
	CKR_OK:                             {"CKR_OK", "success"},
	CKR_CANCEL:                         {"CKR_CANCEL", "the application asked to stop"},
	CKR_SLOT_ID_INVALID:                {"CKR_SLOT_ID_INVALID", "there is no such slot"},
	CKR_GENERAL_ERROR:                  {"CKR_GENERAL_ERROR", "unexpected error"},
	CKR_FUNCTION_FAILED:                {"CKR_FUNCTION_FAILED", "the function could not be carried out"},
	CKR_ARGUMENTS_BAD:                  {"CKR_ARGUMENTS_BAD", "bad arguments"},
	CKR_NO_EVENT:                       {"CKR_NO_EVENT", "no slot event is waiting"},
	CKR_ATTRIBUTE_READ_ONLY:            {"CKR_ATTRIBUTE_READ_ONLY", "the attribute cannot be changed"},
	CKR_ACTION_PROHIBITED:              {"CKR_ACTION_PROHIBITED", "the object forbids this"},
	CKR_DEVICE_ERROR:                   {"CKR_DEVICE_ERROR", "the token reported an error"},
	CKR_DEVICE_MEMORY:                  {"CKR_DEVICE_MEMORY", "no room for another object"},
	CKR_DEVICE_REMOVED:                 {"CKR_DEVICE_REMOVED", "the token was removed during the call"},
	CKR_FUNCTION_CANCELED:              {"CKR_FUNCTION_CANCELED", "the function was cancelled while it ran"},
	CKR_KEY_HANDLE_INVALID:             {"CKR_KEY_HANDLE_INVALID", "there is no such key"},
	CKR_OBJECT_HANDLE_INVALID:          {"CKR_OBJECT_HANDLE_INVALID", "there is no such object"},
	CKR_OPERATION_ACTIVE:               {"CKR_OPERATION_ACTIVE", "another operation is active in the session"},
	CKR_OPERATION_NOT_INITIALIZED:      {"CKR_OPERATION_NOT_INITIALIZED", "no such operation is active in the session"},
	CKR_PIN_INCORRECT:                  {"CKR_PIN_INCORRECT", "wrong PIN"},
	CKR_SESSION_CLOSED:                 {"CKR_SESSION_CLOSED", "the session was closed during the call"},
	CKR_SESSION_COUNT:                  {"CKR_SESSION_COUNT", "too many sessions are open"},
	CKR_SESSION_HANDLE_INVALID:         {"CKR_SESSION_HANDLE_INVALID", "there is no such session"},
	CKR_SESSION_PARALLEL_NOT_SUPPORTED: {"CKR_SESSION_PARALLEL_NOT_SUPPORTED", "sessions must be serial"},
	CKR_SESSION_READ_ONLY:              {"CKR_SESSION_READ_ONLY", "the session is read-only"},
	CKR_SESSION_EXISTS:                 {"CKR_SESSION_EXISTS", "a session with the token is open"},
	CKR_SESSION_READ_ONLY_EXISTS:       {"CKR_SESSION_READ_ONLY_EXISTS", "a read-only session is open, so the SO cannot log in"},
	CKR_SESSION_READ_WRITE_SO_EXISTS:   {"CKR_SESSION_READ_WRITE_SO_EXISTS", "the SO is logged in, so no read-only session can open"},
	CKR_TEMPLATE_INCONSISTENT:          {"CKR_TEMPLATE_INCONSISTENT", "the object made is not of the kind asked for"},
	CKR_TOKEN_NOT_PRESENT:              {"CKR_TOKEN_NOT_PRESENT", "no token is in the slot"},
	CKR_USER_ALREADY_LOGGED_IN:         {"CKR_USER_ALREADY_LOGGED_IN", "this user is logged in already"},
	CKR_USER_NOT_LOGGED_IN:             {"CKR_USER_NOT_LOGGED_IN", "the user is not logged in"},
	CKR_USER_TYPE_INVALID:              {"CKR_USER_TYPE_INVALID", "there is no such type of user"},
	CKR_USER_ANOTHER_ALREADY_LOGGED_IN: {"CKR_USER_ANOTHER_ALREADY_LOGGED_IN", "another user is logged in"},
	CKR_BUFFER_TOO_SMALL:               {"CKR_BUFFER_TOO_SMALL", "the output does not fit the buffer"},
	CKR_CRYPTOKI_NOT_INITIALIZED:       {"CKR_CRYPTOKI_NOT_INITIALIZED", "the application has finalized"},
	CKR_OPERATION_CANCEL_FAILED:        {"CKR_OPERATION_CANCEL_FAILED", "the operation cannot be cancelled"},
	CKR_SESSION_ASYNC_NOT_SUPPORTED:    {"CKR_SESSION_ASYNC_NOT_SUPPORTED", "asynchronous sessions are not supported"},
}

// Name is the code's name in the standard, or its number.
func (rv RV) Name() string {
	if t, ok := texts[rv]; ok {
		return t.name
	}
	return fmt.Sprintf("CKR_%#x", uint(rv))
}

// Error is a sentence for people, and ends in the standard's name.
func (rv RV) Error() string {
	if t, ok := texts[rv]; ok {
		return t.text + " (" + t.name + ")"
	}
	return rv.Name()
}

// Code is the return code of an error of this package: CKR_OK for nil, CKR_GENERAL_ERROR for an error that holds no RV.
func Code(err error) RV {
	if err == nil {
		return CKR_OK
	}
	if rv, ok := err.(RV); ok {
		return rv // almost always; and it spares the allocation that errors.As makes
	}
	var rv RV
	if errors.As(err, &rv) {
		return rv
	}
	return CKR_GENERAL_ERROR
}
