//go:build linux && cgo

package conform

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
)

// Target is a module to judge and the token it finds. Every suite expects on the token what [Target.Seed] puts there.
type Target struct {
	Name   string
	Module string   // path of the shared library
	Env    []string // NAME=value, added to a short fixed environment
	Wrap   []string // a command that starts the process (prlimit, setpriv), before its own arguments

	PIN, SOPIN string
	Label      string        // of the token; empty: the first token found
	Timeout    time.Duration // for one call; 0 is minutes

	// Store says that the normal user may create token objects of any class. On a card they are slots with a purpose,
	// and the card asks for the SO's login (its management key).
	Store bool

	// Tries is how often a wrong PIN may be given to the user before the token locks; 0: as often as one likes.
	Tries int

	// Departs names the rules that this module is known to break, and how: they are skipped.
	Departs map[string]string

	// Remove takes the token out of its reader and Insert puts it back; nil where that cannot be done.
	Remove, Insert func(testing.TB)

	// Disturb is another program at work at the card until the context ends: resets, other applets. nil: there is none.
	Disturb func(context.Context, testing.TB)

	// FromEnvironment says that the token is there because Env names it.
	FromEnvironment bool

	// APDUs counts the commands that reached the card so far; nil where there is no card or no counter.
	APDUs func(testing.TB) int

	// Fresh, if set, makes another token of the same kind, for tests that spoil theirs.
	Fresh func(testing.TB) *Target
}

// patience ends what would hang; a machine with much to do may stand still for
// many seconds.
const patience = 3 * time.Minute

func (tg *Target) timeout() time.Duration {
	if tg.Timeout == 0 {
		return patience
	}
	return tg.Timeout
}

func (tg *Target) environ() []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "LC_ALL=C", "TMPDIR=" + os.TempDir()}, tg.Env...)
}

// findSlot finds the slot of the token.
func (tg *Target) findSlot(a *App) (uint, error) {
	slots, rv := a.Slots(true)
	if rv != p11.CKR_OK {
		return 0, fmt.Errorf("C_GetSlotList: %v", rv)
	}
	for _, s := range slots {
		info, rv := a.TokenInfo(s)
		if rv == p11.CKR_OK && (tg.Label == "" || info.Label == tg.Label) && info.Flags&p11.CKF_TOKEN_INITIALIZED != 0 {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%s: no token %q in slots %v", tg.Name, tg.Label, slots)
}

// TokenInfo is CK_TOKEN_INFO.
type TokenInfo struct {
	Label, Manufacturer, Model, Serial                         string
	Flags                                                      uint
	MaxSessions, Sessions, MaxRWSessions, RWSessions           uint
	MaxPIN, MinPIN, TotalPub, FreePub, TotalPriv, FreePriv     uint
	HardwareMajor, HardwareMinor, FirmwareMajor, FirmwareMinor byte
	Time                                                       string
}

// TokenInfo is C_GetTokenInfo.
func (c Caller) TokenInfo(slot uint) (TokenInfo, RV) {
	r := c.Call("C_GetTokenInfo", N(slot), Out(208))
	if r.RV != p11.CKR_OK {
		return TokenInfo{}, r.RV
	}
	b := r.Outs[0].Bytes
	text := func(from, n int) string { return strings.TrimRight(string(b[from:from+n]), " ") }
	word := func(i int) uint { v, _ := fromUlong(b[96+8*i : 104+8*i]); return v }
	return TokenInfo{
		Label: text(0, 32), Manufacturer: text(32, 32), Model: text(64, 16), Serial: text(80, 16),
		Flags: word(0), MaxSessions: word(1), Sessions: word(2), MaxRWSessions: word(3), RWSessions: word(4),
		MaxPIN: word(5), MinPIN: word(6), TotalPub: word(7), FreePub: word(8), TotalPriv: word(9), FreePriv: word(10),
		HardwareMajor: b[184], HardwareMinor: b[185], FirmwareMajor: b[186], FirmwareMinor: b[187], Time: text(188, 16),
	}, r.RV
}

// within starts an application that has a R/W session and is logged in.
func (tg *Target) within(tb testing.TB, user uint) (a *App, session uint) {
	tb.Helper()
	a = tg.Start(tb)
	a.must("C_Initialize", a.Initialize())
	session = a.MustOpen(a.Slot(), RW)
	pin := tg.PIN
	if user == SO {
		pin = tg.SOPIN
	}
	a.must("C_Login", a.Login(session, user, pin))
	return a, session
}
