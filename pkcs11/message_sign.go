package pkcs11

import (
	"cmp"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Sections 5.14 and 5.16: signing and verifying message by message. Every
// mechanism that signs serves, with the parameter of its Init for all messages.

// MessageSignInit is C_MessageSignInit.
func (m *Module) MessageSignInit(s session.SessionHandle, given *Mechanism, key session.ObjectHandle) error {
	return m.begin(s, session.OpMessageSign, given, key, ck.CKO_PRIVATE_KEY, ck.CKA_SIGN, canSign, func(o *operation, param any) error {
		o.param = param
		return beginSign(o, param)
	})
}

// MessageVerifyInit is C_MessageVerifyInit.
func (m *Module) MessageVerifyInit(s session.SessionHandle, given *Mechanism, key session.ObjectHandle) error {
	return m.begin(s, session.OpMessageVerify, given, key, ck.CKO_PUBLIC_KEY, ck.CKA_VERIFY, canVerify, func(o *operation, param any) error {
		o.param = param
		return beginVerify(o, param)
	})
}

// noParameter refuses a parameter with a message: no mechanism here has one.
func noParameter(p Parameter) error {
	_, err := empty(p)
	return err
}

// SignMessage is C_SignMessage.
func (m *Module) SignMessage(s session.SessionHandle, p Parameter, data []byte, out *Out) error {
	return m.signatureOut(s, out, func(o *operation) ([]byte, error) {
		if err := cmp.Or(o.between(), noParameter(p)); err != nil {
			return nil, err
		}
		if err := beginSign(o, o.param); err != nil {
			return nil, err
		}
		return o.signWhole(data)
	})
}

func (m *Module) signatureOut(s session.SessionHandle, out *Out, run func(*operation) ([]byte, error)) error {
	return m.step(s, session.OpMessageSign, out, func(o *operation) (int, error) { return o.signing.size, nil }, run)
}

// SignMessageBegin is C_SignMessageBegin.
func (m *Module) SignMessageBegin(s session.SessionHandle, p Parameter) error {
	return m.signBegin(s, session.OpMessageSign, p, beginSign)
}

// VerifyMessageBegin is C_VerifyMessageBegin.
func (m *Module) VerifyMessageBegin(s session.SessionHandle, p Parameter) error {
	return m.signBegin(s, session.OpMessageVerify, p, beginVerify)
}

func (m *Module) signBegin(s session.SessionHandle, kind session.OpKind, p Parameter, again func(*operation, any) error) error {
	return m.app.Update(s, kind, func(op *session.Operation) error {
		o := operationOf(op.State())
		if err := cmp.Or(o.between(), noParameter(p)); err != nil {
			return err
		}
		o.partial = &partial{}
		return again(o, o.param)
	})
}

// SignMessageNext is C_SignMessageNext; out is nil for all parts but the last.
func (m *Module) SignMessageNext(s session.SessionHandle, p Parameter, part []byte, out *Out) error {
	if out == nil {
		return m.app.Update(s, session.OpMessageSign, func(op *session.Operation) error {
			o := operationOf(op.State())
			if err := o.within(); err != nil {
				return err
			}
			return o.signing.update(part)
		})
	}
	return m.signatureOut(s, out, func(o *operation) ([]byte, error) {
		if err := o.within(); err != nil {
			return nil, err
		}
		o.partial = nil
		return o.signWhole(part)
	})
}

// MessageSignFinal is C_MessageSignFinal.
func (m *Module) MessageSignFinal(s session.SessionHandle) error {
	return m.messageFinal(s, session.OpMessageSign)
}

// A wrong signature is an answer and not an error: the operation goes on to the
// next message (section 5.16.2).
func (m *Module) verdict(s session.SessionHandle, run func(*operation) error) error {
	var verdict error
	err := m.app.Update(s, session.OpMessageVerify, func(op *session.Operation) error {
		o := operationOf(op.State())
		err := run(o)
		if err == ck.CKR_SIGNATURE_INVALID || err == ck.CKR_SIGNATURE_LEN_RANGE {
			verdict = err
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	return verdict
}

// VerifyMessage is C_VerifyMessage.
func (m *Module) VerifyMessage(s session.SessionHandle, p Parameter, data, signature []byte) error {
	return m.verdict(s, func(o *operation) error {
		if err := cmp.Or(o.between(), noParameter(p)); err != nil {
			return err
		}
		if err := beginVerify(o, o.param); err != nil {
			return err
		}
		return o.verifying.checkWhole(data, signature)
	})
}

// VerifyMessageNext is C_VerifyMessageNext; signature is nil for all parts but
// the last.
func (m *Module) VerifyMessageNext(s session.SessionHandle, p Parameter, part, signature []byte) error {
	return m.verdict(s, func(o *operation) error {
		if err := o.within(); err != nil {
			return err
		}
		if signature == nil {
			return o.verifying.update(part)
		}
		o.partial = nil
		return o.verifying.checkWhole(part, signature)
	})
}

// MessageVerifyFinal is C_MessageVerifyFinal.
func (m *Module) MessageVerifyFinal(s session.SessionHandle) error {
	return m.messageFinal(s, session.OpMessageVerify)
}
