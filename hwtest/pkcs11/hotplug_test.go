//go:build linux && cgo

package pkcs11_test

import (
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"cardbridge/hwtest"
)

// TestHotplug is pkcs11-tool --test-hotplug: it lists the slots, and again
// after each event that C_WaitForSlotEvent tells.
func TestHotplug(t *testing.T) {
	tool := hwtest.Program(t, "pkcs11-tool", "opensc")
	r := hwtest.Start(t, hwtest.Config{})
	cmd := exec.Command(tool, "--module", hwtest.Module(t), "--test-hotplug")
	cmd.Env = r.Environment()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(hwtest.Patience, func() { cmd.Process.Kill() }) //nolint:errcheck // it may have ended
	defer watchdog.Stop()
	var all strings.Builder
	until := func(words string) string {
		t.Helper()
		var text strings.Builder
		for b := make([]byte, 1); !strings.HasSuffix(text.String(), words); {
			if _, err := io.ReadFull(stdout, b); err != nil {
				t.Fatalf("no %q: %v\n%s%s", words, err, all.String(), text.String())
			}
			text.Write(b)
		}
		all.WriteString(text.String())
		return text.String()
	}
	say := func(s string) {
		if _, err := io.WriteString(stdin, s); err != nil {
			t.Fatal(err)
		}
	}
	const prompt, waiting, token = "x to exit: ", "C_WaitForSlotEvent: ", "token label"
	until(prompt)
	say("\n") // looks without waiting
	if text := until(prompt); !strings.Contains(text, token) {
		t.Errorf("no token at first:\n%s", text)
	}
	say("x\n")
	until(prompt)
	for i, want := range []bool{false, true, false, true} {
		say("\n")
		until(waiting)
		if want {
			r.Insert(0)
		} else {
			r.Remove(0)
		}
		if text := until(prompt); !strings.Contains(text, "event on slot 0") || strings.Contains(text, token) != want {
			t.Errorf("event %d: token %v is wanted:\n%s", i, want, text)
		}
	}
	say("x\n")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, all.String())
	}
	hwtest.Keep(t, "hotplug", []byte(all.String()))
}
