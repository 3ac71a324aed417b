package piv

import (
	"fmt"
	"strings"

	"cardbridge/card"
)

// A Slot is where a PIV key lives: a row of SP 800-73-4 part 1, table 4b, with
// the data object of its certificate (table 2).
type Slot struct {
	Ref       card.KeyRef
	Key       byte   // key reference, P2 of GENERAL AUTHENTICATE
	ID        byte   // CKA_ID, as OpenSC and ykcs11 number them
	Name      string // what the command line takes beside Ref
	Label     string // what people call it
	Object    Tag    // its certificate
	PINPolicy card.PINPolicy
	Retired   bool
	// Attestation marks F9, which signs attestations and nothing else.
	Attestation bool
}

var slotTable = makeSlots()

func makeSlots() []Slot {
	s := []Slot{
		{Ref: "9a", Key: 0x9A, ID: 0x01, Name: "authentication", Label: "PIV Authentication", Object: 0x5FC105, PINPolicy: card.PINOnce},
		{Ref: "9c", Key: 0x9C, ID: 0x02, Name: "signature", Label: "Digital Signature", Object: 0x5FC10A, PINPolicy: card.PINAlways},
		{Ref: "9d", Key: 0x9D, ID: 0x03, Name: "key-management", Label: "Key Management", Object: 0x5FC10B, PINPolicy: card.PINOnce},
		{Ref: "9e", Key: 0x9E, ID: 0x04, Name: "card-authentication", Label: "Card Authentication", Object: 0x5FC101, PINPolicy: card.PINNever},
	}
	for i := range byte(20) {
		s = append(s, Slot{
			Ref: card.KeyRef(fmt.Sprintf("%02x", 0x82+i)), Key: 0x82 + i, ID: 0x05 + i,
			Name: fmt.Sprintf("retired%d", i+1), Label: fmt.Sprintf("Retired Key %d", i+1),
			Object: 0x5FC10D + Tag(i), PINPolicy: card.PINOnce, Retired: true,
		})
	}
	return append(s, Slot{
		Ref: "f9", Key: 0xF9, ID: 0x19, Name: "attestation", Label: "Attestation",
		Object: 0x5FFF01, PINPolicy: card.PINUnknown, Attestation: true,
	})
}

// Slots returns the table of slots: the four keys of the standard, the twenty
// retired key management keys, and Yubico's attestation slot.
func Slots() []Slot { return append([]Slot(nil), slotTable...) }

// SlotByName finds a slot by its reference ("9a", "9A", "0x9a") or its name
// ("authentication", "retired1").
func SlotByName(name string) (Slot, bool) {
	n := strings.TrimPrefix(strings.ToLower(name), "0x")
	for _, s := range slotTable {
		if n == string(s.Ref) || n == s.Name {
			return s, true
		}
	}
	return Slot{}, false
}

func slotOf(ref card.KeyRef) (Slot, error) {
	s, ok := SlotByName(string(ref))
	if !ok {
		return Slot{}, fmt.Errorf("%w: PIV has no slot %q (there are 9a, 9c, 9d, 9e, 82 to 95 and f9)", card.ErrNotFound, ref)
	}
	return s, nil
}

// info is what the standard alone says of the slot's key.
func (s Slot) info() card.KeyInfo {
	return card.KeyInfo{Ref: s.Ref, ID: s.ID, Label: s.Label, PINPolicy: s.PINPolicy}
}
