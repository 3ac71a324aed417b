package tui

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// patience is how long something may take before a person is told of it.
const patience = 300 * time.Millisecond

const frame = 100 * time.Millisecond

var spinnerFrames = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// A Status is a line on a terminal that is redrawn while something goes on.
type Status struct {
	out  io.Writer
	line func(elapsed time.Duration) string

	mu   sync.Mutex
	text string

	stop chan struct{}
	done chan struct{}
}

// IsTerminal tells whether w shows to a person who could see it change.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Spin shows text with the seconds gone by until Stop. On anything but a
// terminal it shows nothing.
func Spin(w io.Writer, text string) *Status {
	s := &Status{text: text}
	n := 0
	s.line = func(elapsed time.Duration) string {
		n++
		return fmt.Sprintf("%s %s (%d s)", spinnerFrames[n%len(spinnerFrames)], s.message(), int(elapsed.Seconds()))
	}
	s.start(w)
	return s
}

// Say changes the text, as from "Making the key" to "Touch your key".
func (s *Status) Say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text
}

func (s *Status) message() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text
}

func (s *Status) start(w io.Writer) {
	s.stop, s.done = make(chan struct{}), make(chan struct{})
	if !IsTerminal(w) {
		close(s.done)
		return
	}
	s.out = w
	go s.draw()
}

func (s *Status) draw() {
	defer close(s.done)
	began := time.Now()
	wait := time.NewTimer(patience)
	defer wait.Stop()
	shown := false
	for {
		select {
		case <-s.stop:
			if shown {
				fmt.Fprint(s.out, "\r\033[K")
			}
			return
		case <-wait.C:
			fmt.Fprintf(s.out, "\r\033[K%s", s.line(time.Since(began)))
			shown = true
			wait.Reset(frame)
		}
	}
}

// Stop erases the line. It may be called more than once.
func (s *Status) Stop() {
	select {
	case <-s.stop:
	default:
		close(s.stop)
	}
	<-s.done
}

// A Reader counts what is read through it and shows it as a bar.
type Reader struct {
	r      io.Reader
	status *Status

	mu   sync.Mutex
	done int64
}

// Progress shows on w how much of total bytes of r was read; with total 0 or
// less it shows the count alone. The caller calls Stop.
func Progress(w io.Writer, r io.Reader, total int64, text string) *Reader {
	p := &Reader{r: r, status: &Status{text: text}}
	p.status.line = func(time.Duration) string { return bar(p.status.message(), p.count(), total) }
	p.status.start(w)
	return p
}

func (p *Reader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.mu.Lock()
	p.done += int64(n)
	p.mu.Unlock()
	return n, err
}

func (p *Reader) count() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// Stop erases the bar.
func (p *Reader) Stop() { p.status.Stop() }

const barWidth = 30

func bar(text string, done, total int64) string {
	if total <= 0 {
		return fmt.Sprintf("%s %s", text, size(done))
	}
	share := min(float64(done)/float64(total), 1)
	full := int(share * barWidth)
	return fmt.Sprintf("%s [%s%s] %3d%% of %s", text,
		strings.Repeat("#", full), strings.Repeat("-", barWidth-full), int(share*100), size(total))
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%d KiB", (n+1023)/1024)
	}
}
