package tui

import (
	"errors"
	"io"
)

// ErrInterrupted says that a person typed Ctrl-C at a question, ErrEnded that
// they typed Ctrl-D.
var (
	ErrInterrupted = errors.New("interrupted")
	ErrEnded       = errors.New("nothing was typed")
)

// maxTyped bounds what is typed at a prompt, so that what was typed is in one
// place in memory only.
const maxTyped = 1024

// What a terminal in raw mode sends for keys that edit.
const (
	keyInterrupt = 0x03
	keyEnd       = 0x04
	keyBackspace = 0x08
	keyKill      = 0x15
	keyDelete    = 0x7F
)

// readLine reads what is typed at a terminal in raw mode.
func readLine(in io.Reader) ([]byte, error) {
	line := make([]byte, 0, maxTyped)
	var key [1]byte
	for {
		n, err := in.Read(key[:])
		if n == 0 {
			clear(line)
			if err == nil || errors.Is(err, io.EOF) {
				err = ErrEnded
			}
			return nil, err
		}
		switch k := key[0]; k {
		case '\r', '\n':
			return line, nil
		case keyInterrupt:
			clear(line)
			return nil, ErrInterrupted
		case keyEnd:
			if len(line) == 0 {
				return nil, ErrEnded
			}
		case keyBackspace, keyDelete:
			line = erase(line)
		case keyKill:
			clear(line)
			line = line[:0]
		default:
			// Other control characters are of keys such as arrows: no part of a
			// PIN.
			if k < ' ' {
				continue
			}
			if len(line) == maxTyped {
				clear(line)
				return nil, errors.New("too long")
			}
			line = append(line, k)
		}
	}
}

// erase takes the last character off, all bytes of it.
func erase(line []byte) []byte {
	for len(line) > 0 {
		last := line[len(line)-1]
		line[len(line)-1] = 0
		line = line[:len(line)-1]
		if last&0xC0 != 0x80 { // not the middle of a character in UTF-8
			break
		}
	}
	return line
}
