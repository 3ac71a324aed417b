package hwtest_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebfe/scard"

	"cardbridge/hwtest"
)

func TestMain(m *testing.M) { hwtest.Main(m) }

// present are the readers that have a card, as a PC/SC client sees them.
func present(t *testing.T) (with, without []string) {
	t.Helper()
	pcsc, err := scard.EstablishContext()
	if err != nil {
		t.Fatal(err)
	}
	defer pcsc.Release() //nolint:errcheck // nothing to lose
	names, err := pcsc.ListReaders()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		states := []scard.ReaderState{{Reader: name}}
		if err := pcsc.GetStatusChange(states, hwtest.Patience); err != nil {
			t.Fatal(err)
		}
		if states[0].EventState&scard.StatePresent != 0 {
			with = append(with, name)
		} else {
			without = append(without, name)
		}
	}
	return with, without
}

func TestRig(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{
		Personalities: []string{"yubikey-5.7", "nist", ""},
		Names:         []string{"Yubico YubiKey", "Second Reader", "Third Reader"},
	})
	expect := func(cards ...int) {
		t.Helper()
		with, without := present(t)
		if len(with)+len(without) != 6 {
			t.Errorf("readers %q, %q", with, without)
		}
		var want []string
		for _, i := range cards {
			want = append(want, r.Reader(i))
		}
		if slices.Sort(with); !slices.Equal(with, want) {
			t.Errorf("cards in %q, want %q", with, want)
		}
	}
	expect(1, 0) // in the order of their names
	r.Remove(0)
	expect(1)
	r.Insert(0)
	r.Remove(1)
	expect(0)
	r.Insert(1)
	r.RestartPCSCD()
	expect(1, 0)

	before := r.Card(0).Count()
	r.Run(t, "opensc-tool", "--reader", r.Reader(0), "-s", "00:A4:04:00:05:A0:00:00:03:08:00")
	if n := r.Card(0).Count() - before; n < 1 {
		t.Errorf("%d APDUs counted", n)
	}

	r.StopPCSCD()
	if _, err := scard.EstablishContext(); err == nil {
		t.Error("pcscd still answers")
	}
	if _, err := os.Stat("/run/pcscd/pcscd.comm"); err == nil {
		t.Error("the socket is still there")
	}
}

func TestWithoutPCSCD(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{NoPCSCD: true})
	if _, err := scard.EstablishContext(); err == nil {
		t.Fatal("there is a pcscd")
	}
	r.StartPCSCD()
	if with, _ := present(t); len(with) != 1 {
		t.Errorf("cards in %q", with)
	}
}

// Nothing of the machine is seen, and nothing of the rig outlives it.
func TestNamespaces(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	if os.Getpid() != 1 {
		t.Errorf("process %d: not a namespace of its own", os.Getpid())
	}
	if entries, _ := os.ReadDir("/run"); len(entries) != 1 {
		t.Errorf("/run has %v", entries)
	}
	links, err := os.ReadDir("/sys/class/net")
	if err == nil && len(links) == 0 {
		t.Error("no loopback interface")
	}
	env := r.Run(t, "env").Out
	for line := range strings.Lines(env) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), "="); name == "HOME" && !strings.HasPrefix(value, filepath.Dir(r.StateFile(0))) {
			t.Errorf("HOME is %s", value)
		}
	}
}

// What is disturbed is what another client of the same card notices.
func TestDisturb(t *testing.T) {
	for _, how := range []hwtest.Disturbance{hwtest.Select, hwtest.Reset} {
		t.Run(string(how), func(t *testing.T) {
			r := hwtest.Start(t, hwtest.Config{})
			pcsc, err := scard.EstablishContext()
			if err != nil {
				t.Fatal(err)
			}
			defer pcsc.Release() //nolint:errcheck // nothing to lose
			stop := r.Disturb(t, 0, how, time.Millisecond)
			connection, err := pcsc.Connect(r.Reader(0), scard.ShareShared, scard.ProtocolAny)
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Disconnect(scard.LeaveCard) //nolint:errcheck // nothing to lose
			ctx, cancel := context.WithTimeout(context.Background(), hwtest.Patience)
			defer cancel()
			selectPIV := []byte("\x00\xA4\x04\x00\x05\xA0\x00\x00\x03\x08\x00")
			pinState := []byte("\x00\x20\x00\x80")
			noticed := false
			for ctx.Err() == nil && !noticed {
				if _, err := connection.Transmit(selectPIV); err == scard.ErrResetCard {
					noticed = true
					break
				}
				time.Sleep(5 * time.Millisecond)
				answer, err := connection.Transmit(pinState)
				noticed = err == scard.ErrResetCard || err == nil && answer[0] != 0x63
			}
			if n := stop(); !noticed || n == 0 {
				t.Errorf("disturbed %d times, noticed %v", n, noticed)
			}
		})
	}
}
