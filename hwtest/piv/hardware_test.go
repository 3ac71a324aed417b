package piv_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"cardbridge/hwtest"
)

// What cardtool tells of a card without changing it is what others tell.
func TestReadOnly(t *testing.T) {
	hwtest.Each(t, hwtest.Reads, yubikeys, func(t *testing.T, r *hwtest.Rig, personality string) {
		pinTries, pukTries := r.Tries(t, 0)
		var info struct{ Serial, Version string }
		newCardtool(t, r).ask(t, &info, "info")
		status := r.Run(t, yubicoPIVTool(r)("-a", "status")...).Out
		if !strings.Contains(status, "Version:\t"+info.Version) {
			t.Errorf("cardtool says version %s, yubico-piv-tool\n%s", info.Version, status)
		}
		if personality != "yubikey-4" && !strings.Contains(status, "Serial Number:\t"+info.Serial) {
			t.Errorf("cardtool says serial number %s, yubico-piv-tool\n%s", info.Serial, status)
		}
		wantTries(t, r, pinTries, pukTries)
	})
}

// The tests for real cards, on cards that they take for real: those of a rig.
// Only the card that was named may change.
func TestOnRealCards(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{Personalities: []string{"yubikey-5.7", "yubikey-5.7"}})
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	run := func(destructive string) string {
		t.Helper()
		return r.Do(t, hwtest.Command{
			Dir:  here,
			Args: []string{"/proc/self/exe", "-test.v", "-test.run", "^(TestReadOnly|TestAdministration|TestRestarts)$"},
			Env: []string{
				"HWTEST_SERIALS=" + r.Serial(0), "HWTEST_DESTRUCTIVE=" + destructive,
				"CARDTOOL=" + hwtest.Cardtool(t), "CI=" + os.Getenv("CI"),
			},
		}).Out
	}
	state := func(i int) []byte {
		t.Helper()
		b, err := os.ReadFile(r.StateFile(i))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	named, other := state(0), state(1)

	out := run("0")
	for _, want := range []string{"--- PASS: TestReadOnly", "--- SKIP: TestAdministration", "--- SKIP: TestRestarts"} {
		if !strings.Contains(out, want) {
			t.Errorf("without %q:\n%s", want, out)
		}
	}
	if !bytes.Equal(state(0), named) {
		t.Error("the card was changed, though that was not allowed")
	}
	out = run("1")
	for _, want := range []string{"--- PASS: TestReadOnly", "--- PASS: TestAdministration", "--- SKIP: TestRestarts"} {
		if !strings.Contains(out, want) {
			t.Errorf("without %q:\n%s", want, out)
		}
	}
	if bytes.Equal(state(0), named) {
		t.Error("nothing was done to the card")
	}
	if !bytes.Equal(state(1), other) {
		t.Error("a card was changed that nobody had named")
	}
}
