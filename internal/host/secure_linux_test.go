package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary be the privileged program that Secure is about.
func TestMain(m *testing.M) {
	if os.Getenv("HOST_TEST_PRINT") != "" {
		println("readers:" + FromEnvironment())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestSecureProgram(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a program with other rights than its caller's")
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	run := func() string {
		t.Helper()
		cmd := exec.Command(program)
		cmd.Env = []string{"HOST_TEST_PRINT=1", "CARDBRIDGE_READERS=softcard:/a"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if got := run(); got != "readers:softcard:/a" {
		t.Error(got)
	}
	if err := os.Chown(program, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(program, 0o755|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if got := run(); got != "readers:" {
		t.Error(got)
	}
}
