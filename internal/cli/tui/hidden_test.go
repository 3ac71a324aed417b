package tui

import (
	"errors"
	"strings"
	"testing"
)

func TestReadLine(t *testing.T) {
	for typed, want := range map[string]string{
		"123456\r":           "123456",
		"123456\nrest":       "123456",
		"12x\x7f3456\n":      "123456",
		"12ä\x083456\r":      "123456",
		"wrong\x15123456\r":  "123456",
		"\x7f\x7f123456\r":   "123456",
		"123\x04456\r":       "123456",
		"\x00\x0112\x1b34\r": "1234",
		"\r":                 "",
	} {
		got, err := readLine(strings.NewReader(typed))
		if err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
	for typed, want := range map[string]error{
		"12\x0334\r": ErrInterrupted,
		"\x04":       ErrEnded,
		"":           ErrEnded,
		"12":         ErrEnded,
	} {
		if got, err := readLine(strings.NewReader(typed)); !errors.Is(err, want) || got != nil {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
	if _, err := readLine(strings.NewReader(strings.Repeat("1", maxTyped+1) + "\r")); err == nil {
		t.Error("more than fits was taken")
	}
}
