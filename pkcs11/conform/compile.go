//go:build linux && cgo

package conform

import (
	"embed"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

//go:embed csrc/*.c
var csrc embed.FS

var built struct {
	sync.Mutex
	dir  string
	path map[string]string
}

// compile builds csrc/NAME.c once a process and gives the program's path.
func compile(tb testing.TB, name string) string {
	tb.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		skip(tb, "no gcc: the programs that load the module cannot be built here")
	}
	built.Lock()
	defer built.Unlock()
	if p := built.path[name]; p != "" {
		return p
	}
	if built.dir == "" {
		if built.dir, err = os.MkdirTemp("", "conform"); err != nil {
			tb.Fatal(err)
		}
		built.path = map[string]string{}
	}
	source, err := csrc.ReadFile("csrc/" + name + ".c")
	if err != nil {
		tb.Fatal(err)
	}
	in, out := filepath.Join(built.dir, name+".c"), filepath.Join(built.dir, name)
	if err := os.WriteFile(in, source, 0o600); err != nil {
		tb.Fatal(err)
	}
	if b, err := exec.Command(gcc, "-O1", "-g", "-Wall", "-o", out, in, "-ldl", "-lpthread").CombinedOutput(); err != nil {
		tb.Fatalf("gcc %s: %v\n%s", name, err, b)
	}
	built.path[name] = out
	return out
}

// skip skips the test for want of a program, which in CI is a failure.
func skip(tb testing.TB, reason string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatalf("nothing is skipped in CI, but %s", reason)
	}
	tb.Skip(reason)
}

// Cleanup removes the compiled programs. TestMain calls it.
func Cleanup() {
	built.Lock()
	defer built.Unlock()
	if built.dir != "" {
		os.RemoveAll(built.dir)
		built.dir, built.path = "", nil
	}
}
