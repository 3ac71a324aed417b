package main

import (
	"errors"
	"fmt"
	"os"

	"cardbridge/apdu"
	"cardbridge/card/piv"
)

// openTrace makes the decorator behind --trace, nil without it. One trace follows
// one reader.
func (a *app) openTrace() (func(reader string) apdu.Decorator, error) {
	if a.global.trace == "" {
		return nil, nil
	}
	w := a.stderr
	if a.global.trace != "-" {
		f, err := os.OpenFile(a.global.trace, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("trace: %w", err)
		}
		t := &traceFile{file: f}
		a.atEnd(func() {
			if err := errors.Join(t.err, f.Close()); err != nil {
				a.warn("the trace is not whole: %v", err)
			}
		})
		w = t
	}
	return func(reader string) apdu.Decorator {
		fmt.Fprintf(w, "# %s\n", reader)
		return apdu.NewTrace(w, describe)
	}, nil
}

// A traceFile remembers that something could not be written: a trace is no
// reason to leave a card in the middle of something.
type traceFile struct {
	file *os.File
	err  error
}

func (t *traceFile) Write(b []byte) (int, error) {
	n, err := t.file.Write(b)
	if t.err == nil {
		t.err = err
	}
	return n, err
}

// slotInstructions are those whose P2 (P1 of ATTEST, F9) is a key.
var slotInstructions = map[byte]bool{0x47: true, 0x86: true, 0x87: true, 0xF6: true, 0xF7: true, 0xFE: true, 0xF9: true}

// describe says which key or data object a PIV command is about. The applet
// selected may be another one; a trace is for people.
func describe(c apdu.Command) string {
	switch {
	case slotInstructions[c.INS]:
		key := c.P2
		if c.INS == 0xF9 {
			key = c.P1
		}
		for _, s := range piv.Slots() {
			if s.Key == key {
				return "slot " + string(s.Ref)
			}
		}
	case (c.INS == 0xCB || c.INS == 0xDB) && len(c.Data) > 2 && c.Data[0] == 0x5C && len(c.Data) >= 2+int(c.Data[1]):
		var tag piv.Tag
		for _, b := range c.Data[2 : 2+int(c.Data[1])] {
			tag = tag<<8 | piv.Tag(b)
		}
		for _, o := range piv.Objects() {
			if o.Tag == tag {
				return o.Name
			}
		}
	}
	return ""
}
