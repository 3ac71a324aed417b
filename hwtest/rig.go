package hwtest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"cardbridge/card/softcard"
)

// Config says what a rig is to be.
type Config struct {
	// Personalities are the software cards, one for each reader; "" leaves a
	// reader empty. None at all is one card of softcard.DefaultPersonality.
	Personalities []string
	// Names are the readers' names, where they matter to a client. The default
	// is "Yubico YubiKey CCID 0" and so on, as Yubico's programs talk to no
	// other readers.
	Names []string
	// Options for every card.
	Options []softcard.Option
	// NoPCSCD leaves pcscd for StartPCSCD.
	NoPCSCD bool
}

// A Rig is a pcscd with virtual readers and software cards in them, or the
// machine's own with real ones.
type Rig struct {
	t   testing.TB
	dir string
	// real are readers with real cards, serials these; then there is none of
	// what follows.
	real, serials []string
	names         []string
	cards         []*softcard.Card
	daemon        *daemon
	ctx           context.Context // ends with the test
	cancel        context.CancelFunc
	runs          []chan error // of the cards, while pcscd runs
	stop          context.CancelFunc
}

// rigs is held by the one rig there can be: they share /run and the ports.
var rigs = make(chan struct{}, 1)

// Start starts a rig of software cards that ends with t. One at a time: a
// second Start waits for the end of the first one's test.
func Start(t testing.TB, config Config) *Rig {
	t.Helper()
	if cannot != "" {
		Skip(t, cannot)
	}
	if len(hardwareSerials()) > 0 {
		t.Skip("this test needs software cards, and HWTEST_SERIALS names real ones")
	}
	if len(config.Personalities) == 0 {
		config.Personalities = []string{softcard.DefaultPersonality}
	}
	r := newRig(t)
	for i, personality := range config.Personalities {
		name := fmt.Sprintf("Yubico YubiKey CCID %d", i)
		if i < len(config.Names) {
			name = config.Names[i]
		}
		r.names = append(r.names, name)
		if personality == "" {
			r.cards = append(r.cards, nil)
			continue
		}
		if err := softcard.Create(r.StateFile(i), personality); err != nil {
			t.Fatal(err)
		}
		c, err := softcard.Open(r.StateFile(i), config.Options...)
		if err != nil {
			t.Fatal(err)
		}
		r.cards = append(r.cards, c)
	}
	if err := configure(r.dir, r.names); err != nil {
		t.Fatal(err)
	}
	if !config.NoPCSCD {
		r.StartPCSCD()
	}
	return r
}

func newRig(t testing.TB) *Rig {
	rigs <- struct{}{}
	t.Cleanup(func() { <-rigs })
	r := &Rig{t: t, dir: t.TempDir()}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	t.Cleanup(r.end)
	return r
}

// end is the rig's own clean-up.
func (r *Rig) end() {
	r.cancel()
	if r.daemon != nil {
		r.cardsOut()
		r.daemon.kill()
	}
	for i, c := range r.cards {
		if c != nil {
			noteCardSecrets(r.StateFile(i))
			if err := c.Close(); err != nil {
				r.t.Errorf("card %d: %v", i, err)
			}
		}
	}
	keepArtefact(r.t, "pcscd.log", filepath.Join(r.dir, "pcscd.log"))
}

// Card is the software card in the i-th reader.
func (r *Rig) Card(i int) *softcard.Card {
	r.t.Helper()
	if r.real != nil {
		r.t.Fatal("this is a real card")
	}
	return r.cards[i]
}

// StateFile is where the i-th card keeps its state.
func (r *Rig) StateFile(i int) string { return filepath.Join(r.dir, fmt.Sprintf("card%d.json", i)) }

// Reader is the i-th reader's name as PC/SC has it. Every virtual reader comes
// with a twin, "... 00 01", that is always empty.
func (r *Rig) Reader(i int) string {
	if r.real != nil {
		return r.real[i]
	}
	return r.names[i] + " 00 00"
}

// Serial is the i-th card's serial number, whether it tells it or not; of a real
// card, what HWTEST_SERIALS has.
func (r *Rig) Serial(i int) string {
	if r.real != nil {
		return r.serials[i]
	}
	return strconv.FormatUint(uint64(r.cards[i].Serial()), 10)
}

// Tries are the tries left of the i-th card's PIN and PUK, as the card counts
// them; -1 where a real card does not tell. No try is spent.
func (r *Rig) Tries(t testing.TB, i int) (pin, puk int) {
	t.Helper()
	if r.real != nil {
		return realTries(t, r.real[i]), -1
	}
	return r.cards[i].Tries()
}

// StartPCSCD starts pcscd and puts the cards into their readers.
func (r *Rig) StartPCSCD() {
	r.t.Helper()
	if r.daemon != nil {
		r.t.Fatal("pcscd runs already")
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(r.ctx)
	for i, c := range r.cards {
		if c == nil {
			continue
		}
		done := make(chan error, 1)
		r.runs = append(r.runs, done)
		go func() { done <- insert(ctx, c, fmt.Sprintf("127.0.0.1:%d", vpcdPort(i))) }()
	}
	d, err := startDaemon(r.dir, len(r.names))
	if err != nil {
		r.t.Fatal(err)
	}
	r.daemon = d
	for i, c := range r.cards {
		if c != nil {
			r.await(i, true)
		}
	}
}

// insert puts a card into a reader as soon as there is one. Whoever comes before
// pcscd's first look at its readers is seen at once, else 400 ms later.
func insert(ctx context.Context, c *softcard.Card, addr string) error {
	for {
		err := c.Run(ctx, addr)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Microsecond):
		}
	}
}

// StopPCSCD ends pcscd, as when a person stops the service.
func (r *Rig) StopPCSCD() {
	r.t.Helper()
	r.stop()
	r.cardsOut()
	r.daemon.stop()
	r.daemon = nil
}

// cardsOut waits until the cards have left their readers. They do so before
// pcscd ends: that is an error to them.
func (r *Rig) cardsOut() {
	r.t.Helper()
	for _, done := range r.runs {
		if err := <-done; err != nil {
			r.t.Errorf("card: %v", err)
		}
	}
	r.runs = nil
}

// RestartPCSCD is StopPCSCD and StartPCSCD.
func (r *Rig) RestartPCSCD() {
	r.t.Helper()
	r.StopPCSCD()
	r.StartPCSCD()
}

// PausePCSCD has pcscd answer nobody, as on a machine with much to do, until the
// function returned is called.
func (r *Rig) PausePCSCD() (goOn func()) {
	r.t.Helper()
	if r.daemon == nil {
		r.t.Fatal("pcscd does not run")
	}
	return r.daemon.pause()
}

// Remove takes the i-th card out, and waits until PC/SC knows.
func (r *Rig) Remove(i int) {
	r.t.Helper()
	r.cards[i].Remove()
	r.await(i, false)
}

// Insert puts the i-th card back, and waits until PC/SC knows.
func (r *Rig) Insert(i int) {
	r.t.Helper()
	r.cards[i].Insert()
	r.await(i, true)
}

// await waits until PC/SC sees the i-th card present, or not.
func (r *Rig) await(i int, present bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, Patience)
	defer cancel()
	if err := awaitCard(ctx, r.Reader(i), present); err != nil {
		r.t.Fatalf("reader %s, card present %v: %v", r.Reader(i), present, err)
	}
}
