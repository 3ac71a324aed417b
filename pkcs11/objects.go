package pkcs11

import (
	"bytes"
	"errors"
	"slices"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Section 5.7, object management.

// loggedIn tells whether the session may have private objects.
func (m *Module) loggedIn(s session.SessionHandle) (bool, error) {
	info, err := m.app.SessionInfo(s)
	return info.State == session.CKS_RO_USER_FUNCTIONS || info.State == session.CKS_RW_USER_FUNCTIONS, err
}

// CreateObject is C_CreateObject.
func (m *Module) CreateObject(s session.SessionHandle, t Template) (session.ObjectHandle, error) {
	user, err := m.loggedIn(s)
	if err != nil {
		return 0, err
	}
	t, class, keyType, err := classOf(t, nil)
	if err != nil {
		return 0, err
	}
	if err := check(t, class, keyType, create); err != nil {
		return 0, err
	}
	from := created
	from.loggedIn = user
	if t.bool(ck.CKA_TOKEN, false) {
		return m.store(s, t, class, keyType, from)
	}
	return m.newSessionObject(s, t, class, keyType, nil, from)
}

// keep makes a session object known.
func (m *Module) keep(s session.SessionHandle, o *object) (session.ObjectHandle, error) {
	return m.app.CreateObject(s, session.KindOf(false, o.private), func() (session.Object, error) { return o, nil })
}

// object returns what a handle names.
func (m *Module) object(s session.SessionHandle, h session.ObjectHandle) (*object, error) {
	o, err := m.app.Object(s, h)
	if err != nil {
		return nil, err
	}
	return o.(*object), nil
}

// keyFor is object for a handle in the role of a key.
func (m *Module) keyFor(s session.SessionHandle, h session.ObjectHandle, code ck.RV) (*object, error) {
	o, err := m.object(s, h)
	if errors.Is(err, session.CKR_OBJECT_HANDLE_INVALID) {
		return nil, code
	}
	return o, err
}

// CopyObject is C_CopyObject. The copy is a session object: a card has a place
// for each key, and none for copies.
func (m *Module) CopyObject(s session.SessionHandle, h session.ObjectHandle, t Template) (session.ObjectHandle, error) {
	o, err := m.object(s, h)
	if err != nil {
		return 0, err
	}
	if !o.is(ck.CKA_COPYABLE) {
		return 0, ck.CKR_ACTION_PROHIBITED
	}
	if err := o.readData(m.contextOf(o)); err != nil {
		return 0, err
	}
	o.mu.RLock()
	attrs, err := o.changed(t, true)
	o.mu.RUnlock()
	if err != nil {
		return 0, err
	}
	if o.onToken {
		if t.bool(ck.CKA_TOKEN, false) {
			return 0, ck.CKR_TEMPLATE_INCONSISTENT
		}
		attrs[ck.CKA_TOKEN] = no
		for _, a := range []ck.AttributeType{ck.CKA_MODIFIABLE, ck.CKA_DESTROYABLE} {
			attrs.setBool(a, t.bool(a, true))
		}
	} else if attrs.bool(ck.CKA_TOKEN) {
		return 0, ck.CKR_TEMPLATE_INCONSISTENT
	}
	attrs[ck.CKA_UNIQUE_ID] = uniqueID()
	c := &object{class: o.class, private: attrs.bool(ck.CKA_PRIVATE), attrs: attrs, key: o.key}
	if o.private && !c.private {
		return 0, ck.CKR_TEMPLATE_INCONSISTENT
	}
	return m.keep(s, c)
}

// DestroyObject is C_DestroyObject.
func (m *Module) DestroyObject(s session.SessionHandle, h session.ObjectHandle) error {
	return m.app.DestroyObject(s, h, func(p session.Object) error {
		if o := p.(*object); o.onToken {
			return m.erase(o)
		}
		return nil
	})
}

// GetObjectSize is C_GetObjectSize.
func (m *Module) GetObjectSize(s session.SessionHandle, h session.ObjectHandle) (uint, error) {
	o, err := m.object(s, h)
	if err != nil {
		return 0, err
	}
	if err := o.readData(m.contextOf(o)); err != nil {
		return 0, err
	}
	return o.size(), nil
}

// A Request is one attribute of C_GetAttributeValue: where it goes, and what
// came of it.
type Request struct {
	Type ck.AttributeType
	Out  Out // Len is ck.Unavailable for an attribute that is not told
}

// GetAttributeValue is C_GetAttributeValue: all that can be told is told,
// whatever becomes of the rest (section 5.7.5).
func (m *Module) GetAttributeValue(s session.SessionHandle, h session.ObjectHandle, wanted []Request) error {
	o, err := m.object(s, h)
	if err != nil {
		return err
	}
	var result error
	for i := range wanted {
		r := &wanted[i]
		if r.Type == ck.CKA_VALUE {
			if err := o.readData(m.contextOf(o)); err != nil {
				r.Out.Len = ck.Unavailable
				result = err
				continue
			}
		}
		v, err := o.tell(r.Type)
		if err != nil {
			r.Out.Len = ck.Unavailable
			result = err
			continue
		}
		if err := r.Out.put(v); err != nil {
			r.Out.Len = ck.Unavailable
			result = err
		}
	}
	return result
}

// SetAttributeValue is C_SetAttributeValue.
func (m *Module) SetAttributeValue(s session.SessionHandle, h session.ObjectHandle, t Template) error {
	return m.app.ModifyObject(s, h, func(p session.Object) error {
		o := p.(*object)
		o.mu.Lock()
		defer o.mu.Unlock()
		attrs, err := o.changed(t, false)
		if err != nil {
			return err
		}
		if v, ok := t.find(ck.CKA_CHECK_VALUE); ok && !bytes.Equal(v, o.attrs[ck.CKA_CHECK_VALUE]) {
			return ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
		o.attrs = attrs
		return nil
	})
}

// FindObjectsInit is C_FindObjectsInit. It reads from the card what the
// template could match and is not known yet.
func (m *Module) FindObjectsInit(s session.SessionHandle, t Template) error {
	tok, err := m.tokenOf(s)
	if err != nil {
		return err
	}
	active, err := m.app.Active(s)
	if err != nil {
		return err
	}
	if len(active) > 0 {
		// Refused, but not before the card was asked needlessly.
		return m.app.FindInit(s, func(session.Object) bool { return false })
	}
	if err := m.app.Do(s, func() error { return tok.prefetch(t) }); err != nil {
		return err
	}
	// A data object's value is read from the card where all else fits.
	rest := slices.DeleteFunc(slices.Clone(t), func(a Attribute) bool { return a.Type == ck.CKA_VALUE })
	return m.app.FindInit(s, func(p session.Object) bool {
		o := p.(*object)
		return o.matches(rest) && (len(rest) == len(t) || o.readData(m.contextOf(o)) == nil && o.matches(t))
	})
}

// FindObjects is C_FindObjects.
func (m *Module) FindObjects(s session.SessionHandle, most uint) ([]session.ObjectHandle, error) {
	return m.app.Find(s, int(min(most, 1<<20)))
}

// FindObjectsFinal is C_FindObjectsFinal.
func (m *Module) FindObjectsFinal(s session.SessionHandle) error { return m.app.FindFinal(s) }
