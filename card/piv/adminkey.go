package piv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/internal/secret"
)

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
