//go:build unix

package tui

import (
	"os"

	"golang.org/x/term"
)

// openTerminal opens the controlling terminal, whatever the standard files
// are. Standard input stands in for it only where it is a terminal itself.
func openTerminal() (terminal, func(), error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err == nil {
		return terminal{tty, tty}, func() { tty.Close() }, nil
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return terminal{os.Stdin, os.Stdin}, func() {}, nil
	}
	return terminal{}, nil, err
}
