package hwtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// inside is set for the run within the namespaces.
const inside = "HWTEST_INSIDE"

// cannot says why no rig can be started; empty where one can.
var cannot string

// Main is what a test package's TestMain calls: it runs the tests within the
// namespaces, looks for secrets in what they left behind, and exits.
func Main(m *testing.M) {
	if order := os.Getenv(disturb); order != "" {
		if err := disturbForever(order); err != nil {
			fmt.Fprintln(os.Stderr, "hwtest: disturbing:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	switch {
	case os.Getenv(inside) != "":
		if err := arrange(); err != nil {
			fmt.Fprintln(os.Stderr, "hwtest:", err)
			os.Exit(1)
		}
		os.Exit(run(m))
	case len(hardwareSerials()) > 0:
		os.Exit(run(m)) // the machine's own pcscd and cards
	}
	code, err := enter(missing())
	if err == nil {
		os.Exit(code)
	}
	cannot = err.Error()
	if os.Getenv("CI") == "true" {
		fmt.Fprintln(os.Stderr, "hwtest: nothing is skipped in CI, but", cannot)
		os.Exit(1)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, kept, err := artefactDirectory()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hwtest:", err)
		return 1
	}
	artefacts = dir
	code := m.Run()
	if leaks := findSecrets(dir); len(leaks) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: secrets in what the tests printed:\n%s\n", strings.Join(leaks, "\n"))
		code = max(code, 1)
	}
	if !kept {
		os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	}
	Cleanup()
	for _, f := range atEnd {
		f()
	}
	return code
}

var atEnd []func()

// AtEnd has f run when the tests are over, before Main exits.
func AtEnd(f func()) { atEnd = append(atEnd, f) }

// missing names what the rigs need and the machine lacks.
func missing() error {
	var errs []error
	for program, pkg := range map[string]string{pcscdPath: "pcscd", vpcdDriver: "vsmartcard-vpcd"} {
		if _, err := os.Stat(program); err != nil {
			errs = append(errs, fmt.Errorf("%s is missing: apt-get install %s", program, pkg))
		}
	}
	return errors.Join(errs...)
}

// enter runs this test binary again, inside. The error says why that cannot be.
func enter(obstacle error) (code int, err error) {
	if obstacle != nil {
		return 0, obstacle
	}
	if err := probe(); err != nil {
		return 0, fmt.Errorf("namespaces are not allowed here: %w", err)
	}
	// Temporary files are in a file system of their own, which goes with the
	// namespaces however these end; in memory, where what must be on the disk
	// before a card answers is there at once.
	tmp, err := os.MkdirTemp("", "hwtest-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(tmp) //nolint:errcheck // it is empty
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), inside+"=1", "TMPDIR="+tmp)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	namespaces(cmd)
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode(), nil
	case err != nil:
		fmt.Fprintln(os.Stderr, "hwtest:", err)
		return 1, nil
	}
	return 0, nil
}

// Skip skips t with the reason, which in CI is a failure.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("nothing is skipped in CI, but %s", reason)
	}
	t.Skip(reason)
}
