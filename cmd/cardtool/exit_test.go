package main

import (
	"fmt"
	"strings"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
)

type commandPath string

func (p commandPath) CommandPath() string { return string(p) }

// A new PIN that the card does not take is another matter than a wrong one: the
// right one was given.
func TestNewPINNotTaken(t *testing.T) {
	var told strings.Builder
	err := fmt.Errorf("change the PIN: %w", &card.NotTaken{Name: card.PIN, Err: apdu.ErrIncorrectData})
	code := (&app{stderr: &told}).report(commandPath("cardtool pin change"), err)
	const want = "cardtool pin change: change the PIN: the card takes no such PIN, perhaps as it is too simple; nothing was changed (6A80); choose another PIN\n"
	if code != 4 || told.String() != want {
		t.Errorf("%d: %q", code, told.String())
	}
}
