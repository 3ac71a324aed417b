package pkcs11

import (
	"context"
	"errors"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// codes says which return code an error of a card becomes. The first row that
// matches counts.
var codes = [...]struct {
	err  error
	code ck.RV
}{
	{context.Canceled, ck.CKR_FUNCTION_CANCELED},
	{context.DeadlineExceeded, ck.CKR_FUNCTION_CANCELED},
	{apdu.ErrRemoved, ck.CKR_DEVICE_REMOVED},
	{card.ErrNoApplet, ck.CKR_TOKEN_NOT_RECOGNIZED},
	{apdu.ErrNoPINPad, ck.CKR_ARGUMENTS_BAD},
	{card.ErrNotEntered, ck.CKR_FUNCTION_CANCELED},
	{card.ErrRefusedBefore, ck.CKR_PIN_INCORRECT},
	{card.ErrLastTry, ck.CKR_FUNCTION_REJECTED},
	{card.ErrWrongSecretFormat, ck.CKR_PIN_LEN_RANGE},
	{card.ErrLoginRequired, ck.CKR_USER_NOT_LOGGED_IN},
	{card.ErrAdminRequired, ck.CKR_USER_NOT_LOGGED_IN},
	{card.ErrTouchTimeout, ck.CKR_FUNCTION_REJECTED},
	{card.ErrWrongKey, ck.CKR_KEY_TYPE_INCONSISTENT},
	{card.ErrUnsupported, ck.CKR_FUNCTION_NOT_SUPPORTED},
	{card.ErrNotFound, ck.CKR_OBJECT_HANDLE_INVALID},
	{apdu.ErrNotEnoughMemory, ck.CKR_DEVICE_MEMORY},
	{apdu.ErrMemoryFailure, ck.CKR_DEVICE_MEMORY},
	{apdu.ErrReset, ck.CKR_DEVICE_ERROR},
	{apdu.ErrNoAnswer, ck.CKR_DEVICE_ERROR},
}

// Code is the return code that err stands for. An error that nothing is known
// of is CKR_GENERAL_ERROR, or CKR_DEVICE_ERROR where a status word is in it.
func Code(err error) ck.RV {
	if err == nil {
		return ck.CKR_OK
	}
	var rv ck.RV
	if errors.As(err, &rv) {
		return rv
	}
	var refused session.RV
	if errors.As(err, &refused) {
		return ck.RV(refused)
	}
	var wrong *card.WrongPIN
	if errors.As(err, &wrong) {
		if wrong.Tries == 0 {
			return ck.CKR_PIN_LOCKED
		}
		return ck.CKR_PIN_INCORRECT
	}
	var blocked *card.Blocked
	if errors.As(err, &blocked) {
		return ck.CKR_PIN_LOCKED
	}
	for _, row := range codes {
		if errors.Is(err, row.err) {
			return row.code
		}
	}
	if _, ok := apdu.StatusOf(err); ok {
		return ck.CKR_DEVICE_ERROR
	}
	return ck.CKR_GENERAL_ERROR
}
