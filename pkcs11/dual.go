package pkcs11

import (
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Section 5.17, dual-function cryptographic operations: the four pairs of S26.

// before feeds the plaintext to one operation and gives it, encrypted, by
// another.
func (m *Module) before(s session.SessionHandle, first session.OpKind, part []byte, out *Out, feed func(*operation, []byte) error) error {
	return m.pair(s, first, session.OpEncrypt, part, out, func(one, two *operation) ([]byte, error) {
		if err := feed(one, part); err != nil {
			return nil, err
		}
		return two.transform.update(part)
	})
}

// after decrypts and feeds the plaintext to the other operation.
func (m *Module) after(s session.SessionHandle, second session.OpKind, part []byte, out *Out, feed func(*operation, []byte) error) error {
	return m.pair(s, second, session.OpDecrypt, part, out, func(one, two *operation) ([]byte, error) {
		plain, err := two.transform.update(part)
		if err != nil {
			return nil, err
		}
		return plain, feed(one, plain)
	})
}

// pair runs a step of two operations; the second one's transform sets the
// length.
func (m *Module) pair(s session.SessionHandle, first, second session.OpKind, part []byte, out *Out, run func(one, two *operation) ([]byte, error)) error {
	active, err := m.app.Active(s)
	if err != nil {
		return err
	}
	if len(active) != 2 {
		return ck.CKR_OPERATION_NOT_INITIALIZED
	}
	if out.Null {
		return m.app.Query(s, second, func(op *session.Operation) error {
			out.Len = uint(operationOf(op.State()).transform.updateLen(len(part)))
			return nil
		})
	}
	return m.app.UpdatePair(s, first, second, func(a, b *session.Operation) error {
		one, two := operationOf(a.State()), operationOf(b.State())
		if ok, err := out.fits(two.transform.updateLen(len(part))); !ok {
			return err
		}
		one.parts, two.parts = true, true
		data, err := run(one, two)
		if err != nil {
			return err
		}
		return out.put(data)
	})
}

func feedHash(o *operation, b []byte) error {
	o.hash.Write(b)
	return nil
}

func feedSigning(o *operation, b []byte) error { return o.signing.update(b) }

func feedVerifying(o *operation, b []byte) error { return o.verifying.update(b) }

// DigestEncryptUpdate is C_DigestEncryptUpdate.
func (m *Module) DigestEncryptUpdate(s session.SessionHandle, part []byte, out *Out) error {
	return m.before(s, session.OpDigest, part, out, feedHash)
}

// DecryptDigestUpdate is C_DecryptDigestUpdate.
func (m *Module) DecryptDigestUpdate(s session.SessionHandle, part []byte, out *Out) error {
	return m.after(s, session.OpDigest, part, out, feedHash)
}

// SignEncryptUpdate is C_SignEncryptUpdate.
func (m *Module) SignEncryptUpdate(s session.SessionHandle, part []byte, out *Out) error {
	return m.before(s, session.OpSign, part, out, feedSigning)
}

// DecryptVerifyUpdate is C_DecryptVerifyUpdate.
func (m *Module) DecryptVerifyUpdate(s session.SessionHandle, part []byte, out *Out) error {
	return m.after(s, session.OpVerify, part, out, feedVerifying)
}
