package layers

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// packageNamed finds where tests and their scripts name the Debian package of
// a program that they need.
var packageNamed = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^need \S+ ([a-z0-9.+-]+)`),
	regexp.MustCompile(`skipped: .*, install ([a-z0-9.+-]+)`),
	regexp.MustCompile(`\bProgram\(t, "[^"]+", "([a-z0-9.+-]+)"\)`),
}

// TestDependencies holds that scripts/deps, which make test calls, installs
// whatever a test would otherwise be skipped for.
func TestDependencies(t *testing.T) {
	const root = "../.."
	table, err := os.ReadFile(filepath.Join(root, "scripts", "deps"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	err = filepath.WalkDir(filepath.Join(root, "hwtest"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".sh" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, named := range packageNamed {
			for _, m := range named.FindAllStringSubmatch(string(text), -1) {
				found++
				if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(m[1]) + ` \| (build|test) \| `).Match(table) {
					t.Errorf("%s needs the package %s, which scripts/deps lacks", path, m[1])
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 10 {
		t.Errorf("only %d packages are named in hwtest: this test looks for the wrong words", found)
	}
}
