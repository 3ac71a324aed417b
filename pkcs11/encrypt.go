package pkcs11

import (
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Sections 5.8, encryption, and 5.10, decryption.

// EncryptInit is C_EncryptInit.
func (m *Module) EncryptInit(s session.SessionHandle, given *Mechanism, key session.ObjectHandle) error {
	return m.begin(s, session.OpEncrypt, given, key, ck.CKO_PUBLIC_KEY, ck.CKA_ENCRYPT,
		func(r *mechanism) bool { return r.encrypt != nil && !r.wrapOnly },
		func(o *operation, param any) (err error) {
			o.transform, err = o.mechanism.encrypt(o.use, param)
			return err
		})
}

// DecryptInit is C_DecryptInit.
func (m *Module) DecryptInit(s session.SessionHandle, given *Mechanism, key session.ObjectHandle) error {
	return m.begin(s, session.OpDecrypt, given, key, ck.CKO_PRIVATE_KEY, ck.CKA_DECRYPT,
		func(r *mechanism) bool { return r.decrypt != nil && !r.wrapOnly },
		func(o *operation, param any) (err error) {
			o.transform, err = o.mechanism.decrypt(o.use, param)
			return err
		})
}

// Encrypt is C_Encrypt.
func (m *Module) Encrypt(s session.SessionHandle, data []byte, out *Out) error {
	return m.crypt(s, session.OpEncrypt, data, out)
}

// Decrypt is C_Decrypt.
func (m *Module) Decrypt(s session.SessionHandle, data []byte, out *Out) error {
	return m.crypt(s, session.OpDecrypt, data, out)
}

func (m *Module) crypt(s session.SessionHandle, kind session.OpKind, data []byte, out *Out) error {
	return m.last(s, kind, out, single(func(o *operation) (length, error) {
		return o.wholeLen(len(data)), nil
	}), func(o *operation) ([]byte, error) { return o.whole(data) })
}

// wholeLen is how much comes of n bytes in one go.
func (o *operation) wholeLen(n int) length {
	return length{o.transform.updateLen(n) + o.transform.finalLen(n), false}
}

func (o *operation) whole(data []byte) ([]byte, error) {
	out, err := o.transform.update(data)
	if err != nil {
		return nil, err
	}
	rest, err := o.transform.final()
	return append(out, rest...), err
}

// EncryptUpdate is C_EncryptUpdate.
func (m *Module) EncryptUpdate(s session.SessionHandle, part []byte, out *Out) error {
	return m.cryptPart(s, session.OpEncrypt, part, out)
}

// DecryptUpdate is C_DecryptUpdate.
func (m *Module) DecryptUpdate(s session.SessionHandle, part []byte, out *Out) error {
	return m.cryptPart(s, session.OpDecrypt, part, out)
}

func (m *Module) cryptPart(s session.SessionHandle, kind session.OpKind, part []byte, out *Out) error {
	return m.step(s, kind, out, func(o *operation) (int, error) { return o.transform.updateLen(len(part)), nil },
		func(o *operation) ([]byte, error) {
			o.parts = true
			return o.transform.update(part)
		})
}

// EncryptFinal is C_EncryptFinal.
func (m *Module) EncryptFinal(s session.SessionHandle, out *Out) error {
	return m.cryptFinal(s, session.OpEncrypt, out)
}

// DecryptFinal is C_DecryptFinal.
func (m *Module) DecryptFinal(s session.SessionHandle, out *Out) error {
	return m.cryptFinal(s, session.OpDecrypt, out)
}

func (m *Module) cryptFinal(s session.SessionHandle, kind session.OpKind, out *Out) error {
	return m.last(s, kind, out, func(o *operation) (length, error) {
		return length{o.transform.finalLen(0), false}, nil
	}, func(o *operation) ([]byte, error) { return o.transform.final() })
}
