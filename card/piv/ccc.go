package piv

import "crypto/rand"

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
	r := readContainer(b)
	c := &CCC{
		CardIdentifier: r.hex(0xF0), Version: r.number(0xF1), GrammarVersion: r.number(0xF2), ApplicationsURL: r.hex(0xF3),
		PKCS15: r.number(0xF4), DataModel: r.number(0xF5), AccessControl: r.hex(0xF6), APDUs: r.hex(0xF7),
		RedirectionTag: r.hex(0xFA), CapabilityTuples: r.hex(0xFB), StatusTuples: r.hex(0xFC), NextCCC: r.hex(0xFD),
		ExtendedURL: r.hex(0xE3), SecurityObjectBuf: r.hex(0xB4),
	}
	if n := len(c.CardIdentifier); n != 0 && n != 21 {
		return nil, malformed("card identifier of %d bytes", n)
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
