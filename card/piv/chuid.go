package piv

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"time"
)

// A CHUID is the Card Holder Unique Identifier (SP 800-73-4 part 1, section
// 3.1.2, table 9). Its GUID is the card's serial number where the vendor has
// none.
type CHUID struct {
	BufferLength   Hex      `json:"buffer_length,omitempty"`   // EE, deprecated
	FASCN          Hex      `json:"fasc_n"`                    // 30: 25 bytes
	Organization   Hex      `json:"organization,omitempty"`    // 32, deprecated
	DUNS           Hex      `json:"duns,omitempty"`            // 33, deprecated
	GUID           [16]byte `json:"-"`                         // 34
	Expires        string   `json:"expires"`                   // 35: YYYYMMDD
	CardholderUUID Hex      `json:"cardholder_uuid,omitempty"` // 36: 16 bytes
	Signature      Hex      `json:"signature,omitempty"`       // 3E: CMS

	// GUIDText is GUID in hex, for those who print.
	GUIDText string `json:"guid"`
}

// nonFederalFASCN is the FASC-N of cards that no federal agency issued: agency
// 9999, system 9999, credential 999999, series 0, issue 1, person 0000000000,
// organization category 3, organization 0000, association 1 (TIG SCEPACS 2.3,
// section 2.1), 5 bits a digit.
var nonFederalFASCN = Hex{
	0xD4, 0xE7, 0x39, 0xDA, 0x73, 0x9C, 0xED, 0x39, 0xCE, 0x73, 0x9D, 0x83, 0x68,
	0x58, 0x21, 0x08, 0x42, 0x10, 0x84, 0x21, 0xC8, 0x42, 0x10, 0xC3, 0xEB,
}

// fascnForm is how the 40 digits of a FASC-N are laid out (TIG SCEPACS 2.3,
// section 2.1): agency, system and credential number, series, issue, and the
// person, between sentinels B, D and F; the check digit is last.
const fascnForm = "BaaaaDssssDccccccDnDiDppppppppppooooooFx"

// credentialNumber is what tells the cards of all federal agencies apart: the
// digits of agency, system, credential, series and issue in a FASC-N, 16 of them.
// A card that no agency issued has none.
func credentialNumber(fascn []byte) (string, bool) {
	if len(fascn)*8 != len(fascnForm)*5 {
		return "", false
	}
	var number []byte
	for i, form := range []byte(fascnForm) {
		var digit byte // four bits, the least first, and a parity bit
		for bit := range 4 {
			at := i*5 + bit
			digit |= fascn[at/8] >> (7 - at%8) & 1 << bit
		}
		switch form {
		case 'B', 'D', 'F':
			if digit != form-'A'+10 {
				return "", false
			}
		case 'x':
		default:
			if digit > 9 {
				return "", false
			}
			if form != 'p' && form != 'o' {
				number = append(number, '0'+digit)
			}
		}
	}
	return string(number), !bytes.HasPrefix(number, []byte("9999"))
}

// NewCHUID makes one for a card that no federal agency issued: a random GUID
// (RFC 4122 version 4), valid for as long as the day says.
func NewCHUID(expires time.Time) CHUID {
	c := CHUID{FASCN: nonFederalFASCN, Expires: expires.Format("20060102"), Signature: Hex{}}
	_, _ = rand.Read(c.GUID[:]) // never fails
	c.GUID[6] = c.GUID[6]&0x0F | 0x40
	c.GUID[8] = c.GUID[8]&0x3F | 0x80
	c.GUIDText = hex.EncodeToString(c.GUID[:])
	return c
}

func decodeCHUID(b []byte) (*CHUID, error) {
	r := readContainer(b)
	c := &CHUID{
		BufferLength: r.hex(0xEE), FASCN: r.hex(0x30), Organization: r.hex(0x32), DUNS: r.hex(0x33),
		Expires: r.text(0x35), CardholderUUID: r.fixed(0x36, 16), Signature: r.hex(0x3E),
	}
	copy(c.GUID[:], r.fixed(0x34, 16))
	c.GUIDText = hex.EncodeToString(c.GUID[:])
	return c, r.err
}

// Encode is the object's value.
func (c CHUID) Encode() []byte {
	return join(field(0xEE, c.BufferLength), tlv(0x30, c.FASCN), field(0x32, c.Organization), field(0x33, c.DUNS),
		tlv(0x34, c.GUID[:]), tlv(0x35, []byte(c.Expires)), field(0x36, c.CardholderUUID),
		tlv(0x3E, c.Signature), tlv(tagLRC))
}
