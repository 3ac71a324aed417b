package pkcs11

import (
	"bytes"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Section 5.15, verifying signatures and MACs, and 5.16 (3.2), with the
// signature given first.

func canVerify(r *mechanism) bool { return r.verify != nil }

func beginVerify(o *operation, param any) (err error) {
	o.verifying, err = o.mechanism.verify(o.use, param)
	return err
}

// VerifyInit is C_VerifyInit.
func (m *Module) VerifyInit(s session.SessionHandle, given *Mechanism, key session.ObjectHandle) error {
	return m.begin(s, session.OpVerify, given, key, ck.CKO_PUBLIC_KEY, ck.CKA_VERIFY, canVerify, beginVerify)
}

// check compares a signature with what was taken in.
func (v *verifying) check(signature []byte) error {
	if v.size != 0 && len(signature) != v.size {
		return ck.CKR_SIGNATURE_LEN_RANGE
	}
	return v.finish(v.input(), signature)
}

// checkWhole takes all data in and checks.
func (v *verifying) checkWhole(data, signature []byte) error {
	if err := v.update(data); err != nil {
		return err
	}
	return v.check(signature)
}

func (m *Module) finishVerify(s session.SessionHandle, kind session.OpKind, whole bool, run func(o *operation) error) error {
	return m.app.Finish(s, kind, func(op *session.Operation) error {
		o := operationOf(op.State())
		if whole && o.parts {
			return ck.CKR_OPERATION_ACTIVE
		}
		return run(o)
	})
}

// Verify is C_Verify.
func (m *Module) Verify(s session.SessionHandle, data, signature []byte) error {
	return m.finishVerify(s, session.OpVerify, true, func(o *operation) error { return o.verifying.checkWhole(data, signature) })
}

// VerifyUpdate is C_VerifyUpdate.
func (m *Module) VerifyUpdate(s session.SessionHandle, part []byte) error {
	return m.feed(s, session.OpVerify, func(o *operation) error { return o.verifying.update(part) })
}

// VerifyFinal is C_VerifyFinal.
func (m *Module) VerifyFinal(s session.SessionHandle, signature []byte) error {
	return m.finishVerify(s, session.OpVerify, false, func(o *operation) error { return o.verifying.check(signature) })
}

// VerifyRecoverInit is C_VerifyRecoverInit.
func (m *Module) VerifyRecoverInit(s session.SessionHandle, given *Mechanism, key session.ObjectHandle) error {
	return m.begin(s, session.OpVerifyRecover, given, key, ck.CKO_PUBLIC_KEY, ck.CKA_VERIFY_RECOVER,
		func(r *mechanism) bool { return r.recover != nil },
		func(o *operation, param any) (err error) {
			o.recovery, err = o.mechanism.recover(o.use, param)
			return err
		})
}

// VerifyRecover is C_VerifyRecover.
func (m *Module) VerifyRecover(s session.SessionHandle, signature []byte, out *Out) error {
	return m.last(s, session.OpVerifyRecover, out, func(o *operation) (length, error) {
		pub, err := rsaPublicOf(o.use)
		if err != nil {
			return length{}, err
		}
		return length{pub.Size(), false}, nil
	}, func(o *operation) ([]byte, error) { return o.recovery(signature) })
}

// VerifySignatureInit is C_VerifySignatureInit.
func (m *Module) VerifySignatureInit(s session.SessionHandle, given *Mechanism, key session.ObjectHandle, signature []byte) error {
	return m.begin(s, session.OpVerifySignature, given, key, ck.CKO_PUBLIC_KEY, ck.CKA_VERIFY, canVerify, func(o *operation, param any) error {
		if err := beginVerify(o, param); err != nil {
			return err
		}
		if o.verifying.size != 0 && len(signature) != o.verifying.size {
			return ck.CKR_SIGNATURE_LEN_RANGE
		}
		o.signature = bytes.Clone(signature)
		return nil
	})
}

// VerifySignature is C_VerifySignature.
func (m *Module) VerifySignature(s session.SessionHandle, data []byte) error {
	return m.finishVerify(s, session.OpVerifySignature, true, func(o *operation) error { return o.verifying.checkWhole(data, o.signature) })
}

// VerifySignatureUpdate is C_VerifySignatureUpdate.
func (m *Module) VerifySignatureUpdate(s session.SessionHandle, part []byte) error {
	return m.feed(s, session.OpVerifySignature, func(o *operation) error { return o.verifying.update(part) })
}

// VerifySignatureFinal is C_VerifySignatureFinal.
func (m *Module) VerifySignatureFinal(s session.SessionHandle) error {
	return m.finishVerify(s, session.OpVerifySignature, false, func(o *operation) error { return o.verifying.check(o.signature) })
}
