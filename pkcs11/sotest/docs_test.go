//go:build linux && cgo

package sotest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"cardbridge/pkcs11/ck"
	"cardbridge/pkcs11/conform"
)

const differences = "../../docs/pkcs11-differences.md"

// docs/pkcs11-differences.md shows the table that the comparison with SoftHSM
// goes by. UPDATE_DOCS=1 writes it.
func TestDifferencesAreDocumented(t *testing.T) {
	names := func(codes []uint) string {
		var s []string
		for _, c := range codes {
			s = append(s, ck.RV(c).Error())
		}
		return strings.Join(s, ", ")
	}
	var b strings.Builder
	b.WriteString("\n| call | ours | SoftHSM's | section | why |\n|---|---|---|---|---|\n")
	for _, d := range conform.Accepted {
		when := ""
		if len(d.After) > 0 {
			when = " (after " + strings.Join(d.After, ", ") + ")"
		}
		fmt.Fprintf(&b, "| %s%s | %s | %s | %s | %s |\n", d.Call, when, names(d.Ours), names(d.Reference), d.Clause, d.Why)
	}
	b.WriteString("\n")
	text, err := os.ReadFile(differences)
	if err != nil {
		t.Fatal(err)
	}
	begin, rest, ok := strings.Cut(string(text), "<!-- conform.Accepted -->\n")
	_, end, ok2 := strings.Cut(rest, "<!-- end -->")
	if !ok || !ok2 {
		t.Fatal("no table")
	}
	want := begin + "<!-- conform.Accepted -->\n" + b.String() + "<!-- end -->" + end
	if string(text) == want {
		return
	}
	if os.Getenv("UPDATE_DOCS") == "" {
		t.Fatal("the table is not conform.Accepted's (UPDATE_DOCS=1 writes it)")
	}
	if err := os.WriteFile(differences, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
