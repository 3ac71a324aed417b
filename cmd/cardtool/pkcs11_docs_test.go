package main

import (
	"strings"
	"testing"
)

// TestPKCS11Lines compares the lines that "pkcs11 install" prints with those of
// docs/pkcs11.md.
func TestPKCS11Lines(t *testing.T) {
	text := strings.ReplaceAll(readDoc(t, "../../docs/pkcs11.md"), `\|`, "|") // a bar in a table
	for _, u := range moduleUses("/usr/lib/cardbridge-pkcs11.so") {
		line, _, _ := strings.Cut(u[1], "   #")
		line = strings.TrimSuffix(line, " ...")
		if !strings.Contains(text, "`"+line) {
			t.Errorf("docs/pkcs11.md has no line for %s: %s", u[0], line)
		}
	}
}
