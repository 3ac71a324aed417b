// Package layers holds the import lines of docs/architecture.md.
package layers

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A rule says what a package, and all below it, may not depend on, directly or
// through others. "..." at the end means the packages below as well.
type rule struct {
	of     string
	except []string // packages of of that the rule is not for
	never  []string
	only   []string // the only packages outside the standard library; nil for no such rule
	why    string
}

var rules = []rule{
	{
		of: "cardbridge/apdu", only: []string{"cardbridge/apdu"},
		why: "bytes need nothing but the standard library",
	},
	{
		of: "cardbridge/reader", only: []string{"cardbridge/reader", "cardbridge/apdu", "github.com/ebfe/scard", "golang.org/x/sys/..."},
		why: "the wire knows no cards",
	},
	{
		of: "cardbridge/card", only: []string{"cardbridge/card", "cardbridge/apdu", "cardbridge/internal/secret", "golang.org/x/sys/..."},
		why: "what a card is depends on no applet and no wire",
	},
	{
		of:    "cardbridge/card/piv",
		never: []string{"cardbridge/reader", "cardbridge/internal/host", "cardbridge/card/softcard", "cardbridge/session", "cardbridge/pkcs11/...", "cardbridge/cmd/...", "github.com/ebfe/scard"},
		why:   "an applet knows neither the wire nor who uses it",
	},
	{
		of:    "cardbridge/card/softcard",
		never: []string{"cardbridge/apdu", "cardbridge/card", "cardbridge/card/piv", "cardbridge/reader", "cardbridge/session", "cardbridge/pkcs11/...", "github.com/ebfe/scard"},
		why:   "two ends written apart: an error on one side must not cancel on the other",
	},
	{
		of:    "cardbridge/session",
		never: []string{"cardbridge/apdu", "cardbridge/card/...", "cardbridge/reader", "cardbridge/internal/host", "cardbridge/pkcs11/...", "runtime/cgo"},
		why:   "sessions know neither cards nor C",
	},
	{
		of: "cardbridge/pkcs11/...", except: []string{"cardbridge/pkcs11/so", "cardbridge/pkcs11/rpc"},
		never: []string{"cardbridge/card/piv", "cardbridge/card/softcard", "cardbridge/reader", "cardbridge/internal/host", "cardbridge/cmd/...", "github.com/ebfe/scard"},
		why:   "Cryptoki knows cards by what card says, and no applet",
	},
}

type goPackage struct {
	ImportPath string
	Name       string
	Standard   bool
	Imports    []string
	Deps       []string
}

func list(t *testing.T) (module []goPackage, standard map[string]bool) {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-json=ImportPath,Name,Standard,Imports,Deps", "cardbridge/...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	standard = map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return module, standard
		} else if err != nil {
			t.Fatal(err)
		}
		standard[p.ImportPath] = p.Standard
		if below(p.ImportPath, "cardbridge/...") {
			module = append(module, p)
		}
	}
}

// below tells whether a package is what a pattern names.
func below(path, pattern string) bool {
	tree, all := strings.CutSuffix(pattern, "/...")
	return path == tree || all && strings.HasPrefix(path, tree+"/")
}

func oneOf(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return below(path, p) })
}

func TestImportLines(t *testing.T) {
	module, standard := list(t)
	for _, r := range rules {
		found := false
		for _, p := range module {
			if !below(p.ImportPath, r.of) || oneOf(p.ImportPath, r.except) {
				continue
			}
			found = true
			for _, d := range p.Deps {
				if oneOf(d, r.never) || r.only != nil && !standard[d] && !oneOf(d, r.only) {
					t.Errorf("%s depends on %s: %s", p.ImportPath, d, r.why)
				}
			}
		}
		if !found {
			t.Errorf("there is no package %s: the rule is for a name of the past", r.of)
		}
	}
}

// joints are what only mains put together: readers, and tokens made of them.
var joints = []string{"cardbridge/internal/host", "cardbridge/internal/token"}

// TestOnlyMainsBuildReaders holds that whoever uses cards is given them.
func TestOnlyMainsBuildReaders(t *testing.T) {
	module, _ := list(t)
	seen := false
	for _, p := range module {
		if p.Name == "main" || strings.HasPrefix(p.ImportPath, "cardbridge/hwtest") {
			seen = seen || slices.Contains(p.Imports, "cardbridge/internal/host")
			continue
		}
		if slices.Contains(joints, p.ImportPath) {
			continue
		}
		for _, never := range append(joints, "cardbridge/reader") {
			if slices.Contains(p.Imports, never) {
				t.Errorf("%s imports %s: only mains do", p.ImportPath, never)
			}
		}
	}
	if !seen {
		t.Error("no main imports internal/host: this test looks for the wrong name")
	}
}
