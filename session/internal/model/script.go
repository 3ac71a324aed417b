package model

import (
	"fmt"
	"strings"
)

// Line is the command as a line of a script: the application (and, in the chapter's example, the thread), a verb and its
// words, an arrow, and what the caller must get.
func (c Command) Line(r Result) string {
	words := []string{string(rune('A' + c.App)), c.Verb}
	if c.Verb == "insert" || c.Verb == "remove" || c.Verb == "card" {
		words[0] = "-" // nobody's doing
	}
	word := func(format string, a ...any) { words = append(words, fmt.Sprintf(format, a...)) }
	switch c.Verb {
	case "insert", "remove", "card", "closeall", "open":
		word("slot%d", c.Slot)
	}
	session, handle := c.Session, c.Handle
	if r.Session != 0 {
		session = r.Session
	}
	if r.Handle != 0 {
		handle = r.Handle
	}
	if session != 0 {
		word("s%d", session)
	}
	if handle != 0 {
		word("h%d", handle)
	}
	if c.Kind != "" {
		word("%s", c.Kind)
	}
	if c.How != "" {
		word("%s", c.How)
	}
	line := strings.Join(words, " ") + " -> " + r.Code
	for _, h := range r.Found {
		line += fmt.Sprintf(" h%d", h.ID)
	}
	return line
}

// ParseLine reads such a line. The thread's number in "A1" is not needed: threads share everything.
func ParseLine(line string) (c Command, want Result, err error) {
	left, right, found := strings.Cut(line, "->")
	words, answers := strings.Fields(left), strings.Fields(right)
	if !found || len(words) < 2 || len(answers) < 1 {
		return c, want, fmt.Errorf("not a step: %q", line)
	}
	if words[0] != "-" {
		c.App = int(words[0][0] - 'A')
	}
	c.Verb = words[1]
	for _, word := range words[2:] {
		var n int
		switch {
		case scan(word, "slot%d", &n):
			c.Slot = n
		case scan(word, "s%d", &n):
			c.Session = n
		case scan(word, "h%d", &n):
			c.Handle = n
		case c.Kind == "" && c.Verb != "context":
			c.Kind = word
		default:
			c.How = word
		}
	}
	want.Code = answers[0]
	for _, a := range answers[1:] {
		var h Handle
		if !scan(a, "h%d", &h.ID) {
			return c, want, fmt.Errorf("not a handle: %q", a)
		}
		want.Found = append(want.Found, h)
	}
	return c, want, nil
}

func scan(word, format string, n *int) bool {
	got, err := fmt.Sscanf(word, format, n)
	return err == nil && got == 1 && fmt.Sprintf(format, *n) == word
}
