package softcard

import (
	"bytes"
	"testing"
)

func TestParseAPDU(t *testing.T) {
	for _, c := range []struct {
		in       string
		data, le int
		extended bool
	}{
		{"00A40400", 0, 0, false},
		{"00A4040000", 0, 256, false},
		{"00A404007F", 0, 127, false},
		{"00A4040001AA", 1, 0, false},
		{"00A4040001AA00", 1, 256, false},
		{"00A4040001AA10", 1, 16, false},
		{"00A40400000000", 0, 65536, true},
		{"00A40400000100", 0, 256, true},
		{"00A40400000001AA", 1, 0, true},
		{"00A40400000001AA0000", 1, 65536, true},
		{"00A40400000001AA0100", 1, 256, true},
	} {
		a, ok := parseAPDU(unhex(c.in))
		if !ok || len(a.data) != c.data || a.le != c.le || a.extended != c.extended {
			t.Errorf("%s: %+v %v", c.in, a, ok)
		}
	}
	for _, in := range []string{"", "00", "00A404", "00A40400020A", "00A4040001AAFFFF", "00A404000000", "00A404000000020A", "00A40400000000AA", "00A4040000000000"} {
		if a, ok := parseAPDU(unhex(in)); ok {
			t.Errorf("%s: %+v", in, a)
		}
	}
}

func TestTLV(t *testing.T) {
	for _, in := range []string{"53", "5301", "5380", "5384000000010A", "530201", "5F", "5F81", "5F8181", "5F81818100", "53820001"} {
		if list, ok := parseTLVs(unhex(in)); ok {
			t.Errorf("%s: %v", in, list)
		}
	}
	for _, n := range []int{0, 1, 127, 128, 255, 256, 5000, 65535} {
		value := bytes.Repeat([]byte{1}, n)
		list, ok := parseTLVs(makeTLV(0x7F61, value))
		if !ok || len(list) != 1 || list[0].tag != 0x7F61 || !bytes.Equal(list[0].value, value) {
			t.Errorf("%d bytes do not come back", n)
		}
	}
}

func TestClasses(t *testing.T) {
	h := newHost(t, "nist")
	h.want("80200080", 0x6E00)
	h.want("0C200080", 0x6882)
	h.want("01200080", 0x6881)
	h.want("00990000", 0x6D00)
	h.want("00A4000000", 0x6A86)
	h.want("00C0000000", 0x6985)
}

// How each personality sends what is longer than an answer: all the ways in which a host may ask for it bring the same.
func TestAnswerParts(t *testing.T) {
	everyPersonality(t, func(t *testing.T, p *personality) {
		h := newHost(t, p.Name)
		h.admin()
		object := bytes.Repeat([]byte("0123456789"), 100)
		h.mustLong(0xDB, 0x3F, 0xFF, append(unhex("5C035FC105"), makeTLV(0x53, object)...))
		want := makeTLV(0x53, object)

		first, sw := h.raw(unhex("00CB3FFF05 5C035FC105 00"))
		if len(first) != p.chunk || sw != 0x6100 {
			t.Errorf("short: %d bytes and %04X", len(first), sw)
		}
		if got := h.want("00CB3FFF05 5C035FC105 00", 0x9000); !bytes.Equal(got, want) {
			t.Error("short: other bytes")
		}
		none, sw := h.raw(unhex("00CB3FFF05 5C035FC105"))
		if p.announceOnly != (len(none) == 0) || sw>>8 != 0x61 {
			t.Errorf("no Le: %d bytes and %04X", len(none), sw)
		}
		if got := h.want("00CB3FFF05 5C035FC105", 0x9000); !bytes.Equal(got, want) {
			t.Error("no Le: other bytes")
		}
		// Another command in between takes away what was not fetched.
		h.raw(unhex("00CB3FFF05 5C035FC105 00"))
		h.want(pinStatus, uint16(0x63C0|p.pinTries))
		h.want("00C0000000", 0x6985)

		extended, sw := h.raw(unhex("00CB3FFF 000005 5C035FC105 0000"))
		switch {
		case !p.extended:
			if sw != 0x6700 {
				t.Errorf("extended: %04X", sw)
			}
		case p.chunkExt < len(want):
			if len(extended) != p.chunkExt || sw != 0x6100 {
				t.Errorf("extended: %d bytes and %04X", len(extended), sw)
			}
		default:
			if !bytes.Equal(extended, want) || sw != 0x9000 {
				t.Errorf("extended: %d bytes and %04X", len(extended), sw)
			}
		}
	})
}

func TestNever255(t *testing.T) {
	h := newHost(t, "max255")
	h.admin()
	h.mustLong(0xDB, 0x3F, 0xFF, append(unhex("5C035FC105"), makeTLV(0x53, make([]byte, 2000))...))
	for _, command := range []string{"00CB3FFF055C035FC10500", "00CB3FFF0000055C035FC1050000", "00C0000000", "00C00000000000"} {
		b, err := h.card.Transmit(unhex(command))
		if err != nil || len(b) > 255 {
			t.Errorf("%s: %d bytes, %v", command, len(b), err)
		}
	}
}

// 6CXX: the same command with the right Le brings the answer without being done again, which a key that wants its PIN each
// time would refuse.
func TestWrongLe(t *testing.T) {
	h := newHost(t, "nist-short")
	h.admin()
	h.want("0047009C05 AC03800111", 0x9000)
	h.want(verifyGood, 0x9000)
	sign := "0087119C26 7C24 8200 8120" + zeros(32)
	_, sw := h.raw(unhex(sign + "10"))
	if sw>>8 != 0x6C {
		t.Fatalf("%04X", sw)
	}
	data, sw2 := h.raw(append(unhex(sign), byte(sw)))
	if sw2 != 0x9000 || len(data) != int(sw&0xFF) {
		t.Errorf("%04X and %d bytes", sw2, len(data))
	}
	if _, sw := h.raw(unhex(sign + "00")); sw != 0x6982 {
		t.Errorf("once more: %04X", sw)
	}
}

func TestChaining(t *testing.T) {
	h := newHost(t, "nist")
	// Parts that belong to another command are forgotten.
	h.want("1020008004 31323334", 0x9000)
	h.want("00CB3FFF03 5C017E 00", 0x9000)
	h.want("0020008004 3536FFFF", 0x6A80)
	h.want("1020008004 31323334", 0x9000)
	h.want("0020008004 3536FFFF", 0x9000)
	h.want("1020008004 31323334", 0x9000)
	h.card.Reset()
	h.want(selectPIV, 0x9000)
	h.want("0020008004 3536FFFF", 0x6A80)
	// Endless chains do not grow endlessly.
	part := append(unhex("10DB3FFFFF"), make([]byte, 255)...)
	last := uint16(0)
	for range 40 {
		if _, last = h.raw(part); last != 0x9000 {
			break
		}
	}
	if last != 0x6700 {
		t.Errorf("a chain without end: %04X", last)
	}
}

// A reader takes the ATR apart: sum, number of historical bytes, capabilities.
func TestATR(t *testing.T) {
	seen := map[string]bool{}
	for i := range personalities {
		p := &personalities[i]
		if seen[p.Name] || p.Description == "" {
			t.Errorf("%q twice, or not described", p.Name)
		}
		seen[p.Name] = true
		atr := p.atr()
		var sum byte
		for _, v := range atr[1:] {
			sum ^= v
		}
		if sum != 0 || len(atr) > 33 || int(atr[1]&0x0F) != len(p.historical) || len(p.historical) > 15 {
			t.Errorf("%s: ATR %X", p.Name, atr)
		}
		for slot := range p.pinPolicy {
			if !isKeySlot(slot) {
				t.Errorf("%s: a policy for %02X", p.Name, slot)
			}
		}
	}
	if got, want := personalities[0].atr(), unhex("3BFD1300008131FE158073C021C057597562694B657940"); !bytes.Equal(got, want) {
		t.Errorf("YubiKey 5: %X", got)
	}
	if p, _ := personalityByName("yubikey-4"); !bytes.Equal(p.atr(), unhex("3BF81300008131FE15597562696B657934D4")) {
		t.Errorf("YubiKey 4: %X", p.atr())
	}
	if Personalities()[0].Name != DefaultPersonality {
		t.Error("the default is not first")
	}
}

// Whatever comes, the card answers with a status word.
func FuzzTransmit(f *testing.F) {
	for _, seed := range []string{selectPIV, verifyGood, pinStatus, "00CB3FFF055C035FC10200", "0087039B047C028000", "00A4040008A000000527471117", "001D0000", "10DB3FFF0102", "00F70080", "00FE119A2206200102", "0047009A05AC03800111", "00FFFFFF1B039B18" + zeros(24)} {
		f.Add(unhex(seed), byte(0))
	}
	dir := f.TempDir()
	var cards []*Card
	for i, p := range personalities {
		path := dir + "/" + string(rune('a'+i))
		if err := Create(path, p.Name); err != nil {
			f.Fatal(err)
		}
		c, err := Open(path)
		if err != nil {
			f.Fatal(err)
		}
		cards = append(cards, c)
	}
	f.Fuzz(func(t *testing.T, command []byte, which byte) {
		c := cards[int(which)%len(cards)]
		c.Reset()
		if _, err := c.Transmit(unhex(selectPIV)); err != nil {
			t.Fatal(err)
		}
		c.power.pin, c.power.admin = which&0x40 != 0, which&0x80 != 0
		if len(command) > 1 && command[1] == 0x47 && len(command) > 9 && command[9] != algP256 {
			return // long RSA keys take their time
		}
		for range 2 {
			b, err := c.Transmit(command)
			if err != nil || len(b) < 2 {
				t.Fatalf("%X: %X %v", command, b, err)
			}
		}
	})
}
