package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cardbridge/card"
)

// The environment wins over the user's file, and what makes no sense is told
// with its place.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("CARDBRIDGE_READERS", "")
	t.Setenv("CARDBRIDGE_TRACE", "")
	path := filepath.Join(dir, userConfig)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# mine\nreaders = softcard:/a # one\n\nallow-reset=true\nlabel = {model} #{serial}\nhide-keys = 9e, 94-95\nhide-data = yes")
	c, err := load()
	if err != nil || c.readers != "softcard:/a" || !c.AllowReset || c.SpendLastTry || c.Label != "{model} #{serial}" || !c.HideData ||
		!slices.Equal(c.HideKeys, []card.KeyRef{"9e", "94", "95"}) {
		t.Errorf("%+v, %v", c, err)
	}
	t.Setenv("CARDBRIDGE_READERS", "pcsc")
	if c, err := load(); err != nil || c.readers != "pcsc" || !c.AllowReset {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []string{"\nreader = pcsc\n", "\nallow-reset = perhaps", "\nnonsense", "\ntrace", "\nhide-keys = 9z", "\nhide-keys = 95-82"} {
		write(bad)
		if _, err := load(); err == nil || !strings.Contains(err.Error(), path+":2: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := load(); err != nil {
		t.Errorf("without a file: %v", err)
	}
}
