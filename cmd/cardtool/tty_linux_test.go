package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cardbridge/card/softcard"
	"cardbridge/internal/cli/ptytest"
)

// A desk is a person at a terminal with a software card.
type desk struct {
	*ptytest.Terminal
	t   *testing.T
	dir string
	bin string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir(), bin: linkSelf(t)}
	if err := softcard.Create(filepath.Join(d.dir, "card.json"), softcard.DefaultPersonality); err != nil {
		t.Fatal(err)
	}
	if out, err := d.command("key", "generate", "9a", "--factory-admin-key").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "file"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(d.bin, "cardtool"), args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "CARDBRIDGE_READERS=softcard:card.json", raceEnv[0]+"="+raceEnv[1])
	return cmd
}

// start runs cardtool with everything at a new terminal.
func (d *desk) start(args ...string) *exec.Cmd {
	d.t.Helper()
	d.Terminal = ptytest.Open(d.t)
	cmd := d.command(args...)
	d.Attach(cmd)
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	return cmd
}

func exitOf(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if err == nil {
		return 0
	}
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return exit.ExitCode()
}

func TestPINIsNotShown(t *testing.T) {
	d := newDesk(t)
	cmd := d.start("sign", "9a", "file", "-o", "sig")
	d.Await("PIN (3 tries left): ")
	d.AwaitThat("a terminal without echo", func(string) bool { return !d.Echoes() })
	d.Type("123456\n")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %q", err, d.Shown())
	}
	if strings.Contains(d.Shown(), "1234") {
		t.Errorf("the PIN was shown: %q", d.Shown())
	}
	if !d.Echoes() {
		t.Error("the terminal does not echo any more")
	}
	if _, err := os.Stat(filepath.Join(d.dir, "sig")); err != nil {
		t.Error(err)
	}
}

// TestInterruptAtPrompt: Ctrl-C gives the terminal back as it was, spends no try
// and leaves no file.
func TestInterruptAtPrompt(t *testing.T) {
	d := newDesk(t)
	cmd := d.start("sign", "9a", "file", "-o", "sig")
	d.AwaitThat("a prompt", func(s string) bool { return strings.Contains(s, "PIN (3 tries left): ") && !d.Echoes() })
	d.Type("12\x03")
	if code := exitOf(t, cmd.Wait()); code != 130 {
		t.Errorf("exit code %d: %q", code, d.Shown())
	}
	if !d.Echoes() {
		t.Error("the terminal does not echo any more")
	}
	left, _ := filepath.Glob(filepath.Join(d.dir, "*sig*"))
	hidden, _ := filepath.Glob(filepath.Join(d.dir, ".*sig*"))
	if len(left)+len(hidden) > 0 {
		t.Errorf("left behind: %v %v", left, hidden)
	}
	out, err := d.command("pin", "status").Output()
	if err != nil || !strings.Contains(string(out), "PIN:  3 of 3") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestEndAtPrompt: Ctrl-D is no PIN.
func TestEndAtPrompt(t *testing.T) {
	d := newDesk(t)
	cmd := d.start("sign", "9a", "file", "-o", "sig")
	d.AwaitThat("a prompt", func(s string) bool { return strings.Contains(s, "PIN (3 tries left): ") && !d.Echoes() })
	d.Type("\x04")
	if code := exitOf(t, cmd.Wait()); code != 13 {
		t.Errorf("exit code %d: %q", code, d.Shown())
	}
	if !d.Echoes() {
		t.Error("the terminal does not echo any more")
	}
}

// TestProgress: a file that comes slowly is shown on the way.
func TestProgress(t *testing.T) {
	d := newDesk(t)
	fifo := filepath.Join(d.dir, "slow")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := d.start("sign", "9a", "slow", "-o", "sig")
	w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	d.Await("Reading slow 3.0 MiB")
	w.Close()
	d.Await("PIN (3 tries left): ")
	d.AwaitThat("no echo", func(string) bool { return !d.Echoes() })
	d.Type("123456\n")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %q", err, d.Shown())
	}
}

// TestInterruptWhileReading: Ctrl-C while a file is read.
func TestInterruptWhileReading(t *testing.T) {
	d := newDesk(t)
	fifo := filepath.Join(d.dir, "slow")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := d.start("sign", "9a", "slow", "-o", "sig")
	w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Write(make([]byte, 1<<20))
	d.Await("Reading slow")
	d.Type("\x03")
	if code := exitOf(t, cmd.Wait()); code != 130 {
		t.Errorf("exit code %d: %q", code, d.Shown())
	}
}

// TestBinaryIsNotShown: a signature is not for a person's eyes.
func TestBinaryIsNotShown(t *testing.T) {
	d := newDesk(t)
	cmd := d.start("sign", "9a", "file")
	if code := exitOf(t, cmd.Wait()); code != 2 {
		t.Errorf("exit code %d", code)
	}
	d.Await("standard output is a terminal")
}
