package softcard

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"
)

func TestFaults(t *testing.T) {
	h := newHost(t, "nist")
	for _, c := range []struct {
		name   string
		fault  Fault
		answer string
		err    error
		spent  int // tries, the command being a wrong PIN
	}{
		{"status before", Fault{Status: 0x6F00}, "6F00", nil, 0},
		{"status after", Fault{Status: 0x6F00, When: After}, "6F00", nil, 1},
		{"cut", Fault{Cut: true, Keep: 1}, "63", nil, 1},
		{"nothing", Fault{Cut: true}, "", nil, 1},
		{"reset before", Fault{Reset: true}, "", ErrReset, 0},
		{"reset after", Fault{Reset: true, When: After}, "", ErrReset, 1},
		{"removed before", Fault{Remove: true}, "", ErrRemoved, 0},
		{"removed after", Fault{Remove: true, When: After}, "", ErrRemoved, 1},
		{"silent before", Fault{Silence: time.Millisecond}, "", ErrSilent, 0},
		{"silent after", Fault{Silence: time.Millisecond, When: After}, "", ErrSilent, 1},
		{"late", Fault{Delay: time.Millisecond}, "63C2", nil, 1},
		{"switched before", Fault{Switch: true}, "6D00", nil, 0},
		{"switched after", Fault{Switch: true, When: After}, "63C2", nil, 1},
	} {
		h.card.Insert()
		h.want(selectPIV, 0x9000)
		h.want(verifyGood, 0x9000)
		h.card.SetFaults(Plan{2: c.fault})
		h.want("00CB3FFF03 5C017E 00", 0x9000)
		got, err := h.card.Transmit(unhex(verifyBad))
		if !bytes.Equal(got, unhex(c.answer)) || !errors.Is(err, c.err) {
			t.Errorf("%s: %X %v", c.name, got, err)
		}
		if pin, _ := h.card.Tries(); pin != 3-c.spent {
			t.Errorf("%s: %d tries left", c.name, pin)
		}
		if again, err := h.card.Transmit(unhex(pinStatus)); errors.Is(c.err, ErrRemoved) {
			if !errors.Is(err, ErrRemoved) {
				t.Errorf("%s: afterwards %v", c.name, err)
			}
		} else if err != nil {
			t.Errorf("%s: afterwards %X %v", c.name, again, err)
		}
	}
}

func TestGarbageIsRepeatable(t *testing.T) {
	var first []byte
	for range 2 {
		h := newHost(t, "nist")
		h.card.SetFaults(Plan{1: {Garbage: true}})
		got, err := h.card.Transmit(unhex("00CB3FFF035C017E00"))
		if err != nil || len(got) != 22 || !bytes.Equal(got[20:], []byte{0x90, 0}) || got[0] == 0x7E {
			t.Errorf("%X %v", got, err)
		}
		if first == nil {
			first = got
		} else if !bytes.Equal(first, got) {
			t.Errorf("%X, then %X", first, got)
		}
	}
}

func TestRemovedComesBack(t *testing.T) {
	h := newHost(t, "nist")
	h.card.SetFaults(Plan{1: {Remove: true, Back: 5 * time.Millisecond}})
	if _, err := h.card.Transmit(unhex(pinStatus)); !errors.Is(err, ErrRemoved) {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := h.card.Transmit(unhex(selectPIV)); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it did not come back")
		}
	}
}

// A card that waits for a touch, or is silent, is woken by a removal.
func TestRemovalWakes(t *testing.T) {
	h := newHost(t, "yubikey-5.7", WithTouch(func(ctx context.Context) bool { <-ctx.Done(); return false }))
	h.admin()
	h.want("0047009A0B AC09800111 AA0101 AB0102", 0x9000)
	for _, wait := range []struct {
		command string
		plan    Plan
	}{
		{"0087119A26 7C24 8200 8120" + zeros(32), nil},
		{pinStatus, Plan{1: {Silence: time.Hour}}},
		{pinStatus, Plan{1: {Delay: time.Hour}}},
	} {
		h.card.SetFaults(wait.plan)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = h.card.Transmit(unhex(wait.command))
		}()
		time.Sleep(5 * time.Millisecond)
		h.card.Remove()
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatalf("%s waits on", wait.command)
		}
		h.card.Insert()
		h.want(selectPIV, 0x9000)
	}
}

func TestCountAndLatency(t *testing.T) {
	h := newHost(t, "nist", WithLatency(3*time.Millisecond))
	before := h.card.Count()
	start := time.Now()
	for range 5 {
		h.want(pinStatus, 0x63C3)
	}
	if n := h.card.Count() - before; n != 5 {
		t.Errorf("%d APDUs", n)
	}
	if d := time.Since(start); d < 15*time.Millisecond {
		t.Errorf("five in %v", d)
	}
}

func TestClosedAndOff(t *testing.T) {
	h := newHost(t, "nist")
	h.card.PowerOff()
	if _, err := h.card.Transmit(unhex(pinStatus)); !errors.Is(err, ErrRemoved) {
		t.Error(err)
	}
	h.card.PowerOn()
	h.want(selectPIV, 0x9000)
	for range 2 {
		if err := h.card.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := h.card.Transmit(unhex(pinStatus)); !errors.Is(err, ErrRemoved) {
		t.Error(err)
	}
}
