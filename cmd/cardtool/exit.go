package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/internal/cli/tui"
	"cardbridge/reader"
)

// An exitCode is a row of the table of exit codes that docs/cardtool.md shows.
type exitCode struct {
	code    int
	name    string // "error" in JSON
	meaning string
	is      func(error) bool
	next    string // what to do next, where the error does not say it itself
}

// exitCodes, the first that matches decides. Those without a match function
// are not looked up.
var exitCodes = []exitCode{
	{code: 0, name: "ok", meaning: "done"},
	{code: 130, name: "interrupted", meaning: "interrupted (Ctrl-C, SIGTERM)", is: matches(errInterrupted, tui.ErrInterrupted, context.Canceled)},
	{code: 2, name: "usage", meaning: "wrong command line: an unknown command, flag, slot or value", is: as[usageError]},
	{code: 5, name: "blocked", meaning: "a PIN or PUK has no tries left", is: as[*card.Blocked]},
	{code: 4, name: "wrong-secret", meaning: "a PIN, PUK, management key or passphrase was wrong or cannot be one", is: isWrongSecret, next: "try again with the right one"},
	{code: 6, name: "last-try", meaning: "only one try is left, and it was not spent", is: matches(card.ErrLastTry), next: "--spend-last-try spends it; a wrong one then blocks it"},
	{code: 7, name: "ambiguous", meaning: "there are several cards and none was chosen", is: matches(card.ErrAmbiguous), next: "choose with --reader or --serial"},
	{code: 12, name: "bad-signature", meaning: "a signature does not fit, or is not by whom it should be", is: as[signatureError]},
	{code: 14, name: "not-touched", meaning: "the card waited for a touch in vain", is: matches(card.ErrTouchTimeout), next: "try again and touch the card when asked"},
	{code: 13, name: "declined", meaning: "a question was answered with no, or there was no terminal to ask it on", is: matches(errDeclined, tui.ErrNoTerminal, tui.ErrEnded)},
	{code: 10, name: "bad-input", meaning: "an input file cannot be read, is malformed, or does not fit the key", is: as[inputError]},
	{code: 11, name: "exists", meaning: "an output file exists already", is: matches(fs.ErrExist), next: "--force replaces it"},
	{code: 3, name: "no-card", meaning: "no PC/SC service, no reader, no card in it, a card without the applet, one that is gone or that another program keeps", is: matches(errNoCard, reader.ErrService, reader.ErrBusy, card.ErrNoApplet, apdu.ErrRemoved, apdu.ErrNoAnswer, apdu.ErrReset)},
	{code: 8, name: "not-found", meaning: "the key, certificate or object is not on the card", is: matches(card.ErrNotFound)},
	{code: 9, name: "unsupported", meaning: "the card, or the key, cannot do this", is: matches(card.ErrUnsupported, card.ErrWrongKey, card.ErrWithheld)},
	{code: 1, name: "failed", meaning: "anything else", is: func(error) bool { return true }},
}

func matches(targets ...error) func(error) bool {
	return func(err error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
}

func as[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

func isWrongSecret(err error) bool {
	return as[*card.WrongPIN](err) || as[secretError](err) || matches(card.ErrRefusedBefore, card.ErrWrongSecretFormat)(err)
}

var (
	errNoCard   = errors.New("no card")
	errDeclined = errors.New("not done")
	// errShown stands for what was shown already.
	errShown = errors.New("usage shown")
)

// The kinds of errors that are this program's own.
type (
	usageError     struct{ error }
	inputError     struct{ error }
	secretError    struct{ error }
	signatureError struct{ error }
)

func (e usageError) Unwrap() error     { return e.error }
func (e inputError) Unwrap() error     { return e.error }
func (e secretError) Unwrap() error    { return e.error }
func (e signatureError) Unwrap() error { return e.error }

func usagef(format string, v ...any) error { return usageError{fmt.Errorf(format, v...)} }
func inputf(format string, v ...any) error { return inputError{fmt.Errorf(format, v...)} }

// A hinted error says itself what to do next.
type hinted struct {
	error
	next string
}

func (e hinted) Unwrap() error { return e.error }

// A cardError says on which card something failed.
type cardError struct {
	card string
	err  error
}

func (e cardError) Error() string { return e.card + ": " + e.err.Error() }
func (e cardError) Unwrap() error { return e.err }

func exitCodeOf(err error) exitCode {
	for _, row := range exitCodes {
		if row.is != nil && row.is(err) {
			return row
		}
	}
	panic("the last row matches everything")
}

const globalUnblock = "only its issuer can unblock it"

// unblock is what helps when a secret is blocked.
func unblock(b *card.Blocked) string {
	switch {
	case b.Global:
		return globalUnblock
	case b.Name == card.PUK:
		return "while the PIN is right, nothing is lost; after that only cardtool reset helps, which destroys all keys"
	default:
		return "cardtool pin unblock sets a new PIN with the PUK"
	}
}

// An errorReport is what --json prints on standard error instead of a message.
type errorReport struct {
	Error   string `json:"error"`   // name of the exit code
	Code    int    `json:"code"`    // exit code
	Message string `json:"message"` // for people
	Command string `json:"command"`
	Next    string `json:"next,omitempty"`   // what to do next
	Status  string `json:"status,omitempty"` // status word of the card, in hex
	Tries   *int   `json:"tries,omitempty"`  // tries left, after a wrong PIN or PUK
}

// report prints one line: what failed, on which card, why, what to do next.
func (a *app) report(cmd interface{ CommandPath() string }, err error) int {
	row := exitCodeOf(err)
	if errors.Is(err, errShown) {
		return row.code
	}
	next := row.next
	var blocked *card.Blocked
	if errors.As(err, &blocked) {
		next = unblock(blocked)
	}
	var refused *card.NotTaken
	if errors.As(err, &refused) {
		next = "choose another " + string(refused.Name)
	}
	var h hinted
	if errors.As(err, &h) {
		next = h.next
	}
	r := errorReport{
		Error: row.name, Code: row.code, Command: cmd.CommandPath(), Next: next,
		Message: oneLine(err.Error()),
	}
	if s, ok := apdu.StatusOf(err); ok {
		r.Status = fmt.Sprintf("%04X", uint16(s))
		if !strings.Contains(r.Message, r.Status) {
			r.Message += " (" + r.Status + ")"
		}
	}
	var wrong *card.WrongPIN
	if errors.As(err, &wrong) && wrong.Tries >= 0 {
		r.Tries = &wrong.Tries
	}
	if a.global.json {
		b, _ := json.Marshal(r)
		fmt.Fprintf(a.stderr, "%s\n", b)
		return row.code
	}
	line := r.Command + ": " + r.Message
	if next != "" {
		line += "; " + next
	}
	fmt.Fprintln(a.stderr, line)
	return row.code
}

// oneLine makes one line of a message, and nothing of it can move a terminal's cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r == 0x7F || r >= 0x80 && r < 0xA0:
			return '?'
		}
		return r
	}, strings.TrimSpace(s))
}
