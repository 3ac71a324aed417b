// Package reader runs cardbridge/reader through a real pcscd.
package reader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ebfe/scard"

	"cardbridge/apdu"
	"cardbridge/card/softcard"
	"cardbridge/hwtest"
	"cardbridge/reader"
)

func TestMain(m *testing.M) { hwtest.Main(m) }

var selectPIV = []byte{0, 0xA4, 4, 0, 5, 0xA0, 0, 0, 3, 8, 0}

func exchange(ctx context.Context, c *reader.Conn) (epoch uint64, err error) {
	err = c.Transact(ctx, func(t apdu.Transaction) error {
		epoch = t.Epoch()
		resp, err := t.Transmit(selectPIV)
		if err == nil && len(resp) < 3 {
			return fmt.Errorf("answer % X", resp)
		}
		return err
	})
	return epoch, err
}

func mustExchange(t *testing.T, c *reader.Conn) uint64 {
	t.Helper()
	epoch, err := exchange(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}

// A log of events, in which a test waits for the next ones.
type eventLog struct {
	t      *testing.T
	events chan reader.Event
}

// expect waits for these events, and for no other of the readers that matter:
// vpcd's second slots are always empty.
func (l *eventLog) expect(want ...string) {
	l.t.Helper()
	for _, w := range want {
		select {
		case e := <-l.events:
			if got := describe(e); got != w {
				l.t.Fatalf("%s, not %s", got, w)
			}
		case <-time.After(hwtest.Patience):
			l.t.Fatalf("%s did not come", w)
		}
	}
}

func describe(e reader.Event) string {
	if e.Kind == reader.Settled {
		return "settled"
	}
	return e.Kind.String() + " " + e.Reader
}

func TestMonitor(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{Personalities: []string{"yubikey-5.7", ""}})
	m := reader.New().Monitor()
	before, err := m.Readers(t.Context())
	if err != nil || len(before) != 4 || !before[0].Card || len(before[0].ATR) == 0 {
		t.Fatalf("%+v, %v", before, err)
	}
	a, a2 := r.Reader(0), strings.TrimSuffix(r.Reader(0), "0")+"1"
	b, b2 := r.Reader(1), strings.TrimSuffix(r.Reader(1), "0")+"1"
	ctx, cancel := context.WithCancel(t.Context())
	log := &eventLog{t, make(chan reader.Event, 100)}
	done := make(chan error, 1)
	go func() { done <- m.Watch(ctx, func(e reader.Event) { log.events <- e }) }()
	log.expect("reader added "+a, "card inserted "+a, "reader added "+a2, "reader added "+b, "reader added "+b2, "settled")
	slots := map[string]int{}
	states, err := m.Readers(t.Context())
	if err != nil || len(states) != 4 {
		t.Fatalf("%+v, %v", states, err)
	}
	for _, s := range states {
		slots[s.Reader] = s.Slot
	}
	generation := states[0].Generation
	if generation != before[0].Generation {
		t.Errorf("generation %d became %d", before[0].Generation, generation)
	}
	for range 3 {
		r.Remove(0)
		log.expect("card removed " + a)
		r.Insert(0)
		log.expect("card inserted " + a)
	}
	r.StopPCSCD()
	log.expect("card removed "+a, "reader removed "+a, "reader removed "+a2, "reader removed "+b, "reader removed "+b2)
	if _, err := m.Readers(t.Context()); !errors.Is(err, reader.ErrService) {
		t.Error(err)
	}
	r.StartPCSCD()
	// The readers come one after the other, and the card after them.
	got := map[string]bool{}
	for range 5 {
		select {
		case e := <-log.events:
			got[describe(e)] = true
		case <-time.After(hwtest.Patience):
			t.Fatalf("only %v came back", got)
		}
	}
	for _, w := range []string{"reader added " + a, "card inserted " + a, "reader added " + a2, "reader added " + b, "reader added " + b2} {
		if !got[w] {
			t.Errorf("%s did not come, but %v", w, got)
		}
	}
	states, err = m.Readers(t.Context())
	if err != nil || len(states) != 4 {
		t.Fatalf("%+v, %v", states, err)
	}
	for _, s := range states {
		if slots[s.Reader] != s.Slot {
			t.Errorf("slot %d of %s became %d", slots[s.Reader], s.Reader, s.Slot)
		}
	}
	if g := states[0].Generation; g != generation+4 {
		t.Errorf("generation %d after four insertions since %d", g, generation)
	}
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(hwtest.Patience):
		t.Fatal("not cancelled")
	}
	select {
	case e := <-log.events:
		t.Errorf("%s at the end", describe(e))
	default:
	}
}

// Many start and end: each is cancelled in another moment of its life.
func TestMonitorsCancelled(t *testing.T) {
	hwtest.Start(t, hwtest.Config{})
	sys := reader.New()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*500*time.Microsecond)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- sys.Monitor().Watch(ctx, func(reader.Event) {}) }()
			<-ctx.Done()
			select {
			case <-done:
			case <-time.After(hwtest.Patience):
				t.Error("not cancelled")
			}
		})
	}
	wg.Wait()
	if _, err := sys.List(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConnRecovers(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	sys := reader.New()
	c, other := sys.Connect(r.Reader(0)), sys.Connect(r.Reader(0))
	defer c.Close()     //nolint:errcheck // always nil
	defer other.Close() //nolint:errcheck // always nil
	first := mustExchange(t, c)
	if !c.ExtendedLength() || len(c.ATR()) == 0 {
		t.Errorf("extended %v, ATR % X", c.ExtendedLength(), c.ATR())
	}
	if again := mustExchange(t, c); again != first {
		t.Errorf("epoch %d became %d", first, again)
	}
	seen := map[uint64]bool{first: true}
	step := func(name string) {
		t.Helper()
		epoch, err := exchange(t.Context(), c)
		if err != nil || seen[epoch] {
			t.Fatalf("after %s: epoch %d, %v", name, epoch, err)
		}
		seen[epoch] = true
	}
	for range 3 {
		if err := other.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		step("a reset by another program")
	}
	r.Remove(0)
	if _, err := exchange(t.Context(), c); !errors.Is(err, apdu.ErrRemoved) {
		t.Fatal(err)
	}
	r.Insert(0)
	step("removal and insertion")
	r.Remove(0)
	r.Insert(0)
	step("removal and insertion that nobody looked at")
	r.RestartPCSCD()
	step("a restart of pcscd")
	r.StopPCSCD()
	_, err := exchange(t.Context(), c)
	if !errors.Is(err, reader.ErrService) || !strings.Contains(err.Error(), "start it with: ") {
		t.Fatal(err)
	}
	r.StartPCSCD()
	step("pcscd came back")
	if pad, err := c.PINPad(t.Context()); pad || err != nil {
		t.Error(pad, err)
	}
}

func TestConnRemovedInTheMiddle(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	c := reader.New().Connect(r.Reader(0))
	defer c.Close() //nolint:errcheck // always nil
	mustExchange(t, c)
	r.Card(0).SetFaults(softcard.Plan{1: {Delay: 300 * time.Millisecond, Remove: true}})
	start := time.Now()
	_, err := exchange(t.Context(), c)
	t.Log(err)
	if !errors.Is(err, apdu.ErrRemoved) || !strings.Contains(err.Error(), r.Reader(0)) {
		t.Error(err)
	}
	hwtest.Prompt(t, "noticing", start, 1300*time.Millisecond)
	r.Insert(0)
	mustExchange(t, c)
}

func TestConnPcscdEndsInTheMiddle(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	c := reader.New().Connect(r.Reader(0))
	defer c.Close() //nolint:errcheck // always nil
	mustExchange(t, c)
	r.Card(0).SetFaults(softcard.Plan{1: {Delay: time.Hour}})
	err := c.Transact(t.Context(), func(tr apdu.Transaction) error {
		done := make(chan error)
		go func() { _, err := tr.Transmit(selectPIV); done <- err }()
		time.Sleep(200 * time.Millisecond)
		r.StopPCSCD()
		return <-done
	})
	t.Log(err)
	if err == nil || !strings.Contains(err.Error(), r.Reader(0)) {
		t.Error(err)
	}
	r.StartPCSCD()
	mustExchange(t, c)
}

func TestConnCancelled(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	sys := reader.New()
	c, other := sys.Connect(r.Reader(0)), sys.Connect(r.Reader(0))
	defer c.Close()     //nolint:errcheck // always nil
	defer other.Close() //nolint:errcheck // always nil
	cancelled := func(what string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(200*time.Millisecond, cancel)
		_, err := exchange(ctx, c)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
		<-ctx.Done()
	}
	r.Card(0).SetFaults(softcard.Plan{1: {Delay: time.Hour}})
	cancelled("in the first exchange")
	r.Card(0).Reset() // it answers now
	hold := func(f func()) {
		t.Helper()
		if err := other.Transact(t.Context(), func(apdu.Transaction) error { f(); return nil }); err != nil {
			t.Error(err)
		}
	}
	hold(func() {
		start := time.Now()
		cancelled("while another is in a transaction")
		hwtest.Prompt(t, "cancelling", start, 700*time.Millisecond)
		// PC/SC calls of this process go on all the while.
		if _, err := sys.List(t.Context()); err != nil {
			t.Error(err)
		}
	})
	mustExchange(t, c)
	mustExchange(t, other)
}

func TestConnExclusive(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	pcsc, err := scard.EstablishContext()
	if err != nil {
		t.Fatal(err)
	}
	defer pcsc.Release() //nolint:errcheck // at the end
	exclusive, err := pcsc.Connect(r.Reader(0), scard.ShareExclusive, scard.ProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	// Another program that is connected to pcscd.
	scan := exec.Command("pcsc_scan", "-q")
	if err := scan.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = scan.Process.Kill(); _ = scan.Wait() }()
	c := reader.New().Connect(r.Reader(0))
	defer c.Close() //nolint:errcheck // always nil
	// pcsc_scan takes a moment to connect.
	for end, found := time.Now().Add(hwtest.Patience), false; !found; {
		_, err = exchange(t.Context(), c)
		var busy *reader.BusyError
		if !errors.As(err, &busy) || !busy.Exclusive || busy.Reader != r.Reader(0) {
			t.Fatal(err)
		}
		for _, p := range busy.Holders {
			found = found || p.Name == "pcsc_scan" && p.PID == scan.Process.Pid
			if p.PID == os.Getpid() {
				t.Error("we hold it ourselves")
			}
		}
		if !found && time.Now().After(end) {
			t.Fatalf("%v does not name pcsc_scan", err)
		}
	}
	time.AfterFunc(500*time.Millisecond, func() { _ = exclusive.Disconnect(scard.LeaveCard) })
	// That may come after the three seconds that a transaction waits for it.
	for end := time.Now().Add(hwtest.Patience); ; {
		_, err = exchange(t.Context(), c)
		if err == nil {
			break
		}
		if !errors.Is(err, reader.ErrBusy) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func TestConnWithoutPcscd(t *testing.T) {
	hwtest.Start(t, hwtest.Config{NoPCSCD: true})
	c := reader.New().Connect("any")
	start := time.Now()
	_, err := exchange(t.Context(), c)
	if !errors.Is(err, reader.ErrService) || !strings.Contains(err.Error(), "start it with: ") {
		t.Error(err)
	}
	hwtest.Prompt(t, "finding no pcscd", start, time.Second)
	if _, err := reader.New().List(t.Context()); !errors.Is(err, reader.ErrService) {
		t.Error(err)
	}
}

func TestDiagnose(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{Personalities: []string{"yubikey-5.7", ""}})
	look := func() map[string]reader.Finding {
		t.Helper()
		found := map[string]reader.Finding{}
		for _, f := range reader.New().Diagnose(t.Context()) {
			t.Logf("%-7s %s: %s %s", f.Verdict, f.Check, f.Detail, f.Fix)
			found[f.Check] = f
			if (f.Verdict == reader.Problem) != (f.Fix != "") {
				t.Errorf("%+v", f)
			}
		}
		return found
	}
	found := look()
	if f := found["pcscd"]; f.Verdict != reader.OK || !strings.Contains(f.Detail, "/pcscd ") {
		t.Errorf("%+v", f)
	}
	if f := found["reader "+r.Reader(0)]; f.Verdict != reader.OK || !strings.Contains(f.Detail, "T=1") {
		t.Errorf("%+v", f)
	}
	if f := found["reader "+r.Reader(1)]; f.Verdict != reader.OK || !strings.Contains(f.Detail, "no card") {
		t.Errorf("%+v", f)
	}
	r.StopPCSCD()
	if f := look()["pcscd"]; f.Verdict != reader.Problem || f.Fix == "" {
		t.Errorf("%+v", f)
	}
}

// What the layers here add to an exchange, next to scard alone.
func BenchmarkTransact(b *testing.B) {
	r := hwtest.Start(b, hwtest.Config{})
	random := []byte{0, 0xA4, 4, 0, 5, 0xA0, 0, 0, 3, 8}
	b.Run("reader", func(b *testing.B) {
		c := reader.New().Connect(r.Reader(0))
		defer c.Close() //nolint:errcheck // always nil
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		for b.Loop() {
			if err := c.Transact(ctx, func(t apdu.Transaction) error { _, err := t.Transmit(random); return err }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("scard", func(b *testing.B) {
		pcsc, err := scard.EstablishContext()
		if err != nil {
			b.Fatal(err)
		}
		defer pcsc.Release() //nolint:errcheck // at the end
		c, err := pcsc.Connect(r.Reader(0), scard.ShareShared, scard.ProtocolAny)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := c.BeginTransaction(); err != nil {
				b.Fatal(err)
			}
			if _, err := c.Transmit(random); err != nil {
				b.Fatal(err)
			}
			if err := c.EndTransaction(scard.LeaveCard); err != nil {
				b.Fatal(err)
			}
		}
	})
}
