//go:build linux && cgo

package conform

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
)

// App is a process that has loaded a module: one application in the standard's sense. It makes calls as its thread 0;
// [App.Thread] makes them as another of its threads.
type App struct {
	Caller
	Minor int // of the newest 3.x interface the module offers, or -1

	cmd      *exec.Cmd
	commands io.WriteCloser
	stderr   lockedBuffer
	timeout  time.Duration
	slot     func() (uint, error)
	tb       testing.TB // nil: a failed call panics

	mu      sync.Mutex
	waiting map[int]chan string
	ended   chan struct{} // closed when the process is gone
	endErr  error
}

// Caller is one thread of an App.
type Caller struct {
	app *App
	tid int
}

// Result is what a call gave: the return code, then each Out and InOut in the order they were opened.
type Result struct {
	RV   RV
	Outs []Output
}

// Output is a buffer (Bytes) or a block of words.
type Output struct {
	Bytes []byte
	Words []uint
}

// EndError tells that the process ended, or was ended because it did not answer in time, during a call.
type EndError struct {
	Call   string
	Hang   bool
	State  string
	Stderr string
}

func (e *EndError) Error() string {
	what := "the process ended"
	if e.Hang {
		what = "no answer in time"
	}
	return fmt.Sprintf("%s: %s (%s)\n%s", e.Call, what, e.State, e.Stderr)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() < 1<<20 { // a module that writes without end is not worth more
		l.b.Write(p)
	}
	return len(p), nil
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Start loads the module into a new process. The process is ended with the test.
func (tg *Target) Start(tb testing.TB) *App {
	tb.Helper()
	a, err := tg.start(compile(tb, "driver"))
	if err != nil {
		tb.Fatal(err)
	}
	a.tb = tb
	tb.Cleanup(func() {
		if err := a.Close(); err != nil && !tb.Failed() {
			tb.Error(err)
		}
	})
	return a
}

func (tg *Target) start(driver string) (*App, error) {
	cr, cw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	ar, aw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	a := &App{commands: cw, waiting: map[int]chan string{}, ended: make(chan struct{}), timeout: tg.timeout(), Minor: -1}
	a.Caller = Caller{app: a}
	a.slot = func() (uint, error) { return tg.findSlot(a) }
	args := append(append([]string{}, tg.Wrap...), driver, tg.Module)
	a.cmd = exec.Command(args[0], args[1:]...)
	a.cmd.Env = tg.environ()
	a.cmd.ExtraFiles = []*os.File{cr, aw}
	a.cmd.Stderr = &a.stderr
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	cr.Close()
	aw.Close()
	answers := bufio.NewReaderSize(ar, 1<<16)
	first, err := answers.ReadString('\n')
	if m, ok := strings.CutPrefix(first, "ready "); ok {
		a.Minor, _ = strconv.Atoi(strings.TrimSpace(m))
	} else {
		cw.Close()
		a.cmd.Wait()
		return nil, fmt.Errorf("load %s: %s%s %v", tg.Module, first, a.stderr.String(), err)
	}
	go a.read(answers, ar)
	return a, nil
}

func (a *App) read(answers *bufio.Reader, pipe io.Closer) {
	defer pipe.Close()
	for {
		line, err := answers.ReadString('\n')
		if err != nil {
			break
		}
		tid, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, _ := strconv.Atoi(tid)
		a.mu.Lock()
		c := a.waiting[n]
		delete(a.waiting, n)
		a.mu.Unlock()
		if c != nil {
			c <- rest
		}
	}
	a.endErr = a.cmd.Wait()
	close(a.ended)
}

// Close ends the process; the error tells that it had ended by itself.
func (a *App) Close() error {
	select {
	case <-a.ended:
		return fmt.Errorf("the process had ended: %v\n%s", a.cmd.ProcessState, a.stderr.String())
	default:
	}
	a.commands.Close()
	select {
	case <-a.ended:
	case <-time.After(a.timeout):
		a.cmd.Process.Kill()
		<-a.ended
	}
	return nil
}

// Kill ends the process as a crash would.
func (a *App) Kill() { a.cmd.Process.Kill(); <-a.ended }

// Thread is another thread of the process.
func (a *App) Thread(n int) Caller { return Caller{app: a, tid: n} }

// Stderr is what the process wrote to its standard error.
func (a *App) Stderr() string { return a.stderr.String() }

// Try makes a call. The error is an *EndError: the process died, or did not answer and was killed.
func (c Caller) Try(function string, args ...Arg) (Result, error) {
	return c.repeat(1, function, args...)
}

// repeat makes the same call many times, until one fails; the outputs are those of all.
func (c Caller) repeat(times int, function string, args ...Arg) (Result, error) {
	index, ok := functionIndex[function]
	if !ok {
		panic("conform: no function " + function)
	}
	line := fmt.Sprintf("%d %d*%d", c.tid, index, times)
	for _, a := range args {
		line += " " + string(a)
	}
	answer := make(chan string, 1)
	a := c.app
	a.mu.Lock()
	if a.waiting[c.tid] != nil {
		a.mu.Unlock()
		panic("conform: two calls of one thread at once")
	}
	a.waiting[c.tid] = answer
	_, err := io.WriteString(a.commands, line+"\n")
	a.mu.Unlock()
	end := func(hang bool) (Result, error) {
		a.mu.Lock()
		delete(a.waiting, c.tid)
		a.mu.Unlock()
		return Result{}, &EndError{Call: describe(function, args), Hang: hang, State: a.cmd.ProcessState.String(), Stderr: a.stderr.String()}
	}
	if err != nil {
		<-a.ended
		return end(false)
	}
	timer := time.NewTimer(a.timeout)
	defer timer.Stop()
	select {
	case s := <-answer:
		return parseResult(s), nil
	case <-a.ended:
		return end(false)
	case <-timer.C:
		a.cmd.Process.Signal(syscall.SIGABRT) // so that a Go runtime inside shows where it stands
		select {
		case <-a.ended:
		case <-time.After(2 * time.Second):
			a.Kill()
		}
		return end(true)
	}
}

// Call is Try for tests: the end of the process is the end of the test.
func (c Caller) Call(function string, args ...Arg) Result {
	r, err := c.Try(function, args...)
	if err != nil {
		c.fatal(err)
	}
	return r
}

func (c Caller) fatal(v any) {
	if c.app.tb == nil {
		panic(v)
	}
	c.app.tb.Helper()
	c.app.tb.Fatal(v)
}

// must ends the test unless the call succeeded.
func (c Caller) must(what string, rv RV) {
	if rv != p11.CKR_OK {
		c.fatal(fmt.Sprintf("%s: %v", what, rv))
	}
}

func describe(function string, args []Arg) string {
	s := make([]string, len(args))
	for i, a := range args {
		s[i] = string(a)
	}
	return function + "(" + strings.Join(s, ", ") + ")"
}

func parseResult(s string) Result {
	f := strings.Fields(s)
	rv, _ := strconv.ParseUint(f[0], 16, 64)
	r := Result{RV: RV(rv)}
	for i := 1; i < len(f); i++ {
		if h, ok := strings.CutPrefix(f[i], "x"); ok {
			b, _ := hex.DecodeString(h)
			r.Outs = append(r.Outs, Output{Bytes: b})
			continue
		}
		var o Output
		for i++; i < len(f) && f[i] != "}"; i++ {
			v, _ := strconv.ParseUint(f[i], 10, 64)
			o.Words = append(o.Words, uint(v))
		}
		r.Outs = append(r.Outs, o)
	}
	return r
}
