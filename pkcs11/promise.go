package pkcs11

import (
	"errors"

	"cardbridge/card"
	"cardbridge/pkcs11/ck"
)

// promises refuses what a template asks of an object on a card and the card
// would not keep, where believing it did harm: a key that its owner means to
// have a copy of one day, a certificate that nobody is to see. CKA_SENSITIVE
// false is not among them: callers say so without meaning it, and a key that is
// sensitive all the same is the better one.
func promises(class ck.ObjectClass, t Template) error {
	if class == ck.CKO_PRIVATE_KEY && t.bool(ck.CKA_EXTRACTABLE, false) ||
		(class == ck.CKO_CERTIFICATE || class == ck.CKO_PUBLIC_KEY) && t.bool(ck.CKA_PRIVATE, false) {
		return ck.CKR_TEMPLATE_INCONSISTENT
	}
	return nil
}

// cannotMake gives the error of a card that has no such keys the code for what
// is wrong with the template: the size or the curve.
func cannotMake(err error, keyType ck.KeyType) error {
	switch {
	case !errors.Is(err, card.ErrUnsupported):
		return err
	case keyType == ck.CKK_RSA:
		return withCode{err, ck.CKR_KEY_SIZE_RANGE}
	}
	return withCode{err, ck.CKR_CURVE_NOT_SUPPORTED}
}

// withCode is an error with a return code of its own.
type withCode struct {
	error
	code ck.RV
}

// Unwrap is for errors.As, which finds the code first.
func (e withCode) Unwrap() []error { return []error{e.code, e.error} }
