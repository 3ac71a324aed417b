package pkcs11

import (
	"encoding"
	"encoding/binary"
	"slices"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Section 5.12, message digesting, and the state of a digest (5.6.5, 5.6.6).

// DigestInit is C_DigestInit.
func (m *Module) DigestInit(s session.SessionHandle, given *Mechanism) error {
	if given == nil {
		return m.app.Cancel(s, session.OpDigest)
	}
	return m.app.Begin(s, session.OpDigest, session.CK_INVALID_HANDLE, func(session.Object) (any, error) {
		row, param, err := start(given, func(r *mechanism) bool { return r.digest != nil }, nil, 0, 0)
		if err != nil {
			return nil, err
		}
		return &operation{mechanism: row, hash: row.digest(param)}, nil
	})
}

func digestLen(o *operation) (length, error) { return length{o.hash.Size(), true}, nil }

// Digest is C_Digest.
func (m *Module) Digest(s session.SessionHandle, data []byte, out *Out) error {
	return m.last(s, session.OpDigest, out, single(digestLen), func(o *operation) ([]byte, error) {
		o.hash.Write(data)
		return o.hash.Sum(nil), nil
	})
}

// DigestUpdate is C_DigestUpdate.
func (m *Module) DigestUpdate(s session.SessionHandle, part []byte) error {
	return m.feed(s, session.OpDigest, func(o *operation) error {
		o.hash.Write(part)
		return nil
	})
}

// DigestKey is C_DigestKey.
func (m *Module) DigestKey(s session.SessionHandle, h session.ObjectHandle) error {
	return m.feed(s, session.OpDigest, func(o *operation) error {
		key, err := m.keyFor(s, h, ck.CKR_KEY_HANDLE_INVALID)
		if err != nil {
			return err
		}
		value, ok := key.key.([]byte)
		switch {
		case maskOf(key.class)&inKeys == 0:
			return ck.CKR_KEY_HANDLE_INVALID
		case !ok:
			return ck.CKR_KEY_INDIGESTIBLE
		}
		o.hash.Write(value)
		return nil
	})
}

// DigestFinal is C_DigestFinal.
func (m *Module) DigestFinal(s session.SessionHandle, out *Out) error {
	return m.last(s, session.OpDigest, out, digestLen, func(o *operation) ([]byte, error) { return o.hash.Sum(nil), nil })
}

// stateMagic opens a saved state; the mechanism and the hash's own state follow.
const stateMagic = "cbs1"

// GetOperationState is C_GetOperationState: digests can be saved, all other
// operations hold keys.
func (m *Module) GetOperationState(s session.SessionHandle, out *Out) error {
	active, err := m.app.Active(s)
	switch {
	case err != nil:
		return err
	case len(active) == 0 || slices.Equal(active, []session.OpKind{session.OpFind}):
		return ck.CKR_OPERATION_NOT_INITIALIZED
	case !slices.Equal(active, []session.OpKind{session.OpDigest}):
		return ck.CKR_STATE_UNSAVEABLE
	}
	return m.app.Query(s, session.OpDigest, func(op *session.Operation) error {
		o := operationOf(op.State())
		saver, ok := o.hash.(encoding.BinaryMarshaler)
		if !ok {
			return ck.CKR_STATE_UNSAVEABLE
		}
		state, err := saver.MarshalBinary()
		if err != nil {
			return ck.CKR_STATE_UNSAVEABLE
		}
		head := binary.BigEndian.AppendUint32([]byte(stateMagic), uint32(o.mechanism.typ))
		if o.parts {
			head = append(head, 1)
		} else {
			head = append(head, 0)
		}
		return out.put(append(head, state...))
	})
}

// SetOperationState is C_SetOperationState. What was active ends.
func (m *Module) SetOperationState(s session.SessionHandle, state []byte, encryption, authentication session.ObjectHandle) error {
	if _, err := m.app.SessionInfo(s); err != nil {
		return err
	}
	n := len(stateMagic)
	if len(state) < n+5 || string(state[:n]) != stateMagic {
		return ck.CKR_SAVED_STATE_INVALID
	}
	row := mechanismOf(ck.MechanismType(binary.BigEndian.Uint32(state[n:])))
	if row == nil || row.digest == nil {
		return ck.CKR_SAVED_STATE_INVALID
	}
	if encryption != 0 || authentication != 0 {
		return ck.CKR_KEY_NOT_NEEDED
	}
	h := row.digest(nil)
	if loader, ok := h.(encoding.BinaryUnmarshaler); !ok || loader.UnmarshalBinary(state[n+5:]) != nil {
		return ck.CKR_SAVED_STATE_INVALID
	}
	if err := m.app.SessionCancel(s, ^session.Flags(0)); err != nil {
		return err
	}
	return m.app.Begin(s, session.OpDigest, session.CK_INVALID_HANDLE, func(session.Object) (any, error) {
		return &operation{mechanism: row, hash: h, parts: state[n+4] == 1}, nil
	})
}
