package hwtest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ebfe/scard"
)

// Real cards: with HWTEST_SERIALS the tests leave virtual readers alone and
// use the machine's pcscd and the cards with these serial numbers, no others.
// HWTEST_DESTRUCTIVE=1 allows what overwrites keys, objects and secrets.

// hardwareSerials are the serial numbers of the real cards that a person has
// given for tests, separated by commas: decimal where the card has a serial
// number, else the CHUID's GUID in hex, as cardtool info shows it.
func hardwareSerials() []string {
	return strings.FieldsFunc(strings.ToLower(os.Getenv("HWTEST_SERIALS")), func(r rune) bool { return r == ',' || r == ' ' })
}

// Effect says what a test does to a card.
type Effect int

// The effects.
const (
	// Reads leaves the card as it was; no PIN is tried.
	Reads Effect = iota
	// Destroys all that is in the PIV application. It finds the secrets of the
	// factory, and leaves them or not.
	Destroys
)

// Each runs f for each of the personalities, with a rig of one card; or, where
// HWTEST_SERIALS names real cards, for each of these that is like one of the
// personalities. f learns which that is.
func Each(t *testing.T, effect Effect, personalities []string, f func(t *testing.T, r *Rig, personality string)) {
	t.Helper()
	if len(hardwareSerials()) == 0 {
		for _, personality := range personalities {
			t.Run(personality, func(t *testing.T) {
				f(t, Start(t, Config{Personalities: []string{personality}}), personality)
			})
		}
		return
	}
	if effect == Destroys && os.Getenv("HWTEST_DESTRUCTIVE") != "1" {
		t.Skip("this test destroys what is on the card, and HWTEST_DESTRUCTIVE is not 1")
	}
	found, err := namedCards(hardwareSerials())
	if err != nil {
		t.Fatal(err)
	}
	for _, serial := range hardwareSerials() {
		t.Run(serial, func(t *testing.T) {
			c, ok := found[serial]
			switch {
			case !ok:
				t.Fatalf("no reader has card %s, which HWTEST_SERIALS names", serial)
			case !slices.Contains(personalities, c.like):
				t.Skipf("the card is like a %s, and this test is for others", c.like)
			case effect == Destroys && c.like == "nist":
				t.Skip("this test begins with a reset, and the standard has none")
			}
			r := newRig(t)
			r.real, r.serials = []string{c.reader}, []string{serial}
			if effect == Destroys {
				r.factoryReset(t, serial)
			}
			f(t, r, c.like)
		})
	}
}

// factoryReset has cardtool make the real card as it came from the factory.
func (r *Rig) factoryReset(t testing.TB, serial string) {
	t.Helper()
	r.Run(t, Cardtool(t), "--reader", r.Reader(0), "--serial", serial, "reset", "--yes")
}

// A realCard is a card that was named.
type realCard struct {
	reader string
	like   string // the personality that comes closest
}

// namedCards looks for PIV cards with one of the serial numbers. Of others it
// learns no more than that they are others.
func namedCards(serials []string) (map[string]realCard, error) {
	found := map[string]realCard{}
	pcsc, err := scard.EstablishContext()
	if err != nil {
		return nil, err
	}
	defer pcsc.Release() //nolint:errcheck // nothing to lose
	readers, err := pcsc.ListReaders()
	if err != nil {
		return nil, err
	}
	for _, reader := range readers {
		// A reader without a card, or with another kind of card, is none of ours.
		_ = withPIV(pcsc, reader, func(ask asking) {
			if serial := ask.serial(); slices.Contains(serials, serial) {
				found[serial] = realCard{reader, ask.like()}
			}
		})
	}
	return found, nil
}

// realTries are the tries left of a real card's PIN, -1 where it does not tell.
func realTries(t testing.TB, reader string) (tries int) {
	t.Helper()
	pcsc, err := scard.EstablishContext()
	if err != nil {
		t.Fatal(err)
	}
	defer pcsc.Release() //nolint:errcheck // nothing to lose
	tries = -1
	err = withPIV(pcsc, reader, func(ask asking) {
		switch b, err := ask("\x00\x20\x00\x80"); {
		case err != nil || len(b) != 2:
		case b[0] == 0x63 && b[1]&0xF0 == 0xC0:
			tries = int(b[1] & 0x0F)
		case b[0] == 0x69 && b[1] == 0x83:
			tries = 0
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return tries
}

// An asking sends a command APDU to the PIV application.
type asking func(command string) (answer []byte, err error)

// withPIV runs f in a transaction, with PIV selected.
func withPIV(pcsc *scard.Context, reader string, f func(asking)) error {
	connection, err := pcsc.Connect(reader, scard.ShareShared, scard.ProtocolAny)
	if err != nil {
		return err
	}
	defer connection.Disconnect(scard.LeaveCard) //nolint:errcheck // nothing to lose
	if err := connection.BeginTransaction(); err != nil {
		return err
	}
	defer connection.EndTransaction(scard.LeaveCard) //nolint:errcheck // nothing to lose
	ask := asking(func(command string) ([]byte, error) { return connection.Transmit([]byte(command)) })
	if _, ok := ask.data("\x00\xA4\x04\x00\x05\xA0\x00\x00\x03\x08\x00"); !ok {
		return fmt.Errorf("%s: no PIV", reader)
	}
	f(ask)
	return nil
}

// data is the answer to a command that the card carried out.
func (ask asking) data(command string) ([]byte, bool) {
	b, err := ask(command)
	if err != nil || len(b) < 2 || b[len(b)-2] != 0x90 {
		return nil, false
	}
	return b[:len(b)-2], true
}

// serial is the card's serial number by Yubico's command, else the GUID of its
// CHUID, else "".
func (ask asking) serial() string {
	if b, ok := ask.data("\x00\xF8\x00\x00\x00"); ok && len(b) == 4 {
		return fmt.Sprint(binary.BigEndian.Uint32(b))
	}
	chuid, ok := ask.data("\x00\xCB\x3F\xFF\x05\x5C\x03\x5F\xC1\x02\x00")
	if !ok || len(chuid) < 2 {
		return ""
	}
	// 53 L, then data objects of one-byte tags and lengths; 34 is the GUID.
	for rest := chuid[2:]; len(rest) >= 2 && len(rest) >= 2+int(rest[1]); rest = rest[2+int(rest[1]):] {
		if rest[0] == 0x34 {
			return hex.EncodeToString(rest[2 : 2+int(rest[1])])
		}
	}
	return ""
}

// like is the personality that comes closest, by Yubico's version command.
func (ask asking) like() string {
	b, ok := ask.data("\x00\xFD\x00\x00\x00")
	switch {
	case !ok || len(b) != 3:
		return "nist"
	case b[0] == 5 && b[1] >= 7 || b[0] > 5:
		return "yubikey-5.7"
	case b[0] == 5:
		return "yubikey-5.4"
	default:
		return "yubikey-4"
	}
}

// Real tells whether the rig's cards are real ones.
func (r *Rig) Real() bool { return r.real != nil }
