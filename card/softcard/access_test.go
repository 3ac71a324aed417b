package softcard

import (
	"bytes"
	"context"
	"fmt"
	"testing"
)

// Every instruction that wants the management key refuses without it, and every one that the personality lacks is unknown.
func TestInstructionConditions(t *testing.T) {
	everyPersonality(t, func(t *testing.T, p *personality) {
		h := newHost(t, p.Name)
		for _, i := range instructions {
			_, sw := h.send([]byte{0x00, i.ins, 0x00, 0x00})
			switch {
			case !p.has(i.feature):
				if sw != 0x6D00 {
					t.Errorf("%s: %04X, want 6D00", i.name, sw)
				}
			case i.needs != always:
				if sw != 0x6982 {
					t.Errorf("%s without the management key: %04X, want 6982", i.name, sw)
				}
			case sw == 0x6982 || sw == 0x6D00:
				t.Errorf("%s: %04X", i.name, sw)
			}
		}
		if p.has(featAdmin) {
			h.admin()
			h.want("00FA0303", 0x6982) // the PIN too
		}
	})
}

func TestObjectConditions(t *testing.T) {
	everyPersonality(t, func(t *testing.T, p *personality) {
		h := newHost(t, p.Name)
		h.admin()
		for _, rule := range objectRules {
			if bare(rule.tag) {
				continue
			}
			tag := fmt.Sprintf("5C03%06X", uint32(rule.tag))
			h.want("00DB3FFF0A"+tag+"5303010203", 0x9000)
			if rule.needPIN {
				h.want("00CB3FFF05"+tag+"00", 0x6982)
				h.want(verifyGood, 0x9000)
			}
			if got := h.want("00CB3FFF05"+tag+"00", 0x9000); !bytes.Equal(got, unhex("5303010203")) {
				t.Errorf("%s: %X", rule.name, got)
			}
			h.want("0020FF80", 0x9000)
			h.want("00DB3FFF07"+tag+"5300", 0x9000) // no content takes it away
			absent := uint16(0x6A82)
			if rule.needPIN && p.hideAbsent {
				absent = 0x6982
			}
			h.want("00CB3FFF05"+tag+"00", absent)
		}
		h.want("00CB3FFF03 5C017E 00", 0x9000)
		h.want("00CB3FFF05 5C035FFF77 00", 0x6A82)
		unknown := uint16(0x9000)
		if !p.anyObject {
			unknown = 0x6A81
		}
		h.want("00DB3FFF0A 5C035FFF77 5303010203", unknown)
		h.want("00CB000005 5C035FC102 00", 0x6A86)
		h.want("00CB3FFF04 5C035FC1 00", 0x6A80)
		h.want("00CB3FFF02 5C00 00", 0x6A80)
	})
}

func TestObjectSizes(t *testing.T) {
	everyPersonality(t, func(t *testing.T, p *personality) {
		h := newHost(t, p.Name)
		h.admin()
		put := func(n int) uint16 {
			_, sw := h.long(0xDB, 0x3F, 0xFF, append(unhex("5C035FC105"), makeTLV(0x53, bytes.Repeat([]byte{7}, n))...))
			return sw
		}
		most := min(p.maxObject, maxCommandData-16)
		if sw := put(most); sw != 0x9000 {
			t.Errorf("%d bytes: %04X", most, sw)
		}
		if got := h.want("00CB3FFF05 5C035FC105 00", 0x9000); len(got) != most+4 {
			t.Errorf("%d bytes read, want %d", len(got), most+4)
		}
		if sw := put(most + 20); sw == 0x9000 {
			t.Errorf("%d bytes were taken", most+20)
		}
	})
}

// Touch: a refused one is 6982, and "cached" remembers one for a while.
func TestTouchPolicies(t *testing.T) {
	asked, willing := 0, true
	h := newHost(t, "yubikey-5.7", WithTouch(func(context.Context) bool { asked++; return willing }))
	h.admin()
	sign := "0087119A26 7C24 8200 8120" + fmt.Sprintf("%064X", 1) + "00"
	for _, c := range []struct {
		policy string
		asked  int // for two signatures
	}{{"01", 0}, {"03", 1}, {"02", 2}} {
		h.want("0047009A0B AC09800111 AA0101 AB01"+c.policy, 0x9000)
		asked = 0
		h.want(sign, 0x9000)
		h.want(sign, 0x9000)
		if asked != c.asked {
			t.Errorf("policy %s: %d touches for two signatures, want %d", c.policy, asked, c.asked)
		}
	}
	h.want("0047009A0B AC09800111 AA0101 AB0102", 0x9000)
	willing = false
	h.want(sign, 0x6982)
	h.want("0047009A0B AC09800111 AA0101 AB0104", 0x6A80)
}

// The freshness that "PIN always" wants: the VERIFY right before, and nothing between, not even a look at the PIN's state.
func TestPINAlways(t *testing.T) {
	everyPersonality(t, func(t *testing.T, p *personality) {
		h := newHost(t, p.Name)
		h.admin()
		slot := "9C"
		if p.pinPolicy[0x9C] != 0 {
			slot = "9A" // the personality has changed places
		}
		h.want("004700"+slot+"05 AC03800111", 0x9000)
		sign := "008711" + slot + "26 7C24 8200 8120" + fmt.Sprintf("%064X", 1) + "00"
		h.want(sign, 0x6982)
		h.want(verifyGood, 0x9000)
		h.want(sign, 0x9000)
		h.want(sign, 0x6982)
		for _, between := range []string{pinStatus, "00CB3FFF03 5C017E 00", "0087"} {
			h.want(verifyGood, 0x9000)
			h.send(unhex(between + "0000"[:max(0, 8-len(between))]))
			h.want(sign, 0x6982)
		}
	})
}

// A chained signature is one command: its parts are nothing between.
func TestPINAlwaysChained(t *testing.T) {
	h := newHost(t, "nist")
	h.admin()
	h.want("0047009C05 AC03800107", 0x9000)
	h.want(verifyGood, 0x9000)
	input := append([]byte{0}, bytes.Repeat([]byte{9}, 255)...)
	template := makeTLV(0x7C, makeTLV(0x82), makeTLV(0x81, input))
	h.mustLong(0x87, 0x07, 0x9C, template)
	if _, sw := h.long(0x87, 0x07, 0x9C, template); sw != 0x6982 {
		t.Errorf("the second: %04X", sw)
	}
}

// The two objects that stand for themselves are written as themselves.
func TestBareObjects(t *testing.T) {
	h := newHost(t, "nist")
	h.want("00DB3FFF05 7F61020101", 0x6982)
	h.admin()
	h.want("00DB3FFF05 7F61020101", 0x9000)
	if got := h.want("00CB3FFF04 5C027F61 00", 0x9000); !bytes.Equal(got, unhex("7F61020101")) {
		t.Errorf("%X", got)
	}
	h.want("00DB3FFF06 7E0453020101", 0x9000)
	if got := h.want("00CB3FFF03 5C017E 00", 0x9000); !bytes.Equal(got, unhex("7E0453020101")) {
		t.Errorf("%X", got)
	}
	h.want("00DB3FFF04 53020101", 0x6A80)
}
