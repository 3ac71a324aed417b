package softcard

import "testing"

func TestVerifyCounts(t *testing.T) {
	everyPersonality(t, func(t *testing.T, p *personality) {
		h := newHost(t, p.Name)
		tries := func(want int) {
			t.Helper()
			if got, _ := h.card.Tries(); got != want {
				t.Fatalf("%d tries left on the card, want %d", got, want)
			}
		}
		for left := p.pinTries - 1; left > 0; left-- {
			h.want(verifyBad, 0x63C0|uint16(left))
			h.want(pinStatus, 0x63C0|uint16(left))
			tries(left)
		}
		h.want(verifyGood, 0x9000)
		h.want(pinStatus, 0x9000)
		tries(p.pinTries)
		for left := p.pinTries - 1; left > 0; left-- {
			h.want(verifyBad, 0x63C0|uint16(left))
		}
		h.want(verifyBad, 0x63C0)
		h.want(verifyBad, 0x6983)
		h.want(verifyGood, 0x6983)
		h.want(pinStatus, 0x6983)
		tries(0)

		// The PUK brings it back.
		h.want("002C008010 3131313131313131 363534333231FFFF", 0x63C0|uint16(p.pukTries-1))
		if _, puk := h.card.Tries(); puk != p.pukTries-1 {
			t.Fatalf("%d PUK tries", puk)
		}
		h.want("002C008010 3132333435363738 363534333231FFFF", 0x9000)
		h.want(pinStatus, 0x63C0|uint16(p.pinTries))
		h.want("0020008008 363534333231FFFF", 0x9000)
		if _, puk := h.card.Tries(); puk != p.pukTries {
			t.Fatalf("%d PUK tries", puk)
		}
	})
}

func TestWrongPINDropsStatus(t *testing.T) {
	h := newHost(t, "nist")
	h.want(verifyGood, 0x9000)
	h.want(verifyBad, 0x63C2)
	h.want(pinStatus, 0x63C2)
}

func TestVerifyReset(t *testing.T) {
	h := newHost(t, "nist")
	h.want(verifyGood, 0x9000)
	h.want("0020FF80", 0x9000)
	h.want(pinStatus, 0x63C3)
	h.want("0020FF8008 313233343536FFFF", 0x6A80)
	h.want("00200180", 0x6A86)
	h.want("00200081", 0x6A88)
	h.want("00200096", 0x6A88)
	h.want("00200000", 0x6A88)
}

// A value that is no PIN costs nothing on a card that follows §2.4.3 and a try on a YubiKey.
func TestMalformedPIN(t *testing.T) {
	for _, c := range []struct {
		personality, command string
		sw                   uint16
	}{
		{"nist", "0020008006 313233343536", 0x6A80},
		{"nist", "0020008008 FFFFFFFFFFFFFFFF", 0x6A80},
		{"nist", "0020008008 3132333435FFFFFF", 0x6A80},
		{"nist", "0020008008 414243444546FFFF", 0x6A80},
		{"nist", "0024008010 313233343536FFFF 3132333435FFFFFF", 0x6A80},
		{"yubikey-5.7", "0020008006 313233343536", 0x6A80},
		{"yubikey-5.7", "0020008008 FFFFFFFFFFFFFFFF", 0x63C2},
		{"yubikey-5.7", "0020008008 414243444546FFFF", 0x63C2},
		{"yubikey-5.7", "0024008010 313233343536FFFF 3132333435FFFFFF", 0x6A80},
		{"yubikey-5.7", "002C008010 FFFFFFFFFFFFFFFF FFFFFFFFFFFFFFFF", 0x63C2},
	} {
		h := newHost(t, c.personality)
		h.want(c.command, c.sw)
		pin, puk := h.card.Tries()
		if spent := 6 - pin - puk; (spent != 0) != (c.sw&0xFFF0 == 0x63C0) {
			t.Errorf("%s %s: %d tries spent", c.personality, c.command, spent)
		}
	}
}

func TestChangeReference(t *testing.T) {
	everyPersonality(t, func(t *testing.T, p *personality) {
		h := newHost(t, p.Name)
		h.want("0024008010 313131313131FFFF 363534333231FFFF", 0x63C0|uint16(p.pinTries-1))
		h.want("0024008010 313233343536FFFF 363534333231FFFF", 0x9000)
		h.want(pinStatus, 0x9000)
		h.want(verifyGood, 0x63C0|uint16(p.pinTries-1))
		h.want("0020008008 363534333231FFFF", 0x9000)
		h.want("0024008110 3131313131313131 3837363534333231", 0x63C0|uint16(p.pukTries-1))
		h.want("0024008110 3132333435363738 3837363534333231", 0x9000)
		h.want("002C008010 3837363534333231 313233343536FFFF", 0x9000)
		h.want(pinStatus, 0x9000) // unblocking leaves what was verified
		h.want(verifyGood, 0x9000)
		h.want("0024008008 363534333231FFFF", 0x6A80)
		h.want("0024009B10 313233343536FFFF 363534333231FFFF", 0x6A88)
		h.want("002C008110 3837363534333231 313233343536FFFF", 0x6A88)
	})
}

// §3.1.1 and §2.5: what a SELECT and a reset leave of the security status.
func TestWhatSelectDrops(t *testing.T) {
	everyPersonality(t, func(t *testing.T, p *personality) {
		h := newHost(t, p.Name)
		again := uint16(0x63C0 | p.pinTries)
		if p.keepOnSelect {
			again = 0x9000
		}
		h.want(verifyGood, 0x9000)
		h.want(selectPIV, 0x9000)
		h.want(pinStatus, again)

		h.want(verifyGood, 0x9000)
		h.want("00A4040006 F0F1F2F3F4F5", 0x6A82) // an AID that is not there
		if p.keepOnSelect {
			h.want(pinStatus, 0x9000)
		} else {
			h.want(pinStatus, 0x6D00)
			h.want(selectPIV, 0x9000)
			h.want(pinStatus, again)
		}

		h.admin()
		h.want("00A4040008 A000000151000000", 0x9000)
		h.want(pinStatus, 0x6D00)
		h.want(selectPIV, 0x9000)
		h.want(pinStatus, uint16(0x63C0|p.pinTries))
		h.want("0047009A05 AC03800111", 0x6982)

		for _, reset := range []func(){h.card.Reset, func() { h.card.PowerOff(); h.card.PowerOn() }, func() { h.card.Remove(); h.card.Insert() }} {
			h.want(verifyGood, 0x9000)
			reset()
			h.want(pinStatus, 0x6D00)
			h.want(selectPIV, 0x9000)
			h.want(pinStatus, uint16(0x63C0|p.pinTries))
		}
	})
}

func TestGlobalPIN(t *testing.T) {
	h := newHost(t, "global-pin")
	h.want("0020000008 313131313131FFFF", 0x63C2)
	h.want("0020000008 313233343536FFFF", 0x9000)
	h.want("00200000", 0x9000)
	h.want(pinStatus, 0x63C3)
	h.want("00CB3FFF05 5C035FC109 00", 0x6A82) // the global PIN opens the application's objects
	// Its status belongs to the card: another application's selection leaves it, a reset does not.
	h.want("00A4040008 A000000151000000", 0x9000)
	h.want(selectPIV, 0x9000)
	h.want("00200000", 0x9000)
	h.card.Reset()
	h.want(selectPIV, 0x9000)
	h.want("00200000", 0x63C3)
	h.want("00CB3FFF05 5C035FC109 00", 0x6982)
}
