package softcard

// discovery is the inside of the discovery object, part 1 §3.3.2: the application and the PIN usage policy.
func (p *personality) discovery() []byte {
	b := appendTLV(nil, 0x4F, aidPIV)
	return appendTLV(b, 0x5F2F, []byte{p.globalPIN, p.globalPINPrimary})
}

// nonFederal is a FASC-N with agency code 9999 and no meaning, as issuers outside the US government use it: part 1 §3.1.2.
var nonFederal = mustHex("D4E739DA739CED39CE739D836858210842108421C84210C3EB")

// issue gives the card what an issuer writes on every one: CHUID (part 1 table 9) and CCC (table 8).
func (s *state) issue() {
	guid := randomBytes(16)
	guid[6], guid[8] = guid[6]&0x0F|0x40, guid[8]&0x3F|0x80 // RFC 4122 version 4

	var chuid []byte
	chuid = appendTLV(chuid, 0x30, nonFederal)
	chuid = appendTLV(chuid, 0x34, guid)
	chuid = appendTLV(chuid, 0x35, []byte("20991231"))
	chuid = appendTLV(chuid, 0x3E, nil) // no issuer's signature
	s.Objects[objCHUID] = appendTLV(chuid, 0xFE, nil)

	var ccc []byte
	ccc = appendTLV(ccc, 0xF0, append(mustHex("A000000116FF02"), randomBytes(14)...))
	for _, field := range []struct {
		tag   uint32
		value []byte
	}{
		{0xF1, []byte{0x21}},
		{0xF2, []byte{0x21}},
		{0xF3, nil},
		{0xF4, []byte{0x00}},
		{0xF5, []byte{0x10}},
		{0xF6, nil},
		{0xF7, nil},
		{0xFA, nil},
		{0xFB, nil},
		{0xFC, nil},
		{0xFD, nil},
		{0xFE, nil},
	} {
		ccc = appendTLV(ccc, field.tag, field.value)
	}
	s.Objects[objCCC] = ccc
}
