package pkcs11

import (
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// The two-call dance of section 5.2, once for all functions with an output. A
// question about the length never runs the operation (S27): the length comes
// from the key or the mechanism. Where only a bound is known before (padding is
// taken off) and the caller's buffer is smaller than the bound, the operation
// runs once and its result waits until the buffer fits; a card is never asked
// twice, and no PIN or touch is spent twice.

// A length is how many bytes an output will have, or has at most.
type length struct {
	n     int
	exact bool
}

// last runs the step that ends an operation: the single-part function, or the
// Final one.
func (m *Module) last(s session.SessionHandle, kind session.OpKind, out *Out, size func(*operation) (length, error), run func(*operation) ([]byte, error)) error {
	if out.Null {
		return m.app.Query(s, kind, func(op *session.Operation) error {
			o := operationOf(op.State())
			if o.isHeld {
				return out.put(o.held)
			}
			n, err := size(o)
			out.Len = uint(n.n)
			return err
		})
	}
	if m.tooShort(s, kind, out, size) {
		return ck.CKR_BUFFER_TOO_SMALL
	}
	return m.app.Finish(s, kind, func(op *session.Operation) error {
		return operationOf(op.State()).produce(out, size, run)
	})
}

// tooShort tells what can be told of a buffer before the operation is begun:
// the key may want a login first (CKA_ALWAYS_AUTHENTICATE), its length does not.
func (m *Module) tooShort(s session.SessionHandle, kind session.OpKind, out *Out, size func(*operation) (length, error)) bool {
	short := false
	err := m.app.Query(s, kind, func(op *session.Operation) error {
		o := operationOf(op.State())
		if n, err := size(o); err == nil && n.exact && !o.isHeld {
			_, err = out.fits(n.n)
			short = err != nil
		}
		return nil
	})
	return err == nil && short
}

func (o *operation) produce(out *Out, size func(*operation) (length, error), run func(*operation) ([]byte, error)) error {
	if !o.isHeld {
		n, err := size(o)
		if err != nil {
			return err
		}
		if n.exact {
			if ok, err := out.fits(n.n); !ok {
				return err
			}
		}
		data, err := run(o)
		if err != nil {
			return err
		}
		o.held, o.isHeld = data, true
		if o.use != nil {
			o.use.forget() // the key has done its work, whatever becomes of the result
		}
	}
	return out.put(o.held)
}

// step runs a step with output that leaves its operation active. What it gives
// has just n bytes, so that nothing is taken in before it fits.
func (m *Module) step(s session.SessionHandle, kind session.OpKind, out *Out, n func(*operation) (int, error), run func(*operation) ([]byte, error)) error {
	if out.Null {
		return m.app.Query(s, kind, func(op *session.Operation) error {
			size, err := n(operationOf(op.State()))
			out.Len = uint(size)
			return err
		})
	}
	return m.app.Update(s, kind, func(op *session.Operation) error {
		o := operationOf(op.State())
		size, err := n(o)
		if err != nil {
			return err
		}
		if ok, err := out.fits(size); !ok {
			return err
		}
		data, err := run(o)
		if err != nil {
			return err
		}
		return out.put(data)
	})
}

// feed runs an Update function without output.
func (m *Module) feed(s session.SessionHandle, kind session.OpKind, run func(*operation) error) error {
	return m.app.Update(s, kind, func(op *session.Operation) error {
		o := operationOf(op.State())
		o.parts = true
		return run(o)
	})
}

// single refuses a single-part function in the middle of a multi-part
// operation: "MUST be called ... without intervening" Updates.
func single(f func(*operation) (length, error)) func(*operation) (length, error) {
	return func(o *operation) (length, error) {
		if o.parts {
			return length{}, ck.CKR_OPERATION_ACTIVE
		}
		return f(o)
	}
}

// begin makes an operation with a key active. A NULL mechanism cancels the one
// that is (section 5.2, since 3.0).
func (m *Module) begin(s session.SessionHandle, kind session.OpKind, given *Mechanism, key session.ObjectHandle, class ck.ObjectClass, usage ck.AttributeType,
	can func(*mechanism) bool, make func(o *operation, param any) error,
) error {
	if given == nil {
		return m.app.Cancel(s, kind)
	}
	if key == session.CK_INVALID_HANDLE {
		return m.sessionFirst(s, ck.CKR_KEY_HANDLE_INVALID)
	}
	return m.app.Begin(s, kind, key, func(p session.Object) (any, error) {
		k := p.(*object)
		row, param, err := start(given, can, k, class, usage)
		if err != nil {
			return nil, err
		}
		o := &operation{mechanism: row, use: &use{ctx: m.contextOf(k), key: k}}
		if err := make(o, param); err != nil {
			return nil, err
		}
		return o.state(), nil
	})
}
