package reader

import "bytes"

// CardData is what historical bytes say (ISO 7816-4 section 12.1.1). The zero
// value is that of a card that says nothing, or says it in ways of its own.
type CardData struct {
	// Category is the category indicator byte, the first historical byte: 00 and
	// 80 are followed by COMPACT-TLV data objects, 10 by a DIR reference, all
	// others by what only the manufacturer knows.
	Category byte
	// Objects are the COMPACT-TLV data objects, in order.
	Objects []CompactTLV
	// Status is the card's status indicator: life cycle and, after it, a status
	// word; one, two or three bytes. Nil where there is none.
	Status []byte
	// HasCapabilities: there is a card capabilities object with all three bytes,
	// from which the fields below come (section 12.1.1.9).
	HasCapabilities bool
	// SelectByName: a DF can be selected by its full name, as SELECT by AID does.
	SelectByName bool
	// Chaining, ExtendedLength: the card takes command chaining, extended length.
	Chaining, ExtendedLength bool
	// ExtendedInfo: limits of extended lengths are in EF.ATR/INFO.
	ExtendedInfo bool
	// Channels is the number of logical channels, 8 for eight or more; 1 is the
	// basic channel alone.
	Channels int
}

// A CompactTLV is a data object with a tag and a length of four bits each.
type CompactTLV struct {
	Tag   byte // of the interindustry data object: 0 to F
	Value []byte
}

// Tags of COMPACT-TLV data objects, ISO 7816-4 section 12.1.1.
const (
	tagCapabilities = 0x7
	tagStatus       = 0x8
)

func parseHistorical(h []byte) CardData {
	if len(h) == 0 {
		return CardData{}
	}
	d := CardData{Category: h[0]}
	body := h[1:]
	switch h[0] {
	case 0x00: // the last three bytes are the status indicator
		if len(body) < 3 {
			return d
		}
		d.Status = bytes.Clone(body[len(body)-3:])
		body = body[:len(body)-3]
	case 0x80:
	default:
		return d
	}
	for len(body) > 0 {
		tag, n := body[0]>>4, int(body[0]&0x0F)
		if len(body) < 1+n {
			break // what came before still holds
		}
		v := bytes.Clone(body[1 : 1+n])
		d.Objects = append(d.Objects, CompactTLV{tag, v})
		body = body[1+n:]
		switch tag {
		case tagCapabilities:
			d.capabilities(v)
		case tagStatus:
			d.Status = v
		}
	}
	return d
}

// capabilities reads the software function tables: how files are selected, how
// data are coded, and what commands may look like. Each may be left out.
func (d *CardData) capabilities(v []byte) {
	if len(v) >= 1 {
		d.SelectByName = v[0]&0x80 != 0
	}
	if len(v) < 3 {
		return
	}
	d.HasCapabilities = true
	d.Chaining = v[2]&0x80 != 0
	d.ExtendedLength = v[2]&0x40 != 0
	d.ExtendedInfo = v[2]&0x20 != 0
	d.Channels = int(v[2]&0x07) + 1
}
