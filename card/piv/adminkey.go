package piv

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
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

// ManagementKeyInfo is what a card tells of its management key.
type ManagementKeyInfo struct {
	Algorithm   ManagementAlgorithm // "" where the card does not tell
	TouchPolicy card.TouchPolicy
	Default     bool // the factory's, where the card tells
	Protected   bool // stored on the card behind the PIN
	Derived     bool // from the PIN, with a salt on the card
	PUKBlocked  bool // on purpose, as Yubico's tools note
}

// ManagementKey tells what the card tells of its management key: GET METADATA
// of key 9B, and what Yubico's tools noted in object 5FFF00. Access condition:
// always.
func (c *Card) ManagementKey(ctx context.Context) (ManagementKeyInfo, error) {
	return run(ctx, c, need{what: "look at the management key", again: true}, func(x *tx) (ManagementKeyInfo, error) {
		var info ManagementKeyInfo
		if x.hasMetadata() != no {
			k, err := x.adminMetadata()
			if err != nil && !errors.Is(err, errNoMetadata) {
				return info, err
			}
			info.Algorithm, info.TouchPolicy, info.Default = k.row.algorithm, k.touch, k.Default
		}
		a, err := x.adminData()
		if err != nil {
			return info, err
		}
		if a != nil {
			info.Protected, info.Derived, info.PUKBlocked = a.KeyStored, len(a.Salt) > 0, a.PUKBlocked
		}
		return info, nil
	})
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

func isStatus(err error, s apdu.Status) bool {
	got, ok := apdu.StatusOf(err)
	return ok && got == s
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

// rederive makes the management key one of the new PIN.
func (x *tx) rederive(old, pin *secret.Secret) error {
	salt := make(Hex, 16)
	_, _ = rand.Read(salt) // never fails
	next, err := deriveKey(pin, salt)
	if err != nil {
		return err
	}
	defer next.Wipe()
	const changed = "the PIN was changed; the management key is still derived from the old one"
	if err := x.authenticate(old); err != nil {
		return fmt.Errorf("%w; %s: %w", card.ErrInterruptedWrite, changed, err)
	}
	row, _ := managementByID(0x03)
	if err := x.setAdminKey(row, next, false); err != nil {
		return fmt.Errorf("%w; %s: %w", card.ErrInterruptedWrite, changed, err)
	}
	a, err := x.adminData()
	if err == nil {
		if a == nil {
			a = &AdminData{}
		}
		a.Salt = salt
		err = x.putObject(TagAdminData, a.Encode())
	}
	if err != nil {
		// The salt on the card is that of the old key.
		if back := x.setAdminKey(row, old, false); back == nil {
			return fmt.Errorf("%s: %w", changed, err)
		}
		return fmt.Errorf("%w; the management key is derived from the new PIN with a salt (%v) that could not be written: %w", card.ErrInterruptedWrite, salt, err)
	}
	if x.c.adminKey.held() {
		x.c.adminKey.keep(next, x.c.epoch)
	}
	return nil
}

// setAdminKey replaces the management key (SET MANAGEMENT KEY, Yubico).
func (x *tx) setAdminKey(row managementRow, key *secret.Secret, touch bool) error {
	p2 := byte(0xFF)
	if touch {
		p2 = 0xFE
	}
	return key.Use(func(b []byte) error {
		data := append([]byte{row.id}, tlv(Tag(refAdminKey), b)...)
		defer clear(data)
		_, err := x.send(apdu.Command{INS: insSetAdminKey, P1: 0xFF, P2: p2, Data: data, Secret: true})
		x.c.content.admin = nil
		return err
	})
}

// SetManagementKey replaces the management key (SET MANAGEMENT KEY, Yubico) and
// keeps Yubico's notes of it (object 5FFF00) in step. Access condition:
// management key; PIN too with o.Protect, which stores the new key on the card
// behind the PIN. Where the notes or the stored key cannot be written the old
// key is set again. After an interruption the error matches
// card.ErrInterruptedWrite and says which key the card has.
func (c *Card) SetManagementKey(ctx context.Context, alg ManagementAlgorithm, key *secret.Secret, o ManagementKeyOptions) error {
	row := managementRow{}
	for _, r := range managementTable {
		if r.algorithm == alg {
			row = r
		}
	}
	switch {
	case row.cipher == nil:
		return fmt.Errorf("%w: management keys of algorithm %q", card.ErrUnsupported, alg)
	case key == nil || key.Len() != row.size:
		return fmt.Errorf("%w: a management key for %s has %d bytes", card.ErrWrongSecretFormat, alg, row.size)
	}
	_, err := run(ctx, c, need{what: "set the management key", login: o.Protect, admin: true}, func(x *tx) (struct{}, error) {
		if o.Protect && !c.state.verified {
			return struct{}{}, fmt.Errorf("%w: to store the management key behind it", card.ErrLoginRequired)
		}
		if !x.row().HasSetAdmin {
			return struct{}{}, fmt.Errorf("%w: changing the management key is not part of the standard", card.ErrUnsupported)
		}
		if row.algorithm != TripleDES && !x.row().AESManagement {
			return struct{}{}, fmt.Errorf("%w: management keys other than 3DES", card.ErrUnsupported)
		}
		return struct{}{}, x.changeAdminKey(row, key, o)
	})
	return err
}

func (x *tx) changeAdminKey(row managementRow, key *secret.Secret, o ManagementKeyOptions) error {
	// Of another applet's word that there are no notes nothing comes: the next
	// command is only PIV's.
	notes, err := x.readNotes(true)
	if err != nil {
		return err
	}
	stored := notes != nil && notes.KeyStored
	var old adminKeyInfo
	if x.hasMetadata() == yes {
		if old, err = x.adminMetadata(); err != nil && !errors.Is(err, errNoMetadata) {
			return err
		}
	}
	if err := x.setAdminKey(row, key, o.Touch); err != nil {
		if isStatus(err, apdu.ErrIncorrectData) && row.algorithm != TripleDES {
			return fmt.Errorf("%w: management keys other than 3DES; the key is the old one: %w", card.ErrUnsupported, err)
		}
		return x.written(err, "the management key is the old one")
	}
	x.ours = true // no other applet takes it
	if err := x.noteAdminKey(notes, key, o); err != nil {
		if o.Protect && (isStatus(err, apdu.ErrIncorrectData) || isStatus(err, apdu.ErrNotFound)) { // Nitrokey 3, CanoKey 1.x
			err = fmt.Errorf("%w: no place for a management key behind the PIN: %w", card.ErrUnsupported, err)
		}
		return x.undoAdminKey(old, stored, err)
	}
	x.c.adminKey.keep(key, x.c.epoch)
	return nil
}

// noteAdminKey stores the key behind the PIN, or clears it there, and notes
// which.
func (x *tx) noteAdminKey(notes *AdminData, key *secret.Secret, o ManagementKeyOptions) error {
	if notes == nil && !o.Protect {
		return nil
	}
	if notes == nil {
		notes = &AdminData{}
	}
	if o.Protect {
		if err := x.storeAdminKey(key); err != nil {
			return err
		}
	} else if notes.KeyStored {
		if err := x.putObject(TagPrinted, tlv(tagProtected)); err != nil {
			return err
		}
	}
	if notes.KeyStored == o.Protect && len(notes.Salt) == 0 {
		return nil
	}
	notes.KeyStored, notes.Salt = o.Protect, nil
	return x.putObject(TagAdminData, notes.Encode())
}

// storeAdminKey stores a management key behind the PIN.
func (x *tx) storeAdminKey(key *secret.Secret) error {
	return key.Use(func(b []byte) error {
		v := tlv(tagProtected, tlv(tagProtectedKey, b))
		defer clear(v)
		return x.putObject(TagPrinted, v)
	})
}

// undoAdminKey sets the old key again, and stores it where it was stored.
func (x *tx) undoAdminKey(old adminKeyInfo, stored bool, cause error) error {
	row := old.row
	if row.cipher == nil {
		row = x.c.adminAs
	}
	if x.c.adminKey.held() && x.c.adminKey.Len() == row.size {
		if err := x.setAdminKey(row, x.c.adminKey.Secret, old.touch == card.TouchAlways); err == nil {
			if stored && x.storeAdminKey(x.c.adminKey.Secret) != nil {
				return fmt.Errorf("%w: the management key is the old one again, and no longer stored behind the PIN: %w", card.ErrInterruptedWrite, cause)
			}
			return fmt.Errorf("the management key is the old one again: %w", cause)
		}
	}
	return fmt.Errorf("%w: the card has the new management key, and it is not stored behind the PIN: %w", card.ErrInterruptedWrite, cause)
}
