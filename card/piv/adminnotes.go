package piv

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/internal/secret"
)

// Tags of what Yubico's tools store about the management key.
const (
	tagAdminData    Tag = 0x80 // in object 5FFF00
	tagAdminFlags   Tag = 0x81
	tagAdminSalt    Tag = 0x82
	tagAdminPINDate Tag = 0x83
	tagProtected    Tag = 0x88 // in the place of the printed information
	tagProtectedKey Tag = 0x89

	flagPUKBlocked = 0x01
	flagKeyStored  = 0x02
)

// AdminData is what Yubico's tools note of the management key and the PIN
// (object 5FFF00, ykman's PivmanData).
type AdminData struct {
	PUKBlocked bool      `json:"puk_blocked"`
	KeyStored  bool      `json:"management_key_stored"` // behind the PIN
	Salt       Hex       `json:"salt,omitempty"`        // of a key derived from the PIN
	PINChanged time.Time `json:"pin_changed,omitzero"`

	flags Hex // as read: nil where there were none
}

func decodeAdminData(b []byte) (*AdminData, error) {
	es, err := inside(b, tagAdminData)
	if err != nil {
		return nil, err
	}
	r := &container{es: es}
	a := &AdminData{flags: r.fixed(tagAdminFlags, 1), Salt: r.hex(tagAdminSalt)}
	date := r.hex(tagAdminPINDate)
	if r.err != nil {
		return nil, r.err
	}
	if len(a.flags) == 1 {
		a.PUKBlocked = a.flags[0]&flagPUKBlocked != 0
		a.KeyStored = a.flags[0]&flagKeyStored != 0
	}
	if len(date) == 4 {
		a.PINChanged = time.Unix(int64(binary.BigEndian.Uint32(date)), 0).UTC()
	}
	return a, nil
}

// Encode is the object's value.
func (a AdminData) Encode() []byte {
	var flags byte
	if len(a.flags) == 1 {
		flags = a.flags[0] &^ (flagPUKBlocked | flagKeyStored)
	}
	if a.PUKBlocked {
		flags |= flagPUKBlocked
	}
	if a.KeyStored {
		flags |= flagKeyStored
	}
	var date []byte
	if !a.PINChanged.IsZero() {
		date = binary.BigEndian.AppendUint32(nil, uint32(a.PINChanged.Unix()))
	}
	return tlv(tagAdminData, tlv(tagAdminFlags, []byte{flags}), field(tagAdminSalt, a.Salt), field(tagAdminPINDate, date))
}

// Protected is Yubico's object behind the PIN, in the place of the printed
// information. The key is a secret and left out; LoginAdmin uses it.
type Protected struct {
	HasManagementKey bool `json:"has_management_key"`
}

// adminData is what Yubico's tools noted, nil where they did not; read once an
// epoch.
func (x *tx) adminData() (*AdminData, error) { return x.readNotes(x.ours) }

// readNotes believes that there are none where the card says so and believe
// allows it.
func (x *tx) readNotes(believe bool) (*AdminData, error) {
	if x.c.content.notesRead {
		return x.c.content.notes.clone(), nil
	}
	var notes *AdminData
	v, err := x.object(TagAdminData)
	switch {
	case err == nil:
		if notes, err = decodeAdminData(v); err != nil {
			return nil, err
		}
	case believe && (errors.Is(err, card.ErrNotFound) || unsupported(err) || isStatus(err, apdu.ErrIncorrectData) || withheld(err)):
		if !x.ours {
			return nil, nil
		}
	default:
		return nil, err
	}
	x.c.content.notes, x.c.content.notesRead = notes, true
	return notes.clone(), nil
}

func (a *AdminData) clone() *AdminData {
	if a == nil {
		return nil
	}
	b := *a
	return &b
}

// protectedKey is the management key that is stored behind the PIN, or derived
// from it.
func (x *tx) protectedKey() (*secret.Secret, error) {
	if !x.c.pin.held() {
		return nil, fmt.Errorf("%w: the management key is behind it", card.ErrLoginRequired)
	}
	a, err := x.adminData()
	if err != nil {
		return nil, err
	}
	switch {
	case a != nil && a.KeyStored:
		if err := x.relogin(); err != nil {
			return nil, err
		}
		v, err := x.object(TagPrinted)
		if err != nil {
			return nil, err
		}
		defer clear(v)
		es, err := inside(v, tagProtected)
		if err != nil {
			return nil, err
		}
		key, ok := es.find(tagProtectedKey)
		if !ok || len(key) == 0 {
			return nil, fmt.Errorf("%w: the management key that should be stored behind the PIN", card.ErrNotFound)
		}
		return secret.New(key), nil
	case a != nil && len(a.Salt) > 0:
		return deriveKey(x.c.pin.Secret, a.Salt)
	default:
		return nil, fmt.Errorf("%w: no management key is stored on the card; it must be given", card.ErrAdminRequired)
	}
}

// deriveKey is how ykman derived management keys from the PIN before it stored
// them: PBKDF2 with HMAC-SHA-1, 10,000 rounds, 24 bytes.
func deriveKey(pin *secret.Secret, salt []byte) (*secret.Secret, error) {
	var key *secret.Secret
	err := pin.Use(func(b []byte) error {
		k, err := pbkdf2.Key(sha1.New, string(b), salt, 10000, 24)
		if err == nil {
			key = secret.New(k)
		}
		return err
	})
	return key, err
}

// derivedKey is the management key where it is derived from the PIN that is
// about to be changed, nil where it is not.
func (x *tx) derivedKey(name card.SecretName, pin *secret.Secret) (*secret.Secret, error) {
	derived, err := x.pinDerived(name)
	if err != nil || !derived {
		return nil, err
	}
	a, err := x.adminData()
	if err != nil {
		return nil, err
	}
	return deriveKey(pin, a.Salt)
}

// pinDerived tells whether the management key is derived from that secret.
func (x *tx) pinDerived(name card.SecretName) (bool, error) {
	if name != card.PIN || !x.row().yubico {
		return false, nil
	}
	a, err := x.adminData()
	return err == nil && a != nil && !a.KeyStored && len(a.Salt) > 0, err
}
