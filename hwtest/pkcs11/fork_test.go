//go:build linux && cgo

package pkcs11_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cardbridge/hwtest"
)

// TestForkWhileBusy forks while the module begins to talk to pcscd, and so holds
// libpcsclite's lock: a child gets that lock as it was, with nobody to open it.
func TestForkWhileBusy(t *testing.T) {
	gcc := hwtest.Program(t, "gcc", "gcc")
	program := filepath.Join(t.TempDir(), "forkbusy")
	if out, err := exec.Command(gcc, "-O1", "-g", "-Wall", "-Werror", "-o", program, "testdata/forkbusy.c", "-ldl", "-lpthread").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := hwtest.Start(t, hwtest.Config{})
	stdin, stdout := r.Talk(t, hwtest.Command{Args: []string{program, hwtest.Module(t)}})
	lines := bufio.NewReader(stdout)
	expect := func(want string) {
		t.Helper()
		line, err := lines.ReadString('\n')
		if strings.TrimSpace(line) != want {
			t.Fatalf("%q, %v; want %q", line, err, want)
		}
	}
	for range 2 {
		expect("ready")
		goOn := r.PausePCSCD()
		fmt.Fprintln(stdin) //nolint:errcheck // the answer tells
		expect("forked")
		goOn()
	}
	expect("ok")
}
