package hwtest

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// builds are programs of this project, each built once a run.
var builds struct {
	mu   sync.Mutex
	dir  string
	done map[string]error
}

// Cardtool builds cmd/cardtool, once a run, and returns its path. CARDTOOL in
// the environment names one that is built already.
func Cardtool(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("CARDTOOL"); path != "" {
		return built(t, path)
	}
	return Build(t, "cardtool", "cardbridge/cmd/cardtool")
}

// Module builds the PKCS #11 module, once a run, and returns its path.
// CARDBRIDGE_PKCS11 in the environment names one that is built already.
func Module(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("CARDBRIDGE_PKCS11"); path != "" {
		return built(t, path)
	}
	return Build(t, "cardbridge-pkcs11.so", "cardbridge/pkcs11/so", "-buildmode=c-shared")
}

// built looks at a file, which go test notes: a run with another one is not taken
// from its cache.
func built(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// Build builds a main package of this project, once a run.
func Build(t testing.TB, name, pkg string, flags ...string) string {
	t.Helper()
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "hwtest-build-")
		if err != nil {
			t.Fatal(err)
		}
		builds.dir, builds.done = dir, map[string]error{}
	}
	noteSources()
	path := filepath.Join(builds.dir, name)
	err, tried := builds.done[name]
	if !tried {
		args := append([]string{"build", "-o", path}, flags...)
		cmd := exec.Command("go", append(args, pkg)...)
		if out, failed := cmd.CombinedOutput(); failed != nil {
			err = fmt.Errorf("go build %s: %w\n%s", pkg, failed, out)
		}
		builds.done[name] = err
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// noteSources looks at every source file, so that go test does not take a run
// from its cache that was about another program.
func noteSources() {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return
	}
	root := strings.TrimSpace(string(out))
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".go") {
			_, err = os.Stat(path) // this is what go test notes
		}
		return err
	})
}

// Cleanup removes the programs built. Main calls it; a package that builds
// without Main calls it from its own TestMain.
func Cleanup() {
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if builds.dir != "" {
		os.RemoveAll(builds.dir) //nolint:errcheck // a temporary directory
	}
}
