package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cardbridge/apdu"
	"cardbridge/card/softcard"
	"cardbridge/reader"
)

var selectPIV = []byte{0, 0xA4, 4, 0, 5, 0xA0, 0, 0, 3, 8, 0}

func newCard(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "My Card")
	if err := softcard.Create(path, "nist"); err != nil {
		t.Fatal(err)
	}
	return path
}

func newTestHost(t *testing.T, o Options) *Host {
	t.Helper()
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func TestNew(t *testing.T) {
	for _, test := range []struct {
		readers, reader string
		soft            string // the software cards' paths
		pcsc            bool
		err             string // what the error names
	}{
		{"", "", "", true, ""},
		{"pcsc", "", "", true, ""},
		{"softcard:/a,softcard:/b", "", "/a /b", false, ""},
		{" softcard:/a , pcsc ,", "", "/a", true, ""},
		{"softcard:/a,softcard:/a,pcsc,pcsc", "", "/a", true, ""},
		{"pcsc,softcard:", "", "", false, `"softcard:"`},
		{"pscs", "", "", false, `"pscs"`},
		{"pcsc", "softcard:", "", false, "--reader"},
		{"pcsc", "softcard:/x,y", "/x,y", false, ""},
		{"softcard:/a", "pcsc", "", true, ""},
		{"softcard:/a", "yubico", "/a", false, ""},
	} {
		h, err := New(Options{Readers: test.readers, Reader: test.reader})
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q, %q: %v", test.readers, test.reader, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q, %q: %v", test.readers, test.reader, err)
			continue
		}
		var paths []string
		for _, r := range h.soft {
			paths = append(paths, r.path)
		}
		if got := strings.Join(paths, " "); got != test.soft || (h.pcsc != nil) != test.pcsc {
			t.Errorf("%q, %q: software cards %q, pcsc %v", test.readers, test.reader, got, h.pcsc != nil)
		}
	}
}

func TestReaders(t *testing.T) {
	a, b := newCard(t), filepath.Join(t.TempDir(), "missing")
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	list := "softcard:" + a + ",softcard:" + b + ",softcard:" + broken
	for _, test := range []struct {
		reader, want string
		err          string
	}{
		{"", "0 card, 1, 2 mute", ""},
		{"my card", "0 card", ""},
		{"softcard:" + a, "0 card", ""},
		{"softcard:" + b, "0", "cardtool softcard create"},
		{"MISSING", "1", "cardtool softcard create"},
		{"broken", "2 mute", "cannot be used"},
		{"nothing like it", "", ""},
	} {
		h := newTestHost(t, Options{Readers: list, Reader: test.reader})
		states, err := h.Readers(t.Context())
		var got []string
		for _, s := range states {
			w := string(rune('0' + s.Slot))
			switch {
			case s.Mute:
				w += " mute"
			case s.Card:
				w += " card"
			}
			got = append(got, w)
		}
		if g := strings.Join(got, ", "); g != test.want {
			t.Errorf("%q: %s", test.reader, g)
		}
		if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%q: %v", test.reader, err)
		}
	}
}

func transmit(c Conn, ctx context.Context, command []byte) (epoch uint64, resp []byte, err error) {
	err = c.Transact(ctx, func(t apdu.Transaction) error {
		epoch = t.Epoch()
		resp, err = t.Transmit(command)
		return err
	})
	return epoch, resp, err
}

func TestSoftcardConnection(t *testing.T) {
	path := newCard(t)
	h := newTestHost(t, Options{Readers: "softcard:" + path})
	c, err := h.Connect("softcard:" + path)
	if err != nil {
		t.Fatal(err)
	}
	first, resp, err := transmit(c, t.Context(), selectPIV)
	if err != nil || len(resp) < 2 || resp[len(resp)-2] != 0x90 && resp[len(resp)-2] != 0x61 {
		t.Fatalf("% X, %v", resp, err)
	}
	other, _ := h.Connect("softcard:" + path)
	if same, _, _ := transmit(other, t.Context(), selectPIV); same != first {
		t.Error("two connections are two cards")
	}
	if err := c.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, _, _ := transmit(other, t.Context(), selectPIV)
	if second == first {
		t.Error("the epoch outlived a reset")
	}
	soft, _ := h.soft[0].open()
	for _, fault := range []struct {
		do   func()
		want error
	}{
		{soft.Remove, apdu.ErrRemoved},
		{soft.PowerOff, apdu.ErrRemoved},
	} {
		fault.do()
		if _, _, err := transmit(c, t.Context(), selectPIV); !errors.Is(err, fault.want) || !strings.Contains(err.Error(), path) {
			t.Error(err)
		}
		soft.Insert()
		soft.PowerOn()
		if next, _, err := transmit(c, t.Context(), selectPIV); err != nil || next == second {
			t.Error(next, err)
		}
	}
	if _, err := h.Connect("softcard:/other"); err == nil {
		t.Error("connected to a card that was not listed")
	}
	if _, err := h.Connect("Yubico"); err == nil {
		t.Error("connected to a PC/SC reader that was not listed")
	}
}

func TestSoftcardCancelledInTheMiddle(t *testing.T) {
	path := newCard(t)
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t, Options{Readers: "softcard:" + path})
		slow, err := softcard.Open(path, softcard.WithLatency(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		h.soft[0].card = slow
		c, _ := h.Connect("softcard:" + path)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, _, err := transmit(c, ctx, selectPIV); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if _, _, err := transmit(c, t.Context(), selectPIV); err != nil || time.Since(start) != 20*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// marking counts commands, and those marked secret.
type marking struct{ all, secret int }

func (m *marking) Around(next apdu.Transmitter, command []byte, secret bool) ([]byte, error) {
	m.all++
	if secret {
		m.secret++
	}
	return next.Transmit(command)
}

func TestDecorate(t *testing.T) {
	path := newCard(t)
	var m marking
	var names []string
	h := newTestHost(t, Options{Readers: "softcard:" + path, Decorate: func(name string) apdu.Decorator {
		names = append(names, name)
		return &m
	}})
	c, err := h.Connect("softcard:" + path)
	if err != nil {
		t.Fatal(err)
	}
	var ch apdu.Channel
	err = c.Transact(t.Context(), func(tx apdu.Transaction) error {
		if tx.Epoch() == 0 {
			t.Error("the epoch was lost")
		}
		if _, err := tx.Transmit(selectPIV); err != nil {
			return err
		}
		if _, err := tx.(apdu.PINTransmitter).TransmitPIN(apdu.PINEntry{}); !errors.Is(err, apdu.ErrNoPINPad) {
			t.Error(err)
		}
		_, err := ch.Send(tx, apdu.Command{INS: 0x20, P2: 0x80, Data: []byte("123456\xFF\xFF"), Secret: true})
		return err
	})
	if err != nil || m.all != 2 || m.secret != 1 || len(names) != 1 || names[0] != "softcard:"+path {
		t.Errorf("%v, %+v, %q", err, m, names)
	}
}

func TestWatchSoftcards(t *testing.T) {
	path := newCard(t)
	away := path + ".away"
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t, Options{Readers: "softcard:" + path + ",softcard:/other", Reader: "my card"})
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var events []string
		done := make(chan error)
		go func() {
			done <- h.Watch(ctx, func(e reader.Event) {
				mu.Lock()
				defer mu.Unlock()
				events = append(events, e.Kind.String())
			})
		}()
		step := func(want string) {
			t.Helper()
			time.Sleep(2 * softLook)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if got := strings.Join(events, ", "); got != want {
				t.Errorf("%s, not %s", got, want)
			}
			events = nil
		}
		step("reader added, card inserted, settled")
		if err := os.Rename(path, away); err != nil {
			t.Fatal(err)
		}
		step("card removed")
		if err := os.Rename(away, path); err != nil {
			t.Fatal(err)
		}
		step("card inserted")
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestFromEnvironment(t *testing.T) {
	t.Setenv("CARDBRIDGE_READERS", "softcard:/a")
	if Secure() {
		t.Fatal("an ordinary process is taken for a privileged one")
	}
	if got := FromEnvironment(); got != "softcard:/a" {
		t.Error(got)
	}
}
