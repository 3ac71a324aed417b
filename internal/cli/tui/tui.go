// Package tui is what a command line shows a person and asks of one. Its rules:
//
//   - What needs a person goes to the terminal itself, never through standard
//     input or output, and is erased when it is done: a question could be
//     replaced by a dialog without any output changing.
//   - What only tells how things go (a spinner, a progress bar) appears on a
//     terminal only, after a moment, and is erased.
//   - Everything else is not this package's: results go to standard output,
//     messages to standard error, one line each.
package tui

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// ErrNoTerminal says that there is nobody to ask.
var ErrNoTerminal = errors.New("no terminal to ask on")

// A question is asked on in and out, both of the controlling terminal.
type terminal struct{ in, out *os.File }

func withTerminal(f func(terminal) error) error {
	t, closeTerminal, err := openTerminal()
	if err != nil {
		return ErrNoTerminal
	}
	defer closeTerminal()
	return f(t)
}

// ReadSecret asks for something that is not shown while it is typed. The caller
// owns, and wipes, what is returned.
func ReadSecret(ctx context.Context, prompt string) (s []byte, err error) {
	err = withTerminal(func(t terminal) error {
		s, err = t.ask(ctx, prompt, hidden, func() ([]byte, error) { return readLine(t.in) })
		return err
	})
	return s, err
}

// Confirm asks a yes-or-no question; only "y" and "yes" are yes.
func Confirm(ctx context.Context, question string) (yes bool, err error) {
	err = withTerminal(func(t terminal) error {
		answer, err := t.ask(ctx, question+" [y/N]", shown, func() ([]byte, error) {
			line, err := bufio.NewReader(t.in).ReadString('\n')
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return []byte(line), err
		})
		if err != nil {
			return err
		}
		switch strings.ToLower(strings.TrimSpace(string(answer))) {
		case "y", "yes":
			yes = true
		}
		return nil
	})
	return yes, err
}

// shown and hidden are how a terminal treats what is typed. It is hidden in raw
// mode: without that an empty line that Ctrl-D ends could not be told from no
// line at all.
var (
	shown  = term.GetState
	hidden = term.MakeRaw
)

// ask reads in the background, because a read of a terminal cannot be
// cancelled: when ctx ends first, the terminal is put back as it was and the
// reader is left behind to die with the process.
func (t terminal) ask(ctx context.Context, prompt string, mode func(fd int) (*term.State, error), read func() ([]byte, error)) ([]byte, error) {
	fd := int(t.in.Fd())
	before, err := mode(fd)
	if err != nil {
		return nil, ErrNoTerminal
	}
	defer term.Restore(fd, before)
	fmt.Fprintf(t.out, "%s: ", prompt)
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := read()
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		clearLine(t.out)
		return r.b, r.err
	case <-ctx.Done():
		clearLine(t.out)
		return nil, context.Cause(ctx)
	}
}

// clearLine erases the line of a question that was answered, or opens a new
// one on a terminal without escape codes.
func clearLine(out io.Writer) { fmt.Fprint(out, "\r\n\033[F\033[K") }
