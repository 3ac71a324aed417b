package pkcs11

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"

	"cardbridge/card"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// A tokenKey is what an object knows of a private key on a card. Operations get
// the key itself from token.privateKey, with their own PIN and context.
type tokenKey struct{ info card.KeyInfo }

// Public returns the public half, without asking the card.
func (k tokenKey) Public() crypto.PublicKey { return k.info.Public }

// Labels of what belongs to a key slot.
const (
	privateLabel     = "Private key for "
	publicLabel      = "Public key for "
	certificateLabel = "X.509 Certificate for "
)

// Objects lists what was read so far, for package session's searches. A search
// reads what it needs before (prefetch).
func (t *token) Objects(private bool) ([]session.Object, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []session.Object
	for _, s := range t.shownSlots() {
		info := t.keys[s.Ref]
		if info != nil && info.Public != nil {
			all = append(all, t.publicObject(s, info))
			if o := t.privateObject(s, info); private || !o.private {
				all = append(all, o)
			}
		}
		if der := t.certs[s.Ref]; der != nil {
			if o := t.certificateObject(s, der); o != nil {
				all = append(all, o)
			}
		}
	}
	if !t.lib.config.HideData {
		for _, d := range t.card.DataObjects() {
			if private || !d.Private {
				all = append(all, t.dataObject(d))
			}
		}
	}
	for _, p := range profiles {
		all = append(all, t.profileObject(p))
	}
	return all, nil
}

// object returns the object of that key, made once.
func (t *token) object(k objectKey, make func() *object) *object {
	o, ok := t.objects[k]
	if !ok {
		if o = make(); o != nil {
			o.onToken, o.tok = true, t
			t.objects[k] = o
		}
	}
	return o
}

// tokenAttributes are what all objects on a card have.
func tokenAttributes(class ck.ObjectClass, label string, private bool) Template {
	return Template{
		{ck.CKA_CLASS, encodeULong(uint(class))},
		{ck.CKA_TOKEN, yes},
		{ck.CKA_PRIVATE, encodeBool(private)},
		{ck.CKA_LABEL, []byte(label)},
	}
}

func keyTypeAttributes(s KeySlot, pub crypto.PublicKey) (Template, ck.KeyType) {
	keyType, _ := keyTypeOf(pub)
	return Template{
		{ck.CKA_KEY_TYPE, encodeULong(uint(keyType))},
		{ck.CKA_ID, []byte{s.ID}},
	}, keyType
}

// originOf says how the card's key came to be.
func originOf(info *card.KeyInfo, keyType ck.KeyType) origin {
	o := origin{rule: generate, mechanism: ck.Unavailable}
	if info.Origin == card.OriginGenerated {
		for _, m := range registry() {
			if m.pair != nil && slices.Contains(m.keys, keyType) {
				o.mechanism = uint(m.typ)
			}
		}
	}
	return o
}

func (t *token) publicObject(s KeySlot, info *card.KeyInfo) *object {
	return t.object(objectKey{class: ck.CKO_PUBLIC_KEY, ref: s.Ref}, func() *object {
		typed, keyType := keyTypeAttributes(s, info.Public)
		o, err := newObject(append(tokenAttributes(ck.CKO_PUBLIC_KEY, publicLabel+s.Label, false), typed...), ck.CKO_PUBLIC_KEY, keyType, info.Public, originOf(info, keyType))
		if err != nil {
			return nil
		}
		o.slot = s
		o.attrs.setBool(ck.CKA_DERIVE, false)
		t.settle(o)
		return o
	})
}

func (t *token) privateObject(s KeySlot, info *card.KeyInfo) *object {
	private := info.PINPolicy != card.PINNever
	return t.object(objectKey{class: ck.CKO_PRIVATE_KEY, ref: s.Ref, private: private}, func() *object { return t.newPrivateObject(s, info) })
}

// adminView is a private object as the SO sees it who just made it. The standard's
// access table shows the SO no private objects at all, yet on cards it is the
// SO who makes them: the handle that C_GenerateKeyPair returns stays usable for
// the SO, until the logout, to look at the key's attributes.
// docs/pkcs11-differences.md.
func (t *token) adminView(k objectKey, make func() *object) *object {
	k.admin = true
	return t.object(k, func() *object {
		o := make()
		if o != nil {
			o.private = false
		}
		return o
	})
}

func (t *token) newPrivateObject(s KeySlot, info *card.KeyInfo) *object {
	private := info.PINPolicy != card.PINNever
	typed, keyType := keyTypeAttributes(s, info.Public)
	template := append(tokenAttributes(ck.CKO_PRIVATE_KEY, privateLabel+s.Label, private), typed...)
	template = append(template, Attribute{ck.CKA_SENSITIVE, yes}, Attribute{ck.CKA_EXTRACTABLE, no},
		Attribute{ck.CKA_ALWAYS_AUTHENTICATE, encodeBool(info.PINPolicy == card.PINAlways || info.PINPolicy == card.MatchAlways)})
	o, err := newObject(template, ck.CKO_PRIVATE_KEY, keyType, tokenKey{*info}, originOf(info, keyType))
	if err != nil {
		return nil
	}
	o.slot = s
	t.settle(o)
	o.attrs[ck.CKA_ALLOWED_MECHANISMS] = encodeULongs(allowedFor(keyType))
	return o
}

// allowedFor lists the mechanisms that use a private key of that type.
func allowedFor(t ck.KeyType) (all []ck.MechanismType) {
	for _, m := range registry() {
		if slices.Contains(m.keys, t) && (m.sign != nil || m.decrypt != nil || m.derive != nil) {
			all = append(all, m.typ)
		}
	}
	return all
}

// settle gives a token object what never changes on it, and a CKA_UNIQUE_ID
// that is the same whenever the card is inserted.
func (t *token) settle(o *object) {
	o.attrs[ck.CKA_MODIFIABLE] = no
	o.attrs[ck.CKA_COPYABLE] = encodeBool(o.class != ck.CKO_PRIVATE_KEY)
	_, admin := t.card.(AdminToken)
	o.attrs[ck.CKA_DESTROYABLE] = encodeBool(admin && (o.class == ck.CKO_CERTIFICATE || o.class == ck.CKO_PRIVATE_KEY || o.class == ck.CKO_DATA))
	h := sha256.New()
	h.Write(o.attrs[ck.CKA_CLASS])
	h.Write([]byte(t.card.Applet()))
	h.Write([]byte(o.slot.Ref))
	h.Write(o.attrs[ck.CKA_PUBLIC_KEY_INFO])
	h.Write(o.attrs[ck.CKA_PROFILE_ID])
	if o.class != ck.CKO_PRIVATE_KEY && o.class != ck.CKO_PUBLIC_KEY {
		h.Write(o.attrs[ck.CKA_LABEL])
		h.Write(o.attrs[ck.CKA_VALUE])
	}
	o.attrs[ck.CKA_UNIQUE_ID] = []byte(hex.EncodeToString(h.Sum(nil)[:16]))
}

func (t *token) certificateObject(s KeySlot, der []byte) *object {
	return t.object(objectKey{class: ck.CKO_CERTIFICATE, ref: s.Ref}, func() *object {
		template := append(tokenAttributes(ck.CKO_CERTIFICATE, certificateLabel+s.Label, false),
			Attribute{ck.CKA_CERTIFICATE_TYPE, encodeULong(uint(ck.CKC_X_509))},
			Attribute{ck.CKA_ID, []byte{s.ID}},
			Attribute{ck.CKA_VALUE, der},
			Attribute{ck.CKA_CERTIFICATE_CATEGORY, encodeULong(1)}) // token user
		o, err := newObject(template, ck.CKO_CERTIFICATE, 0, nil, created)
		if err != nil {
			t.lib.logf("slot %d: certificate %s is no X.509 certificate", t.slot, s.Ref)
			return nil
		}
		o.slot = s
		t.settle(o)
		return o
	})
}

// dataObject is a container on the card. That it is there says nothing of its
// being filled: an empty one reads as an empty value, and no container is read
// before its value is asked for.
func (t *token) dataObject(d DataObject) *object {
	return t.object(objectKey{class: ck.CKO_DATA, data: d.Name, private: d.Private}, func() *object { return t.newDataObject(d) })
}

func (t *token) newDataObject(d DataObject) *object {
	template := tokenAttributes(ck.CKO_DATA, d.Name, d.Private)
	template = append(template, Attribute{ck.CKA_APPLICATION, []byte(t.card.Applet())})
	if oid, err := asn1.Marshal(asn1.ObjectIdentifier(d.OID)); err == nil {
		template = append(template, Attribute{ck.CKA_OBJECT_ID, oid})
	}
	o, err := newObject(template, ck.CKO_DATA, 0, nil, created)
	if err != nil {
		return nil
	}
	o.data = &d
	t.settle(o)
	delete(o.attrs, ck.CKA_VALUE)
	return o
}

// readData reads a data object's value the first time it is asked for.
func (o *object) readData(ctx context.Context) error {
	if o.data == nil {
		return nil
	}
	o.mu.RLock()
	_, read := o.attrs[ck.CKA_VALUE]
	o.mu.RUnlock()
	if read {
		return nil
	}
	value, err := o.tok.card.ReadData(ctx, o.data.Name)
	if errors.Is(err, card.ErrNotFound) {
		value, err = blank, nil
	}
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attrs[ck.CKA_VALUE] = value
	return nil
}

// prefetch reads from the card what a search for template could find, and no
// more: attributes that are known beforehand narrow it down.
func (t *token) prefetch(template Template) error {
	if !template.bool(ck.CKA_TOKEN, true) {
		return nil
	}
	class, classGiven := template.ulong(ck.CKA_CLASS)
	if !classGiven {
		if _, ok := template.find(ck.CKA_CERTIFICATE_TYPE); ok {
			class, classGiven = uint(ck.CKO_CERTIFICATE), true
		}
	}
	wants := func(c ck.ObjectClass) bool { return !classGiven || ck.ObjectClass(class) == c }
	slots := t.shownSlots()
	if id, ok := template.find(ck.CKA_ID); ok {
		slots = slices.DeleteFunc(slots, func(s KeySlot) bool { return len(id) != 1 || id[0] != s.ID })
	}
	labelled := func(slots []KeySlot, prefix string) []KeySlot {
		label, ok := template.find(ck.CKA_LABEL)
		if !ok {
			return slots
		}
		return slices.DeleteFunc(slices.Clone(slots), func(s KeySlot) bool { return prefix+s.Label != string(label) })
	}
	var keys []KeySlot
	if wants(ck.CKO_PUBLIC_KEY) {
		keys = append(keys, labelled(slots, publicLabel)...)
	}
	if wants(ck.CKO_PRIVATE_KEY) {
		for _, s := range labelled(slots, privateLabel) {
			if !slices.Contains(keys, s) {
				keys = append(keys, s)
			}
		}
	}
	var certs []KeySlot
	if wants(ck.CKO_CERTIFICATE) {
		certs = labelled(slots, certificateLabel)
	}
	return t.read(keys, certs)
}

// mainSlots are the key slots whose certificate is looked for even where there
// is no key: the first four, which people use (on PIV 9A, 9C, 9D, 9E). In
// others it is found when asked for by CKA_ID.
const mainSlots = 4
