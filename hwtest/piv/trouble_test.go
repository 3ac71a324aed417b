package piv_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"cardbridge/card/softcard"
	"cardbridge/hwtest"
)

// A card that is taken out while it works: an error that says so, within a
// second.
func TestRemovedWhileSigning(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	r.File("message", message)
	c := newCardtool(t, r)
	c.run(t, flags([]string{"key", "generate", "9a"}, withKey)...)

	// The fifth APDU of a cold signature is GENERAL AUTHENTICATE.
	r.Card(0).SetFaults(softcard.Plan{5: {Remove: true}})
	before := r.Card(0).Count()
	start := time.Now()
	result := c.try(t, flags([]string{"sign", "9a", "message", "-o", "signature"}, withPIN)...)
	hwtest.Prompt(t, "the whole command", start, time.Second)
	if n := r.Card(0).Count() - before; n != 5 {
		t.Errorf("the card was gone after %d APDUs", n)
	}
	if result.Code == 0 || !strings.Contains(result.Err, "removed") {
		t.Errorf("ended with %d: %s", result.Code, result.Err)
	}
	oneLine(t, result.Err)
	if _, err := os.Stat(r.Path("signature")); err == nil {
		t.Error("there is a signature all the same")
	}
	r.Card(0).SetFaults(nil)
	r.Remove(0) // it is out already; this waits until PC/SC knows
	r.Insert(0)
	c.run(t, flags([]string{"sign", "9a", "message", "-o", "signature"}, withPIN)...)
	wantTries(t, r, 3, 3)
}

// Without pcscd: what to do about it.
func TestNoPCSCD(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{NoPCSCD: true})
	c := newCardtool(t, r)
	for _, args := range [][]string{{"readers"}, {"info"}, {"sign", "9a", "/dev/null", "--pin-env", "PIN"}} {
		result := c.try(t, args...)
		if result.Code == 0 || !regexp.MustCompile(`(service pcscd start|systemctl start pcscd)`).MatchString(result.Err) {
			t.Errorf("%v ended with %d: %s", args, result.Code, result.Err)
		}
		oneLine(t, result.Err)
	}
	r.StartPCSCD()
	c.run(t, "info")
}

// oneLine is what an error is to fit in.
func oneLine(t *testing.T, text string) {
	t.Helper()
	if strings.Count(text, "\n") != 1 {
		t.Errorf("more than one line:\n%s", text)
	}
}

// pcscd that is stopped and started between two commands does not matter to
// the next one, nor does a card that was away.
func TestRestarts(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	r.File("message", message)
	c := newCardtool(t, r)
	c.run(t, flags([]string{"key", "generate", "9a"}, withKey)...)
	r.RestartPCSCD()
	c.run(t, flags([]string{"sign", "9a", "message", "-o", "1"}, withPIN)...)
	r.Remove(0)
	result := c.try(t, flags([]string{"sign", "9a", "message", "-o", "2"}, withPIN)...)
	if result.Code == 0 || !strings.Contains(result.Err, "no card") {
		t.Errorf("ended with %d: %s", result.Code, result.Err)
	}
	r.Insert(0)
	c.run(t, flags([]string{"sign", "9a", "message", "-o", "3"}, withPIN)...)
	wantTries(t, r, 3, 3)
}
