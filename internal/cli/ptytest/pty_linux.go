// Package ptytest gives tests a terminal with a person at it.
package ptytest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Terminal is a pseudo-terminal: TTY is what programs see, the rest is the
// person.
type Terminal struct {
	TTY *os.File

	t      testing.TB
	master *os.File

	mu     sync.Mutex
	shown  bytes.Buffer
	change chan struct{}
}

// Open makes a terminal that lasts as long as the test.
func Open(t testing.TB) *Terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &Terminal{TTY: tty, t: t, master: master, change: make(chan struct{}, 1)}
	go term.watch()
	t.Cleanup(func() {
		tty.Close()
		master.Close()
	})
	return term
}

func (p *Terminal) watch() {
	b := make([]byte, 4096)
	for {
		n, err := p.master.Read(b)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.shown.Write(b[:n])
		p.mu.Unlock()
		select {
		case p.change <- struct{}{}:
		default:
		}
	}
}

// Shown is all that was on the screen so far, echo and control codes included.
func (p *Terminal) Shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String()
}

// patience ends a test that would hang; a machine with much to do may stand still
// for many seconds.
const patience = 3 * time.Minute

// Await waits until text is shown.
func (p *Terminal) Await(text string) {
	p.t.Helper()
	p.AwaitThat(fmt.Sprintf("%q", text), func(shown string) bool { return bytes.Contains([]byte(shown), []byte(text)) })
}

// AwaitThat waits until what is shown is as it should be.
func (p *Terminal) AwaitThat(what string, is func(shown string) bool) {
	p.t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	// The terminal's settings change without anything being shown.
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !is(p.Shown()) {
		select {
		case <-p.change:
		case <-look.C:
		case <-end.C:
			p.t.Fatalf("the terminal never showed %s but %q", what, p.Shown())
		}
	}
}

// Type types.
func (p *Terminal) Type(text string) {
	p.t.Helper()
	if _, err := p.master.WriteString(text); err != nil {
		p.t.Fatal(err)
	}
}

// Echoes tells whether the terminal shows what is typed.
func (p *Terminal) Echoes() bool {
	p.t.Helper()
	s, err := unix.IoctlGetTermios(int(p.TTY.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return s.Lflag&unix.ECHO != 0
}

// Attach makes the terminal a command's controlling terminal and its standard
// files, where they are not set.
func (p *Terminal) Attach(cmd *exec.Cmd) {
	if cmd.Stdin == nil {
		cmd.Stdin = p.TTY
	}
	if cmd.Stdout == nil {
		cmd.Stdout = p.TTY
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.TTY
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, p.TTY)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2 + len(cmd.ExtraFiles)}
}
