package piv

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
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
	r, err := readContainer(b)
	if err != nil {
		return nil, err
	}
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

// A CCC is the Card Capability Container (SP 800-73-4 part 1, section 3.1.1,
// table 8; NISTIR 6887), which old readers look at.
type CCC struct {
	CardIdentifier    Hex  `json:"card_identifier"`               // F0: 0 or 21 bytes
	Version           byte `json:"version"`                       // F1: 21
	GrammarVersion    byte `json:"grammar_version"`               // F2: 21
	ApplicationsURL   Hex  `json:"applications_url"`              // F3
	PKCS15            byte `json:"pkcs15"`                        // F4: 00
	DataModel         byte `json:"data_model"`                    // F5: 10
	AccessControl     Hex  `json:"access_control"`                // F6
	APDUs             Hex  `json:"apdus"`                         // F7
	RedirectionTag    Hex  `json:"redirection_tag"`               // FA
	CapabilityTuples  Hex  `json:"capability_tuples"`             // FB
	StatusTuples      Hex  `json:"status_tuples"`                 // FC
	NextCCC           Hex  `json:"next_ccc"`                      // FD
	ExtendedURL       Hex  `json:"extended_url,omitempty"`        // E3
	SecurityObjectBuf Hex  `json:"security_object_buf,omitempty"` // B4
}

// NewCCC makes one for a PIV card: a random card identifier under the GSC RID,
// manufacturer FF, Java card.
func NewCCC() CCC {
	id := append(Hex{0xA0, 0x00, 0x00, 0x01, 0x16, 0xFF, 0x02}, make([]byte, 14)...)
	_, _ = rand.Read(id[7:]) // never fails
	return CCC{CardIdentifier: id, Version: 0x21, GrammarVersion: 0x21, DataModel: 0x10}
}

func decodeCCC(b []byte) (*CCC, error) {
	r, err := readContainer(b)
	if err != nil {
		return nil, err
	}
	c := &CCC{
		CardIdentifier: r.hex(0xF0), Version: r.number(0xF1), GrammarVersion: r.number(0xF2), ApplicationsURL: r.hex(0xF3),
		PKCS15: r.number(0xF4), DataModel: r.number(0xF5), AccessControl: r.hex(0xF6), APDUs: r.hex(0xF7),
		RedirectionTag: r.hex(0xFA), CapabilityTuples: r.hex(0xFB), StatusTuples: r.hex(0xFC), NextCCC: r.hex(0xFD),
		ExtendedURL: r.hex(0xE3), SecurityObjectBuf: r.hex(0xB4),
	}
	if n := len(c.CardIdentifier); n != 0 && n != 21 {
		return nil, fmt.Errorf("%w", malformed("card identifier of %d bytes", n))
	}
	return c, r.err
}

// Encode is the object's value.
func (c CCC) Encode() []byte {
	return join(tlv(0xF0, c.CardIdentifier), tlv(0xF1, []byte{c.Version}), tlv(0xF2, []byte{c.GrammarVersion}),
		tlv(0xF3, c.ApplicationsURL), tlv(0xF4, []byte{c.PKCS15}), tlv(0xF5, []byte{c.DataModel}),
		tlv(0xF6, c.AccessControl), tlv(0xF7, c.APDUs), tlv(0xFA, c.RedirectionTag), tlv(0xFB, c.CapabilityTuples),
		tlv(0xFC, c.StatusTuples), tlv(0xFD, c.NextCCC), field(0xE3, c.ExtendedURL), field(0xB4, c.SecurityObjectBuf), tlv(tagLRC))
}
