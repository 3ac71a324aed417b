package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestDocs compares the settings with docs/pkcs11.md.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/pkcs11.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| key | environment |")
	table, _, _ = strings.Cut(table, "\n\n")
	var documented, real []string
	for line := range strings.Lines(table) {
		if c := strings.Split(line, "|"); len(c) > 3 && strings.Contains(c[1], "`") {
			documented = append(documented, strings.Trim(c[1], " `")+" "+strings.Trim(c[2], " `"))
		}
	}
	for _, s := range settings {
		real = append(real, s.key+" "+s.env)
	}
	if !slices.Equal(documented, real) {
		t.Errorf("docs/pkcs11.md lists %q, the code %q", documented, real)
	}
	for _, path := range []string{systemConfig, "~/.config/" + userConfig} {
		if !strings.Contains(string(text), "`"+path+"`") {
			t.Errorf("docs/pkcs11.md does not name %s", path)
		}
	}
}
