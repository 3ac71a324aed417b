//go:build linux && cgo

package pkcs11_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocs compares the examples of docs/pkcs11.md with the scripts that they
// are from: their lines are lines of the script, in its order, and every script
// has an example.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/pkcs11.md")
	if err != nil {
		t.Fatal(err)
	}
	const scripts = "../scripts/pkcs11"
	shown := map[string]bool{"common.sh": true}
	for _, m := range regexp.MustCompile("(?ms)^### [^\n]*\\(([a-z0-9-]+\\.sh)\\)$.*?^```sh\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		name := m[1]
		shown[name] = true
		script, err := os.ReadFile(filepath.Join(scripts, name))
		if err != nil {
			t.Error(err)
			continue
		}
		rest := strings.Split(string(script), "\n")
		for line := range strings.Lines(m[2]) {
			line = strings.TrimSpace(line)
			at := 0
			for at < len(rest) && strings.TrimSpace(rest[at]) != line {
				at++
			}
			if at == len(rest) {
				t.Errorf("%s has no line (in this place)\n\t%s", name, line)
				break
			}
			rest = rest[at+1:]
		}
	}
	all, err := filepath.Glob(filepath.Join(scripts, "*.sh"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if name := filepath.Base(path); !shown[name] {
			t.Errorf("docs/pkcs11.md shows nothing of %s", name)
		}
	}
}
