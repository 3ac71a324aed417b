package piv

import "cardbridge/card"

// content is public data that was read, in one epoch.
type content struct {
	keys         map[card.KeyRef]*card.KeyInfo // nil: known to be absent
	certificates map[card.KeyRef][]byte        // nil: known to be absent
	admin        *adminKeyInfo
	notes        *AdminData // object 5FFF00, nil where there is none
	notesRead    bool
}

func (c *content) setKey(ref card.KeyRef, k *card.KeyInfo) {
	if c.keys == nil {
		c.keys = map[card.KeyRef]*card.KeyInfo{}
	}
	c.keys[ref] = k
}

func (c *content) setCertificate(ref card.KeyRef, der []byte) {
	if c.certificates == nil {
		c.certificates = map[card.KeyRef][]byte{}
	}
	c.certificates[ref] = der
}

// forgetObject drops what a write makes untrue.
func (c *content) forgetObject(o Object) {
	if o.Slot != "" {
		delete(c.certificates, o.Slot)
		// Where keys are known by their certificates, the key is another now.
		delete(c.keys, o.Slot)
	}
	if o.Tag == TagAdminData {
		c.notesRead = false
	}
}

// forgetKey drops what making, importing or deleting a key makes untrue.
func (c *content) forgetKey(ref card.KeyRef) { delete(c.keys, ref) }
