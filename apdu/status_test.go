package apdu_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"cardbridge/apdu"
)

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		status apdu.Status
		class  apdu.Class
		text   string
	}{
		{0x9000, apdu.ClassOK, "ok (9000)"},
		{0x6100, apdu.ClassMore, "256 more bytes to fetch (6100)"},
		{0x6110, apdu.ClassMore, "16 more bytes to fetch (6110)"},
		{0x6282, apdu.ClassWarning, "end of file before the expected length (6282)"},
		{0x6299, apdu.ClassWarning, "warning, the card's memory is unchanged (6299)"},
		{0x63C0, apdu.ClassWarning, "verification failed, 0 tries left (63C0)"},
		{0x63C1, apdu.ClassWarning, "verification failed, 1 try left (63C1)"},
		{0x63CF, apdu.ClassWarning, "verification failed, 15 tries left (63CF)"},
		{0x6581, apdu.ClassExecution, "memory failure (6581)"},
		{0x6600, apdu.ClassExecution, "security issue, or not touched in time (6600)"},
		{0x6982, apdu.ClassChecking, "security status not satisfied (6982)"},
		{0x69FF, apdu.ClassChecking, "command not allowed (69FF)"},
		{0x6A82, apdu.ClassChecking, "not found (6A82)"},
		{0x6C00, apdu.ClassChecking, "wrong expected length, 256 bytes available (6C00)"},
		{0x6D00, apdu.ClassChecking, "instruction not supported (6D00)"},
		{0x9100, apdu.ClassUnknown, "unknown status word (9100)"},
		{0x0000, apdu.ClassUnknown, "unknown status word (0000)"},
	} {
		if got := tt.status.Error(); got != tt.text {
			t.Errorf("%04X: %q, want %q", uint16(tt.status), got, tt.text)
		}
		if got := tt.status.Class(); got != tt.class {
			t.Errorf("%04X: %v, want %v", uint16(tt.status), got, tt.class)
		}
	}
}

// Every status word has a class and a text that ends with its number.
func TestEveryStatus(t *testing.T) {
	for s := range 1 << 16 {
		status := apdu.Status(s)
		if !strings.HasSuffix(status.Error(), fmt.Sprintf(" (%04X)", s)) || status.Class().String() == "" {
			t.Fatalf("%04X: %v, %v", s, status, status.Class())
		}
		n, ok := status.Retries()
		if ok != (s>>4 == 0x63C) || n != 0 && n != s&15 {
			t.Fatalf("%04X: %d, %v", s, n, ok)
		}
		if !errors.Is(status, apdu.Status(s)) && status != apdu.ErrVerificationFailed {
			t.Fatalf("%04X is not itself", s)
		}
	}
}

func TestStatusMatches(t *testing.T) {
	err := fmt.Errorf("sign: %w", &apdu.CommandError{INS: 0x20, P2: 0x80, Status: 0x63C2})
	if !errors.Is(err, apdu.ErrVerificationFailed) || !errors.Is(err, apdu.Status(0x63C2)) {
		t.Error("63C2 is a failed verification")
	}
	for _, other := range []error{apdu.Status(0x63C1), apdu.ErrWarningNoInformation, apdu.ErrNotFound, errors.New("x")} {
		if errors.Is(err, other) {
			t.Errorf("63C2 matches %v", other)
		}
	}
	if errors.Is(apdu.Status(0x6381), apdu.ErrVerificationFailed) || errors.Is(apdu.ErrWarningNoInformation, apdu.ErrVerificationFailed) {
		t.Error("only 63Cx is a failed verification with a number of tries")
	}
	if got := err.Error(); got != "sign: VERIFY: verification failed, 2 tries left (63C2)" {
		t.Error(got)
	}
	if s, ok := apdu.StatusOf(err); !ok || s != 0x63C2 {
		t.Error(s, ok)
	}
}

func TestNames(t *testing.T) {
	for ins, want := range map[byte]string{0xA4: "SELECT", 0x87: "GENERAL AUTHENTICATE", 0xF7: "GET METADATA", 0x03: "INS 03"} {
		if got := apdu.Name(ins); got != want {
			t.Errorf("%02X: %s", ins, got)
		}
	}
	openPGP := &apdu.CommandError{CLA: 0x80, INS: 0xFB, Status: apdu.ErrSecurityStatus}
	if got := openPGP.Error(); !strings.HasPrefix(got, "ATTEST:") {
		t.Error(got)
	}
}
