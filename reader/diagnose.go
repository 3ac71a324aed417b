package reader

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// A Verdict on a finding.
type Verdict string

// The verdicts.
const (
	OK      Verdict = "ok"
	Note    Verdict = "note"    // worth knowing; nothing has to be done
	Problem Verdict = "problem" // nothing will work before this is mended
)

// A Finding is one thing that Diagnose looked at.
type Finding struct {
	Check   string // what was looked at: "pcscd", "reader Yubico ..."
	Verdict Verdict
	Detail  string
	// Fix is the one command that mends it, or what to do where no command
	// does; "" where there is nothing to mend.
	Fix string
}

// Diagnose looks at all that stands between a program and a card, from the
// service to whoever else uses the card, and says of each problem what mends
// it. It asks nothing of the cards. Further findings that would only repeat a
// problem are left out.
func (s *System) Diagnose(ctx context.Context) []Finding {
	d := &diagnosis{}
	if d.service(ctx) {
		d.system(ctx, s)
	}
	return d.findings
}

type diagnosis struct{ findings []Finding }

// system is what the service itself tells.
func (d *diagnosis) system(ctx context.Context, s *System) {
	states, err := s.List(ctx)
	var service *ServiceError
	switch {
	case errors.As(err, &service):
		d.refused(service.Err)
		return
	case err != nil:
		d.add("readers", Problem, err.Error(), "")
		return
	}
	d.drivers(states)
	for _, st := range states {
		d.reader(s, st)
	}
	d.neighbours(states)
}

func (d *diagnosis) add(check string, v Verdict, detail, fix string) {
	d.findings = append(d.findings, Finding{check, v, detail, fix})
}

// reader says what is to be seen of one reader without asking its card.
func (d *diagnosis) reader(s *System, st State) {
	check := "reader " + st.Reader
	detail := "no card in it"
	switch {
	case st.Mute:
		d.add(check, Problem, "its card does not answer to reset",
			"take the card out and put it in again: chip first, chip up, contacts clean")
		return
	case st.Exclusive:
		holders := Holders()
		d.add(check, Problem, "another program has the card for itself"+named(holders), exclusiveFix(holders))
		return
	case st.Card:
		detail = "a card"
		if atr, err := ParseATR(st.ATR); err == nil || errors.Is(err, ErrATRChecksum) {
			detail += fmt.Sprintf(", ATR %s, %s", atr, protocols(atr))
		}
		if st.InUse {
			detail += ", which other programs are connected to as well"
		}
	}
	if driver := s.driver(st.Reader); driver != "" {
		detail += "; driver " + driver
	}
	d.add(check, OK, detail, "")
}

func protocols(a ATR) string {
	var t []string
	for _, p := range a.Protocols {
		t = append(t, fmt.Sprintf("T=%d", p))
	}
	return strings.Join(t, " and ")
}

// exclusiveFix ends whoever is known to be able to keep a card to itself.
func exclusiveFix(holders []Process) string {
	switch {
	case hasScdaemon(holders):
		return endScdaemon + " (for good: add pcsc-shared to ~/.gnupg/scdaemon.conf)"
	case len(holders) == 1:
		return fmt.Sprintf("kill %d", holders[0].PID)
	}
	return "end the program that has it"
}

// attrVendorName and attrIfdVersion are SCARD_ATTR_VENDOR_NAME and
// SCARD_ATTR_VENDOR_IFD_VERSION of reader.h.
const (
	attrVendorName = 0x10100
	attrIfdVersion = 0x10102
)

// driver is what the reader's driver says of itself: vendor and version. It
// connects to the reader alone, which leaves the card as it is; where that
// would shut others out (Windows) nothing is asked.
func (s *System) driver(reader string) string {
	if sharingFlags == 0 {
		return ""
	}
	ses, err := s.pcsc.Establish()
	if err != nil {
		return ""
	}
	defer func() { _ = ses.Release() }()
	h, err := ses.Connect(reader, shareDirect, protocolNone)
	if err != nil {
		return ""
	}
	defer func() { _ = h.Disconnect() }()
	var words []string
	if v, err := h.Attribute(attrVendorName); err == nil {
		if name := strings.TrimSpace(strings.TrimRight(string(v), "\x00")); name != "" {
			words = append(words, printable(name))
		}
	}
	if v, err := h.Attribute(attrIfdVersion); err == nil && len(v) == 4 {
		// MMmmbbbb: major, minor and build number, the host's byte order.
		words = append(words, fmt.Sprintf("%d.%d.%d", v[3], v[2], uint16(v[1])<<8|uint16(v[0])))
	}
	return strings.Join(words, " ")
}

// printable keeps what a driver says from doing things to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F || r == 0xFFFD {
			return -1
		}
		return r
	}, s)
}
