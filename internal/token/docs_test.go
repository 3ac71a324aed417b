package token

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDocs compares the key slots with docs/pkcs11.md.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/pkcs11.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	all := pivSlots()
	for _, s := range all[:4] {
		if row := fmt.Sprintf("| %02x | %s | %s |", s.ID, strings.ToUpper(string(s.Ref)), s.Label); !strings.Contains(text, row) {
			t.Errorf("no row %q", row)
		}
	}
	first, last, hidden := all[4], all[len(all)-2], all[len(all)-1]
	row := fmt.Sprintf("| %02x to %02x | %s to %s | %s to %s |", first.ID, last.ID, first.Ref, last.Ref, first.Label, strings.TrimPrefix(last.Label, "Retired Key "))
	if !strings.Contains(text, row) {
		t.Errorf("no row %q", row)
	}
	if row := fmt.Sprintf("| %02x | %s | %s | hidden", hidden.ID, strings.ToUpper(string(hidden.Ref)), hidden.Label); !hidden.Hidden || !strings.Contains(text, row) {
		t.Errorf("no row %q", row)
	}
}
