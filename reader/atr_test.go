package reader

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ATRs of known cards, as PC/SC's public list of cards names them.
var knownATRs = []struct {
	card, atr  string
	protocols  string
	historical string
	want       CardData // without Objects and Status
}{
	{"YubiKey 4", "3B F8 13 00 00 81 31 FE 15 59 75 62 69 6B 65 79 34 D4", "[1]", "Yubikey4", CardData{Category: 'Y'}},
	{"YubiKey NEO", "3B FC 13 00 00 81 31 FE 15 59 75 62 69 6B 65 79 4E 45 4F 72 33 E1", "[1]", "YubikeyNEOr3", CardData{Category: 'Y'}},
	{
		"YubiKey 5", "3B FD 13 00 00 81 31 FE 15 80 73 C0 21 C0 57 59 75 62 69 4B 65 79 40", "[1]", "\x80s\xc0!\xc0WYubiKey",
		CardData{Category: 0x80, HasCapabilities: true, SelectByName: true, Chaining: true, ExtendedLength: true, Channels: 1},
	},
	{
		"YubiKey 5 by NFC", "3B 8D 80 01 80 73 C0 21 C0 57 59 75 62 69 4B 65 79 F9", "[0 1]", "\x80s\xc0!\xc0WYubiKey",
		CardData{Category: 0x80, HasCapabilities: true, SelectByName: true, Chaining: true, ExtendedLength: true, Channels: 1},
	},
	{"Nitrokey 3 by NFC", "3B 8C 01 80 5A 4E 69 74 72 6F 6B 65 79 20 33 7D", "[1]", "\x80ZNitrokey 3", CardData{Category: 0x80}},
	{
		"Nitrokey Start", "3B DA 11 FF 81 B1 FE 55 1F 03 00 31 84 73 80 01 80 05 90 00 E1", "[1]", "\x001\x84s\x80\x01\x80\x05\x90\x00",
		CardData{HasCapabilities: true, SelectByName: true, Chaining: true, Channels: 1},
	},
	{
		"OpenPGP card 2.1", "3B DA 18 FF 81 B1 FE 75 1F 03 00 31 C5 73 C0 01 40 00 90 00 0C", "[1]", "\x001\xc5s\xc0\x01@\x00\x90\x00",
		CardData{HasCapabilities: true, SelectByName: true, ExtendedLength: true, Channels: 1},
	},
	{
		"OpenPGP card 3", "3B DA 18 FF 81 B1 FE 75 1F 03 00 31 F5 73 C0 01 60 00 90 00 1C", "[1]", "\x001\xf5s\xc0\x01`\x00\x90\x00",
		CardData{HasCapabilities: true, SelectByName: true, ExtendedLength: true, ExtendedInfo: true, Channels: 1},
	},
	{
		"NIST test PIV card", "3B DF 96 00 81 B1 FE 45 1F 83 80 73 CC 91 CB F9 A0 00 00 03 08 00 00 10 00 79", "[1]", "\x80s\xcc\x91\xcb\xf9\xa0\x00\x00\x03\x08\x00\x00\x10\x00",
		CardData{Category: 0x80, HasCapabilities: true, SelectByName: true, Chaining: true, ExtendedLength: true, Channels: 4},
	},
	{"NASA PIV card", "3B D6 97 00 81 B1 FE 45 1F 07 80 31 C1 52 11 18 F9", "[1]", "\x801\xc1R\x11\x18", CardData{Category: 0x80}},
	{"PIV card of the Department of Veterans Affairs", "3B DB 96 00 80 1F 03 00 31 C0 64 B0 F3 10 00 0F 90 00 88", "[0]", "\x001\xc0d\xb0\xf3\x10\x00\x0f\x90\x00", CardData{}},
	{"DoD CAC, Gemalto", "3B 7D 96 00 00 80 31 80 65 B0 83 11 17 D6 83 00 90 00", "[0]", "\x801\x80e\xb0\x83\x11\x17\xd6\x83\x00\x90\x00", CardData{Category: 0x80}},
	{"JCOP 31 V2.2", "3B F9 18 00 00 81 31 FE 45 4A 43 4F 50 33 31 56 32 32 A8", "[1]", "JCOP31V22", CardData{Category: 'J'}},
	{"JCOP 2.4.1", "3B F8 13 00 00 81 31 FE 45 4A 43 4F 50 76 32 34 31 B7", "[1]", "JCOPv241", CardData{Category: 'J'}},
	{
		"JCOP 2.4.1R3", "3B FA 13 00 00 81 31 FE 45 00 31 C1 73 C8 40 00 00 90 00 79", "[1]", "\x001\xc1s\xc8@\x00\x00\x90\x00",
		CardData{HasCapabilities: true, SelectByName: true, Channels: 1},
	},
	{
		"JCOP 4", "3B DC 96 FF 81 11 FE 80 31 C8 54 43 56 35 07 73 FF A1 C0 3C", "[1]", "\x801\xc8TCV5\x07s\xff\xa1\xc0",
		CardData{Category: 0x80, HasCapabilities: true, SelectByName: true, Chaining: true, ExtendedLength: true, Channels: 1},
	},
	{"Fujitsu, inverse convention", "3F 65 25 00 2C 09 69 90 00", "[0]", "\x2c\x09\x69\x90\x00", CardData{Category: 0x2C}},
}

func TestParseATR(t *testing.T) {
	for _, k := range knownATRs {
		t.Run(k.card, func(t *testing.T) {
			a, err := ParseATR(unhex(k.atr))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(a.Protocols); got != k.protocols {
				t.Errorf("protocols %s", got)
			}
			if string(a.Historical) != k.historical {
				t.Errorf("historical bytes %q", a.Historical)
			}
			got := a.Card
			got.Objects, got.Status = nil, nil
			if fmt.Sprint(got) != fmt.Sprint(k.want) {
				t.Errorf("%+v, not %+v", got, k.want)
			}
			if a.ExtendedLength() != a.Card.ExtendedLength {
				t.Error("two opinions")
			}
			if a.String() != k.atr {
				t.Error(a.String())
			}
		})
	}
}

func TestATRStatus(t *testing.T) {
	for _, test := range []struct{ atr, status string }{
		{"3B DA 18 FF 81 B1 FE 75 1F 03 00 31 F5 73 C0 01 60 00 90 00 1C", "00 90 00"}, // category 00: at the end
		{"3B 7D 96 00 00 80 31 80 65 B0 83 11 17 D6 83 00 90 00", "00 90 00"},          // category 80: an object
		{"3B F8 13 00 00 81 31 FE 15 59 75 62 69 6B 65 79 34 D4", ""},
	} {
		a, err := ParseATR(unhex(test.atr))
		if err != nil || fmt.Sprintf("% X", a.Card.Status) != test.status {
			t.Errorf("%s: status % X, %v", test.atr, a.Card.Status, err)
		}
	}
}

func TestATRRefused(t *testing.T) {
	for _, test := range []struct {
		name, atr string
		want      error
	}{
		{"nothing", "", ErrMalformedATR},
		{"one byte", "3B", ErrMalformedATR},
		{"another first byte", "3A 00", ErrMalformedATR},
		{"too long", "3B 0F" + strings.Repeat(" 00", 32), ErrMalformedATR},
		{"interface bytes missing", "3B F8 13 00", ErrMalformedATR},
		{"interface bytes without end", "3B 80 80 80", ErrMalformedATR},
		{"historical bytes missing", "3B 04 41 11 77", ErrMalformedATR},
		{"checksum missing", "3B F8 13 00 00 81 31 FE 15 59 75 62 69 6B 65 79 34", ErrMalformedATR},
		{"checksum wrong", "3B F8 13 00 00 81 31 FE 15 59 75 62 69 6B 65 79 34 D5", ErrATRChecksum},
		{"checksum where only T=0 is offered", "3B 02 14 50 00", ErrMalformedATR},
		{"more bytes than announced", "3B 80 01 81 00", ErrMalformedATR},
	} {
		if _, err := ParseATR(unhex(test.atr)); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	// A card with a wrong checksum can be used.
	a, err := ParseATR(unhex("3B FD 13 00 00 81 31 FE 15 80 73 C0 21 C0 57 59 75 62 69 4B 65 79 41"))
	if !errors.Is(err, ErrATRChecksum) || a.Checked || !a.ExtendedLength() {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := ParseATR(unhex("3B 80 01 81")); err != nil || !a.Checked || !slices.Equal(a.Protocols, []int{1}) {
		t.Errorf("%+v, %v", a, err)
	}
}

// The list of cards that comes with pcsc-tools, where it is installed: nearly
// all of its ATRs are well formed, and none is a reason to panic.
func TestATRList(t *testing.T) {
	list, err := os.ReadFile("/usr/share/pcsc/smartcard_list.txt")
	if err != nil {
		t.Skip("pcsc-tools is not installed")
	}
	all, bad := 0, 0
	for _, line := range regexp.MustCompile(`(?m)^3[BF]( [0-9A-F]{2})+$`).FindAllString(string(list), -1) {
		all++
		if _, err := ParseATR(unhex(line)); err != nil {
			bad++
		}
	}
	if all < 1000 || bad*20 > all {
		t.Errorf("%d of %d are not well formed", bad, all)
	}
	t.Logf("%d of %d", bad, all)
}

func FuzzParseATR(f *testing.F) {
	for _, k := range knownATRs {
		f.Add(unhex(k.atr))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseATR(b)
		if err == nil && (len(a.Protocols) == 0 || len(b) > MaxATR) {
			t.Errorf("%+v", a)
		}
		if a.Card.Channels > 8 || a.ExtendedLength() && !a.Card.HasCapabilities {
			t.Errorf("%+v", a.Card)
		}
		_ = a.String()
	})
}

func FuzzParseFeatures(f *testing.F) {
	f.Add(unhex("06 04 42 33 00 06"), unhex("0A 04 00 00 00 00"))
	f.Fuzz(func(t *testing.T, list, properties []byte) {
		fs := parseFeatures(list)
		_ = fs.pinPad()
		fs[featureTLVProperties] = 1
		_ = fs.carriesExtended(answering{b: properties})
	})
}

// answering is a handle whose driver answers with b.
type answering struct {
	handle
	b []byte
}

func (a answering) Control(uint32, []byte) ([]byte, error) { return a.b, nil }
