package piv

// Opaque is an object whose inside is not known.
type Opaque struct {
	Value Hex `json:"value"`
}

func decodeOpaque(b []byte) (*Opaque, error) { return &Opaque{append(Hex{}, b...)}, nil }

// A Discovery is the Discovery object (SP 800-73-4 part 1, section 3.3.2).
type Discovery struct {
	AID            Hex    `json:"aid"`                      // 4F
	PINUsagePolicy uint16 `json:"pin_usage_policy"`         // 5F2F
	ApplicationPIN bool   `json:"application_pin"`          // bit 7 of the first byte
	GlobalPIN      bool   `json:"global_pin"`               // bit 6
	OnCardCompare  bool   `json:"on_card_comparison"`       // bit 5: OCC
	VirtualContact bool   `json:"virtual_contact"`          // bit 4: VCI
	NoPairingCode  bool   `json:"virtual_contact_unpaired"` // bit 3: VCI without pairing code
	GlobalPrimary  bool   `json:"global_pin_primary"`       // second byte 20
}

func decodeDiscovery(b []byte) (*Discovery, error) {
	r := readContainer(b)
	d := &Discovery{AID: r.hex(0x4F)}
	p := r.fixed(0x5F2F, 2)
	if r.err != nil {
		return nil, r.err
	}
	if p != nil {
		d.PINUsagePolicy = uint16(p[0])<<8 | uint16(p[1])
		d.ApplicationPIN = p[0]&0x40 != 0
		d.GlobalPIN = p[0]&0x20 != 0
		d.OnCardCompare = p[0]&0x10 != 0
		d.VirtualContact = p[0]&0x08 != 0
		d.NoPairingCode = p[0]&0x04 != 0
		d.GlobalPrimary = p[1] == 0x20
	}
	return d, nil
}

// A KeyHistory is the Key History object (SP 800-73-4 part 1, section 3.3.3).
type KeyHistory struct {
	OnCard  byte   `json:"on_card_certificates"`  // C1
	OffCard byte   `json:"off_card_certificates"` // C2
	URL     string `json:"url,omitempty"`         // F3, where the off-card certificates are
}

func decodeKeyHistory(b []byte) (*KeyHistory, error) {
	r := readContainer(b)
	h := &KeyHistory{OnCard: r.number(0xC1), OffCard: r.number(0xC2), URL: r.text(0xF3)}
	if r.err == nil && int(h.OnCard)+int(h.OffCard) > 20 {
		return nil, malformed("%d and %d retired keys, of 20", h.OnCard, h.OffCard)
	}
	return h, r.err
}

// Encode is the object's value.
func (h KeyHistory) Encode() []byte {
	var url []byte
	if h.URL != "" {
		url = []byte(h.URL)
	}
	return join(tlv(0xC1, []byte{h.OnCard}), tlv(0xC2, []byte{h.OffCard}), field(0xF3, url), tlv(tagLRC))
}

// Printed is the Printed Information object (SP 800-73-4 part 1, table 15).
type Printed struct {
	Name         string `json:"name"`                // 01
	Affiliation  string `json:"affiliation"`         // 02
	Expires      string `json:"expires"`             // 04: YYYYMMMDD
	SerialNumber string `json:"agency_card_serial"`  // 05
	Issuer       string `json:"issuer"`              // 06
	Organization string `json:"organization_line_1"` // 07
	Department   string `json:"organization_line_2"` // 08
}

// Encode is the object's value.
func (p Printed) Encode() []byte {
	return join(tlv(0x01, []byte(p.Name)), tlv(0x02, []byte(p.Affiliation)), tlv(0x04, []byte(p.Expires)),
		tlv(0x05, []byte(p.SerialNumber)), tlv(0x06, []byte(p.Issuer)),
		tlv(0x07, []byte(p.Organization)), tlv(0x08, []byte(p.Department)), tlv(tagLRC))
}

// decodePrintedOrProtected: Yubico's tools keep the management key in the place
// of the printed information.
func decodePrintedOrProtected(b []byte) (any, error) {
	r := readContainer(b)
	if v, ok := r.es.find(tagProtected); ok {
		es, err := parse(v)
		if err != nil {
			return nil, err
		}
		key, ok := es.find(tagProtectedKey)
		return &Protected{HasManagementKey: ok && len(key) > 0}, nil
	}
	p := &Printed{
		Name: r.text(0x01), Affiliation: r.text(0x02), Expires: r.text(0x04), SerialNumber: r.text(0x05),
		Issuer: r.text(0x06), Organization: r.text(0x07), Department: r.text(0x08),
	}
	return p, r.err
}

// A Biometric is an object with fingerprints, a face or irises (SP 800-73-4
// part 1, tables 13, 14 and 40): CBEFF data of SP 800-76.
type Biometric struct {
	Data Hex `json:"data"` // BC
}

func decodeBiometric(b []byte) (*Biometric, error) {
	r := readContainer(b)
	v := &Biometric{r.hex(0xBC)}
	return v, r.err
}

// A SecurityObject signs the hashes of the other objects (SP 800-73-4 part 1,
// table 12; ICAO 9303).
type SecurityObject struct {
	Mapping Hex `json:"mapping"`   // BA: data group number and container ID, 3 bytes each
	Signed  Hex `json:"signature"` // BB: CMS
}

func decodeSecurityObject(b []byte) (*SecurityObject, error) {
	r := readContainer(b)
	v := &SecurityObject{r.hex(0xBA), r.hex(0xBB)}
	return v, r.err
}

// A BITGroup tells which fingers on-card comparison takes (SP 800-73-4 part 1,
// section 3.3.6).
type BITGroup struct {
	Count     byte  `json:"count"`     // 02
	Templates []Hex `json:"templates"` // 7F60
}

func decodeBITGroup(b []byte) (*BITGroup, error) {
	r := readContainer(b)
	g := &BITGroup{Count: r.number(0x02)}
	for _, e := range r.es {
		if e.Tag == 0x7F60 {
			g.Templates = append(g.Templates, append(Hex{}, e.Value...))
		}
	}
	return g, r.err
}

// An SMSigner is the certificate that signs a card's secure messaging
// certificate (SP 800-73-4 part 1, section 3.3.7).
type SMSigner struct {
	Certificate  Hex  `json:"certificate"`            // 70
	CertInfo     byte `json:"cert_info"`              // 71
	Intermediate Hex  `json:"intermediate,omitempty"` // 7F21: card verifiable
}

func decodeSMSigner(b []byte) (*SMSigner, error) {
	r := readContainer(b)
	v := &SMSigner{r.hex(tagCertificate), r.number(tagCertInfo), r.hex(0x7F21)}
	return v, r.err
}

// A PairingCode is the Pairing Code Reference Data Container (SP 800-73-4 part
// 1, section 3.3.8). The code itself is a secret and left out; ReadObject has
// it.
type PairingCode struct {
	Present bool `json:"present"` // 99
}

func decodePairingCode(b []byte) (*PairingCode, error) {
	r := readContainer(b)
	v := &PairingCode{r.fixed(0x99, 8) != nil}
	return v, r.err
}
