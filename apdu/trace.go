package apdu

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// A Trace is a [Decorator] that writes down what passes, for people to read
// and for [Replay] to play back:
//
//	> 00A40400 05A000000308 00  # SELECT
//	< 61114F0600001000010079074F05A000000308 9000  # ok
//	> 00200080 08[8]  # VERIFY
//	< 63C2  # verification failed, 2 tries left
//
// A line that begins with a blank goes on with the one before. [8] stands for
// 8 bytes that were hidden: PINs, keys, what was deciphered or agreed upon,
// objects that are read with the PIN only. Where no answer came the line
// begins with "!".
type Trace struct {
	mu       sync.Mutex
	w        io.Writer
	describe func(Command) string
	redactor redactor
}

// NewTrace writes to w; its errors are ignored, as tracing must not fail what
// is traced. describe says more of a command than its instruction does, such
// as the object or key it is about; it may be nil. One Trace follows one card.
func NewTrace(w io.Writer, describe func(Command) string) *Trace {
	return &Trace{w: w, describe: describe}
}

// Around writes the command before it goes and the answer when it came.
func (t *Trace) Around(next Transmitter, command []byte, secret bool) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.command(command, secret)
	response, err := next.Transmit(command)
	if err != nil {
		t.redactor.broken()
		fmt.Fprintf(t.w, "! %s\n", wireErrorText(err))
		return response, err
	}
	t.response(response)
	return response, nil
}

func (t *Trace) command(b []byte, secret bool) {
	c, extended, err := ParseCommand(b)
	if err != nil {
		// Whatever it is, the card will refuse it; what it was meant to carry
		// is not ours to show.
		t.redactor = redactor{}
		head := min(len(b), 4)
		t.line("> ", hexText(b[:head])+hidden(len(b)-head), "malformed command")
		return
	}
	shown := min(t.redactor.command(c, secret), len(c.Data))
	fields := []string{hexText(b[:4])}
	rest := b[4:]
	if len(c.Data) > 0 {
		lc := 1
		if extended {
			lc = 3
		}
		data := rest[lc : lc+len(c.Data)]
		fields = append(fields, hexText(rest[:lc])+hexText(data[:shown])+hidden(len(data)-shown))
		rest = rest[lc+len(c.Data):]
	}
	if len(rest) > 0 {
		fields = append(fields, hexText(rest))
	}
	t.line("> ", strings.Join(fields, " "), t.name(c))
}

func (t *Trace) name(c Command) string {
	name := instruction(c.CLA, c.INS)
	if t.describe != nil {
		if more := t.describe(c); more != "" {
			name += " " + more
		}
	}
	if c.CLA&claChaining != 0 {
		name += ", to be continued"
	}
	return name
}

func (t *Trace) response(b []byte) {
	data, status, err := ParseResponse(b)
	if err != nil {
		t.line("< ", hexText(b), "no status word")
		return
	}
	shown := min(t.redactor.response(data, status), len(data))
	text := hexText(data[:shown]) + hidden(len(data)-shown)
	if len(data) > 0 {
		text += " "
	}
	t.line("< ", fmt.Sprintf("%s%04X", text, uint16(status)), status.Text())
}

// line writes one line, broken where it would be too long, in one Write.
func (t *Trace) line(mark, text, comment string) {
	const width = 96
	var sb strings.Builder
	sb.WriteString(mark)
	for len(text) > width {
		sb.WriteString(text[:width])
		sb.WriteString("\n  ")
		text = text[width:]
	}
	fmt.Fprintf(&sb, "%s  # %s\n", text, comment)
	io.WriteString(t.w, sb.String()) //nolint:errcheck // see NewTrace
}

func hexText(b []byte) string { return fmt.Sprintf("%X", b) }

func hidden(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("[%d]", n)
}

// wireErrors are the errors of the wire by the words a recording has for them.
var wireErrors = []struct {
	text string
	err  error
}{
	{"removed", ErrRemoved},
	{"reset", ErrReset},
	{"no answer", ErrNoAnswer},
}

func wireErrorText(err error) string {
	for _, w := range wireErrors {
		if errors.Is(err, w.err) {
			return w.text
		}
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
