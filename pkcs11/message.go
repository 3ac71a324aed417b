package pkcs11

import (
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Sections 5.9, 5.11, 5.14 and 5.16: message-based functions (3.0). One Init
// serves many messages, each whole or in parts.

// messages encrypts and decrypts message by message.
type messages interface {
	// begin reads a message's parameter; sealing may fill in what that asks for.
	begin(p Parameter, sealing bool) (message, error)
}

// A message is one of them.
type message interface {
	// last reads the parameter once more, with the last part.
	last(p Parameter) error
	seal(associated, plaintext []byte) ([]byte, error)
	unseal(associated, ciphertext []byte) ([]byte, error)
}

// A partial is a message that comes in parts. An IV that was made with its Begin is
// the message's.
type partial struct {
	message    message
	associated []byte
	absorber
}

// between refuses what begins a message in the midst of another.
func (o *operation) between() error {
	if o.partial != nil {
		return ck.CKR_OPERATION_ACTIVE
	}
	return nil
}

// within refuses a part of a message that was not begun.
func (o *operation) within() error {
	if o.partial == nil {
		return ck.CKR_OPERATION_NOT_INITIALIZED
	}
	return nil
}

func (m *Module) messageInit(s session.SessionHandle, kind session.OpKind, given *Mechanism, key session.ObjectHandle, usage ck.AttributeType) error {
	return m.begin(s, kind, given, key, ck.CKO_SECRET_KEY, usage,
		func(r *mechanism) bool { return r.message != nil },
		func(o *operation, _ any) (err error) {
			o.messages, err = o.mechanism.message(o.use)
			return err
		})
}

// MessageEncryptInit is C_MessageEncryptInit.
func (m *Module) MessageEncryptInit(s session.SessionHandle, given *Mechanism, key session.ObjectHandle) error {
	return m.messageInit(s, session.OpMessageEncrypt, given.bare(), key, ck.CKA_ENCRYPT)
}

// MessageDecryptInit is C_MessageDecryptInit.
func (m *Module) MessageDecryptInit(s session.SessionHandle, given *Mechanism, key session.ObjectHandle) error {
	return m.messageInit(s, session.OpMessageDecrypt, given.bare(), key, ck.CKA_DECRYPT)
}

// bare marks a mechanism whose parameter comes with each message.
func (g *Mechanism) bare() *Mechanism {
	if g == nil {
		return nil
	}
	return &Mechanism{Type: g.Type, PerMessage: true}
}

// aMessage runs a whole message. The operation stays active, whatever becomes
// of one message but an error that ends it (S27).
func (m *Module) aMessage(s session.SessionHandle, kind session.OpKind, out *Out, n int, run func(*operation) ([]byte, error)) error {
	return m.step(s, kind, out, func(*operation) (int, error) { return n, nil }, func(o *operation) ([]byte, error) {
		if err := o.between(); err != nil {
			return nil, err
		}
		return run(o)
	})
}

// EncryptMessage is C_EncryptMessage.
func (m *Module) EncryptMessage(s session.SessionHandle, p Parameter, associated, plaintext []byte, out *Out) error {
	return m.aMessage(s, session.OpMessageEncrypt, out, len(plaintext), func(o *operation) ([]byte, error) {
		msg, err := o.messages.begin(p, true)
		if err != nil {
			return nil, err
		}
		return msg.seal(associated, plaintext)
	})
}

// DecryptMessage is C_DecryptMessage.
func (m *Module) DecryptMessage(s session.SessionHandle, p Parameter, associated, ciphertext []byte, out *Out) error {
	return m.aMessage(s, session.OpMessageDecrypt, out, len(ciphertext), func(o *operation) ([]byte, error) {
		msg, err := o.messages.begin(p, false)
		if err != nil {
			return nil, err
		}
		return msg.unseal(associated, ciphertext)
	})
}

func (m *Module) messageBegin(s session.SessionHandle, kind session.OpKind, p Parameter, associated []byte) error {
	return m.app.Update(s, kind, func(op *session.Operation) error {
		o := operationOf(op.State())
		if err := o.between(); err != nil {
			return err
		}
		msg, err := o.messages.begin(p, kind == session.OpMessageEncrypt)
		if err != nil {
			return err
		}
		o.partial = &partial{message: msg, associated: associated}
		return nil
	})
}

// EncryptMessageBegin is C_EncryptMessageBegin.
func (m *Module) EncryptMessageBegin(s session.SessionHandle, p Parameter, associated []byte) error {
	return m.messageBegin(s, session.OpMessageEncrypt, p, associated)
}

// DecryptMessageBegin is C_DecryptMessageBegin.
func (m *Module) DecryptMessageBegin(s session.SessionHandle, p Parameter, associated []byte) error {
	return m.messageBegin(s, session.OpMessageDecrypt, p, associated)
}

// messageNext takes a part. All output comes with the last one: of a message
// that is to be authenticated nothing is told before.
func (m *Module) messageNext(s session.SessionHandle, kind session.OpKind, part []byte, out *Out, flags ck.Flags, param Parameter, run func(*partial) ([]byte, error)) error {
	last := flags&ck.CKF_END_OF_MESSAGE != 0
	return m.step(s, kind, out, func(o *operation) (int, error) {
		if err := o.within(); err != nil || !last {
			return 0, err
		}
		return len(o.partial.data) + len(part), nil
	}, func(o *operation) ([]byte, error) {
		if err := o.partial.update(part); err != nil || !last {
			return nil, err
		}
		p := o.partial
		o.partial = nil
		if err := p.message.last(param); err != nil {
			return nil, err
		}
		return run(p)
	})
}

// EncryptMessageNext is C_EncryptMessageNext.
func (m *Module) EncryptMessageNext(s session.SessionHandle, param Parameter, part []byte, out *Out, flags ck.Flags) error {
	return m.messageNext(s, session.OpMessageEncrypt, part, out, flags, param, func(p *partial) ([]byte, error) {
		return p.message.seal(p.associated, p.data)
	})
}

// DecryptMessageNext is C_DecryptMessageNext.
func (m *Module) DecryptMessageNext(s session.SessionHandle, param Parameter, part []byte, out *Out, flags ck.Flags) error {
	return m.messageNext(s, session.OpMessageDecrypt, part, out, flags, param, func(p *partial) ([]byte, error) {
		return p.message.unseal(p.associated, p.data)
	})
}

// messageFinal ends a message-based operation.
func (m *Module) messageFinal(s session.SessionHandle, kind session.OpKind) error {
	return m.app.Finish(s, kind, func(op *session.Operation) error {
		return operationOf(op.State()).between()
	})
}

// MessageEncryptFinal is C_MessageEncryptFinal.
func (m *Module) MessageEncryptFinal(s session.SessionHandle) error {
	return m.messageFinal(s, session.OpMessageEncrypt)
}

// MessageDecryptFinal is C_MessageDecryptFinal.
func (m *Module) MessageDecryptFinal(s session.SessionHandle) error {
	return m.messageFinal(s, session.OpMessageDecrypt)
}
