package tui

import (
	"io"
	"os"
	"strings"
	"testing"

	"cardbridge/internal/cli/ptytest"
)

func TestSpinnerOnATerminal(t *testing.T) {
	term := ptytest.Open(t)
	s := Spin(term.TTY, "Making a key")
	term.Await("Making a key (")
	s.Say("Touch your key")
	term.Await("Touch your key (")
	s.Stop()
	s.Stop()
	term.AwaitThat("an erased line", func(shown string) bool { return strings.HasSuffix(shown, "\r\033[K") })
}

func TestSpinnerElsewhere(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := Spin(w, "Making a key")
	s.Stop()
	w.Close()
	if b, _ := io.ReadAll(r); len(b) > 0 {
		t.Errorf("a pipe got %q", b)
	}
}

func TestProgressOnATerminal(t *testing.T) {
	term := ptytest.Open(t)
	r, w := io.Pipe()
	p := Progress(term.TTY, r, 4096, "Reading")
	go w.Write(make([]byte, 1024))
	if _, err := io.ReadFull(p, make([]byte, 1024)); err != nil {
		t.Fatal(err)
	}
	term.Await("Reading [#######-----------------------]  25% of 4 KiB")
	w.Close()
	p.Stop()
	term.AwaitThat("an erased line", func(shown string) bool { return strings.HasSuffix(shown, "\r\033[K") })
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		want        string
	}{
		{0, 100, "x [" + strings.Repeat("-", 30) + "]   0% of 1 KiB"},
		{300, 100, "x [" + strings.Repeat("#", 30) + "] 100% of 1 KiB"},
		{5 << 20, -1, "x 5.0 MiB"},
		{1, 3 << 30, "x [" + strings.Repeat("-", 30) + "]   0% of 3.0 GiB"},
	} {
		if got := bar("x", c.done, c.total); got != c.want {
			t.Errorf("%d of %d: %q, not %q", c.done, c.total, got, c.want)
		}
	}
}
