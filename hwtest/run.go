package hwtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Patience is what a test waits at most for what is sure to come: it ends what
// would hang, and says nothing of how long things take. The machine may be busy,
// or stand still for many seconds, and an RSA key may take its time.
const Patience = 4 * time.Minute

// Prompt is for what must be done within limit of start. On a machine with
// other things to do that is logged only: HWTEST_PROMPT=1 tells that it has none,
// and has the test fail. The unit tests of what is waited for have a clock of
// their own, and are strict.
func Prompt(t testing.TB, what string, start time.Time, limit time.Duration) {
	t.Helper()
	switch took := time.Since(start); {
	case took <= limit:
	case os.Getenv("HWTEST_PROMPT") == "1":
		t.Errorf("%s took %v, at most %v is wanted", what, took, limit)
	default:
		t.Logf("%s took %v, more than the %v of a machine with nothing else to do", what, took, limit)
	}
}

// artefacts is where all that the tests print is kept until it has been
// searched for secrets: HWTEST_ARTEFACTS, else a temporary directory.
var artefacts string

var artefactCount atomic.Int64

func artefactDirectory() (dir string, kept bool, err error) {
	if dir = os.Getenv("HWTEST_ARTEFACTS"); dir != "" {
		return dir, true, os.MkdirAll(dir, 0o755)
	}
	dir, err = os.MkdirTemp("", "hwtest-artefacts-")
	return dir, false, err
}

// Keep keeps what a test produced, for the search for secrets at the end.
func Keep(t testing.TB, name string, content []byte) {
	t.Helper()
	if artefacts == "" {
		return
	}
	safe := strings.Map(func(r rune) rune {
		if strings.ContainsRune("/ \\:", r) {
			return '-'
		}
		return r
	}, t.Name()+"-"+name)
	path := filepath.Join(artefacts, fmt.Sprintf("%04d-%s", artefactCount.Add(1), safe))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Errorf("keeping %s: %v", name, err)
	}
}

func keepArtefact(t testing.TB, name, path string) {
	if content, err := os.ReadFile(path); err == nil {
		Keep(t, name, content)
	}
}

// A Result is what became of a command.
type Result struct {
	Out, Err string // what it printed
	Code     int    // how it ended
	Took     time.Duration
}

// A Command is a program to be run within a rig.
type Command struct {
	Args  []string
	Env   []string // added to the rig's
	Stdin string
	Dir   string
}

// Environment is what programs within a rig get: nothing of the user's own
// settings, and a home directory for this test only.
func (r *Rig) Environment() []string {
	home := filepath.Join(r.dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		r.t.Fatal(err)
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + home,
		"XDG_RUNTIME_DIR=" + home,
		"TMPDIR=" + home,
		"LC_ALL=C.UTF-8",
		"TERM=dumb",
		"PYTHONDONTWRITEBYTECODE=1",
		"CARDBRIDGE_READERS=pcsc",
		"READER=" + r.Reader(0),
	}
	for _, name := range []string{"GOCOVERDIR", "GORACE"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// Try runs a command to its end, or to that of the test's patience, and keeps
// what it printed.
func (r *Rig) Try(t testing.TB, c Command) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, Patience)
	defer cancel()
	cmd := r.command(ctx, c)
	cmd.Stdin = strings.NewReader(c.Stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	result := Result{Out: stdout.String(), Err: stderr.String(), Took: time.Since(start)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("%s: not done after %v\n%s%s", c.Args[0], Patience, result.Out, result.Err)
	case errors.As(err, &exit):
		result.Code = exit.ExitCode()
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		t.Fatalf("%s: %v", c.Args[0], err)
	}
	name := filepath.Base(c.Args[0])
	Keep(t, name+".out", stdout.Bytes())
	Keep(t, name+".err", stderr.Bytes())
	return result
}

// Run is Try for a command that must succeed.
func (r *Rig) Run(t testing.TB, args ...string) Result {
	t.Helper()
	return r.Do(t, Command{Args: args})
}

// Do is Try for a command that must succeed.
func (r *Rig) Do(t testing.TB, c Command) Result {
	t.Helper()
	result := r.Try(t, c)
	if result.Code != 0 {
		t.Fatalf("%s\nended with %d\n%s%s", strings.Join(c.Args, " "), result.Code, result.Out, result.Err)
	}
	return result
}

// Talk starts a command that goes on until the end of the test, and gives what
// to write to it and read from it. What it writes is kept like Try's.
func (r *Rig) Talk(t testing.TB, c Command) (stdin io.WriteCloser, stdout io.Reader) {
	t.Helper()
	ctx, cancel := context.WithCancel(r.ctx)
	cmd := r.command(ctx, c)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr, copied bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", c.Args[0], err)
	}
	watchdog := time.AfterFunc(Patience, cancel)
	t.Cleanup(func() {
		watchdog.Stop()
		stdin.Close() //nolint:errcheck // it may be closed
		cancel()
		cmd.Wait() //nolint:errcheck // it was killed, or not
		name := filepath.Base(c.Args[0])
		Keep(t, name+".out", copied.Bytes())
		Keep(t, name+".err", stderr.Bytes())
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("%s: %s", name, stderr.Bytes())
		}
	})
	return stdin, io.TeeReader(out, &copied)
}

// command prepares a program for the rig.
func (r *Rig) command(ctx context.Context, c Command) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	dieWithUs(cmd)
	cmd.Env = append(r.Environment(), c.Env...)
	cmd.Dir = c.Dir
	if cmd.Dir == "" {
		cmd.Dir = r.dir
	}
	cmd.WaitDelay = time.Second
	return cmd
}

// File writes a file that the rig's commands find in their working directory,
// and returns its path.
func (r *Rig) File(name string, content []byte) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// Path is the path of a file in the commands' working directory.
func (r *Rig) Path(name string) string { return filepath.Join(r.dir, name) }

// Read reads a file that a command has left in its working directory.
func (r *Rig) Read(name string) []byte {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// Program finds a program that a suite needs; without it the test is skipped.
func Program(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Skip(t, fmt.Sprintf("%s is missing: apt-get install %s", name, pkg))
	}
	return path
}
