package pkcs11

import (
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Section 5.13, signing and MACing.

func canSign(r *mechanism) bool { return r.sign != nil }

func beginSign(o *operation, param any) (err error) {
	o.signing, err = o.mechanism.sign(o.use, param)
	return err
}

// SignInit is C_SignInit.
func (m *Module) SignInit(s session.SessionHandle, given *Mechanism, key session.ObjectHandle) error {
	return m.begin(s, session.OpSign, given, key, ck.CKO_PRIVATE_KEY, ck.CKA_SIGN, canSign, beginSign)
}

func signLen(o *operation) (length, error) { return length{o.signing.size, true}, nil }

// Sign is C_Sign.
func (m *Module) Sign(s session.SessionHandle, data []byte, out *Out) error {
	return m.last(s, session.OpSign, out, single(signLen), func(o *operation) ([]byte, error) { return o.signWhole(data) })
}

func (o *operation) signWhole(data []byte) ([]byte, error) {
	if err := o.signing.update(data); err != nil {
		return nil, err
	}
	return o.signing.finish(o.signing.input())
}

// SignUpdate is C_SignUpdate.
func (m *Module) SignUpdate(s session.SessionHandle, part []byte) error {
	return m.feed(s, session.OpSign, func(o *operation) error { return o.signing.update(part) })
}

// SignFinal is C_SignFinal.
func (m *Module) SignFinal(s session.SessionHandle, out *Out) error {
	return m.last(s, session.OpSign, out, signLen, func(o *operation) ([]byte, error) {
		return o.signing.finish(o.signing.input())
	})
}

// SignRecoverInit is C_SignRecoverInit.
func (m *Module) SignRecoverInit(s session.SessionHandle, given *Mechanism, key session.ObjectHandle) error {
	return m.begin(s, session.OpSignRecover, given, key, ck.CKO_PRIVATE_KEY, ck.CKA_SIGN_RECOVER,
		func(r *mechanism) bool { return r.recover != nil }, beginSign)
}

// SignRecover is C_SignRecover.
func (m *Module) SignRecover(s session.SessionHandle, data []byte, out *Out) error {
	return m.last(s, session.OpSignRecover, out, signLen, func(o *operation) ([]byte, error) { return o.signWhole(data) })
}
