package apdu

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Replay is a [Transmitter] that plays the card's part of what a [Trace]
// wrote. Commands must come as they were recorded; hidden bytes match any, and
// in answers they are zeros.
type Replay struct {
	exchanges []exchange
	next      int
}

type exchange struct {
	line     int
	command  pattern
	response pattern
	err      error
	answered bool
}

// A pattern is bytes, some of which are hidden.
type pattern struct {
	bytes  []byte
	hidden []bool
}

// ErrReplay: a command other than the recorded one.
var ErrReplay = errors.New("apdu: not as recorded")

// ReadRecording reads what a Trace wrote. Empty lines and what follows a "#"
// are skipped.
func ReadRecording(r io.Reader) (*Replay, error) {
	p := &Replay{}
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	var at *pattern // what the line, or the line it continues, is about
	var text strings.Builder
	end := func(n int) error {
		defer text.Reset()
		if at == nil {
			return nil
		}
		if err := at.add(text.String()); err != nil {
			return fmt.Errorf("apdu: recording, before line %d: %w", n, err)
		}
		return nil
	}
	n := 1
	for ; scanner.Scan(); n++ {
		line, _, _ := strings.Cut(scanner.Text(), "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if line[0] == ' ' && at != nil {
			text.WriteString(line)
			continue
		}
		if err := end(n); err != nil {
			return nil, err
		}
		switch mark := line[0]; {
		case mark == '>' && p.complete():
			p.exchanges = append(p.exchanges, exchange{line: n})
			at = &p.last().command
			text.WriteString(line[1:])
		case mark == '<' && !p.complete():
			p.last().answered = true
			at = &p.last().response
			text.WriteString(line[1:])
		case mark == '!' && !p.complete():
			p.last().answered = true
			at = nil
			p.last().err = wireError(strings.TrimSpace(line[1:]))
		default:
			return nil, fmt.Errorf("apdu: recording, line %d: out of place", n)
		}
	}
	if err := errors.Join(scanner.Err(), end(n)); err != nil {
		return nil, err
	}
	if !p.complete() {
		return nil, fmt.Errorf("apdu: recording, line %d: command without an answer", p.last().line)
	}
	return p, nil
}

func (p *Replay) last() *exchange { return &p.exchanges[len(p.exchanges)-1] }

// complete tells whether every command so far has its answer.
func (p *Replay) complete() bool {
	return len(p.exchanges) == 0 || p.last().answered
}

// Transmit gives the recorded answer to the next recorded command.
func (p *Replay) Transmit(command []byte) ([]byte, error) {
	if p.next == len(p.exchanges) {
		return nil, fmt.Errorf("%w: one more command than the %d recorded", ErrReplay, p.next)
	}
	e := &p.exchanges[p.next]
	if !e.command.match(command) {
		return nil, fmt.Errorf("%w: another command than on line %d", ErrReplay, e.line)
	}
	p.next++
	return append([]byte(nil), e.response.bytes...), e.err
}

// Done is nil when all that was recorded has been played.
func (p *Replay) Done() error {
	if p.next < len(p.exchanges) {
		return fmt.Errorf("%w: the command on line %d did not come", ErrReplay, p.exchanges[p.next].line)
	}
	return nil
}

// maxPattern bounds what a few characters of a recording can stand for.
const maxPattern = MaxExtendedLe + 16

func (p *pattern) add(text string) error {
	for text = strings.Join(strings.Fields(text), ""); text != ""; {
		plain, rest, found := strings.Cut(text, "[")
		b, err := hex.DecodeString(plain)
		if err != nil {
			return err
		}
		p.append(b, false)
		if !found {
			return nil
		}
		number, after, found := strings.Cut(rest, "]")
		n, err := strconv.Atoi(number)
		if !found || err != nil || n < 0 || len(p.bytes)+n > maxPattern {
			return fmt.Errorf("[%s is not a number of hidden bytes", rest)
		}
		p.append(make([]byte, n), true)
		text = after
	}
	return nil
}

func (p *pattern) append(b []byte, hidden bool) {
	p.bytes = append(p.bytes, b...)
	for range b {
		p.hidden = append(p.hidden, hidden)
	}
}

func (p *pattern) match(b []byte) bool {
	if len(b) != len(p.bytes) {
		return false
	}
	for i := range b {
		if b[i] != p.bytes[i] && !p.hidden[i] {
			return false
		}
	}
	return true
}

func wireError(text string) error {
	for _, w := range wireErrors {
		if w.text == text {
			return w.err
		}
	}
	return errors.New(text)
}
