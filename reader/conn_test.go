package reader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardbridge/apdu"
)

const testReader = "Fake Reader 00 00"

var selectPIV = unhex("00 A4 04 00 05 A0 00 00 03 08 00")

// setup is a service with one reader and a card in it, and a Conn to it.
func setup(t *testing.T) (*fakePCSC, *fakeReader, *Conn) {
	f := newFake(t)
	r := f.addReader(testReader, newFakeCard())
	return f, r, newSystem(f).Connect(testReader)
}

// exchange is a transaction with one APDU.
func exchange(ctx context.Context, c *Conn) (epoch uint64, err error) {
	err = c.Transact(ctx, func(t apdu.Transaction) error {
		epoch = t.Epoch()
		_, err := t.Transmit(selectPIV)
		return err
	})
	return epoch, err
}

func mustExchange(t *testing.T, c *Conn) uint64 {
	t.Helper()
	epoch, err := exchange(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}

func wantErr(t *testing.T, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Fatalf("%v does not match %v", err, target)
		}
	}
	if err == nil {
		t.Fatal("no error")
	}
}

func TestConnIsLazyAndHoldsOnlyTheHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, c := setup(t)
		if c.ExtendedLength() || c.ATR() != nil || f.called("") != 0 {
			t.Fatal("asked something before the first transaction")
		}
		first := mustExchange(t, c)
		f.idle(1, 1)
		if !c.ExtendedLength() || !bytes.Equal(c.ATR(), yubikeyATR) {
			t.Errorf("extended %v, ATR % X", c.ExtendedLength(), c.ATR())
		}
		before := f.called("")
		if again := mustExchange(t, c); again != first {
			t.Errorf("epoch %d became %d without a reason", first, again)
		}
		if n := f.called("") - before; n != 3 { // Begin, Transmit, End
			t.Errorf("%d calls for a warm transaction", n)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		f.idle(0, 0)
		_, err := exchange(t.Context(), c)
		wantErr(t, err, ErrClosed)
		f.idle(0, 0)
	})
}

// Each row happens between two transactions; the second one must notice.
func TestConnRecoversBetweenTransactions(t *testing.T) {
	for _, test := range []struct {
		name   string
		happen func(*fakePCSC, *fakeReader)
		want   []error // nil: it works, with another epoch
	}{
		{"reset", func(f *fakePCSC, r *fakeReader) { f.reset(r) }, nil},
		{"card changed", func(f *fakePCSC, r *fakeReader) { f.remove(r); f.insert(r, newFakeCard()) }, nil},
		{"card removed", func(f *fakePCSC, r *fakeReader) { f.remove(r) }, []error{apdu.ErrRemoved, NoSmartcard}},
		{"reader removed", func(f *fakePCSC, r *fakeReader) { f.removeReader(r) }, []error{apdu.ErrRemoved, UnknownReader}},
		{"reader back", func(f *fakePCSC, r *fakeReader) { f.removeReader(r); f.addReader(testReader, newFakeCard()) }, nil},
		{"service restarted", func(f *fakePCSC, r *fakeReader) {
			f.stop()
			r.removed = true
			f.readers = nil
			f.start()
			f.addReader(testReader, newFakeCard())
		}, nil},
		{"service stopped", func(f *fakePCSC, _ *fakeReader) { f.stop() }, []error{ErrService, NoService}},
		{"card mute", func(f *fakePCSC, r *fakeReader) { f.remove(r); r.mute = true; f.insert(r, newFakeCard()) }, []error{apdu.ErrNoAnswer, UnresponsiveCard}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, r, c := setup(t)
				first := mustExchange(t, c)
				test.happen(f, r)
				epoch, err := exchange(t.Context(), c)
				if test.want != nil {
					wantErr(t, err, test.want...)
					if !strings.Contains(err.Error(), ";") {
						t.Errorf("%q does not say what to do", err)
					}
				} else if err != nil || epoch == first {
					t.Errorf("epoch %d, then %d and %v", first, epoch, err)
				}
				f.start()
				if f.reader(testReader) == nil {
					f.addReader(testReader, nil)
				}
				r = f.reader(testReader)
				r.mute = false
				f.insert(r, newFakeCard())
				if last := mustExchange(t, c); last == first {
					t.Error("the epoch stayed the same")
				}
				_ = c.Close()
				f.idle(0, 0)
			})
		})
	}
}

// Each row happens while the card is at work in a transaction.
func TestConnFailsInsideATransaction(t *testing.T) {
	for _, test := range []struct {
		name   string
		happen func(*fakePCSC, *fakeReader) error // and what Transmit returns
		want   []error
		late   bool
	}{
		{"reset", func(f *fakePCSC, r *fakeReader) error { f.reset(r); return ResetCard }, []error{apdu.ErrReset, ResetCard}, false},
		{"removed", func(f *fakePCSC, r *fakeReader) error { f.remove(r); return RemovedCard }, []error{apdu.ErrRemoved}, false},
		{"removed, which the driver calls failed", func(f *fakePCSC, r *fakeReader) error {
			f.remove(r)
			return NotTransacted
		}, []error{apdu.ErrRemoved}, false},
		{"removed, which shows a while later", func(f *fakePCSC, r *fakeReader) error {
			go func() { time.Sleep(400 * time.Millisecond); f.remove(r) }()
			return NotTransacted
		}, []error{apdu.ErrRemoved}, false},
		{"removed, which shows late, as the machine is busy", func(f *fakePCSC, r *fakeReader) error {
			go func() { time.Sleep(1900 * time.Millisecond); f.remove(r) }()
			return NotTransacted
		}, []error{apdu.ErrRemoved}, true},
		{"reader removed", func(f *fakePCSC, r *fakeReader) error { f.removeReader(r); return NotTransacted }, []error{apdu.ErrRemoved}, false},
		{"no answer", func(*fakePCSC, *fakeReader) error { return NotTransacted }, []error{apdu.ErrNoAnswer, NotTransacted}, true},
		{"service ended, which the driver calls failed", func(f *fakePCSC, _ *fakeReader) error { f.stop(); return NotTransacted }, []error{apdu.ErrReset, NoService}, false},
		{"service ended", func(f *fakePCSC, _ *fakeReader) error { f.stop(); return CommError }, []error{apdu.ErrReset, CommError}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, r, c := setup(t)
				card := r.card
				card.transmit = func([]byte) ([]byte, error) { return nil, test.happen(f, r) }
				var epoch uint64
				start := time.Now()
				err := c.Transact(t.Context(), func(tr apdu.Transaction) error {
					epoch = tr.Epoch()
					_, first := tr.Transmit(selectPIV)
					n := f.called("Transmit")
					if _, again := tr.Transmit(selectPIV); again != first || f.called("Transmit") != n {
						t.Errorf("went on to %v after %v", again, first)
					}
					return first
				})
				wantErr(t, err, test.want...)
				if !strings.Contains(err.Error(), testReader) {
					t.Errorf("%q does not name the reader", err)
				}
				// What is seen is said within a second, at once where pcscd has seen it;
				// a card that is there and silent takes as long as it is looked for.
				limit := time.Second
				if test.late {
					limit = 2 * usualPatience.removal
				}
				if d := time.Since(start); d > limit {
					t.Errorf("it took %v to say so", d)
				}
				f.start()
				if f.reader(testReader) == nil {
					f.addReader(testReader, nil)
				}
				f.insert(f.reader(testReader), newFakeCard())
				if mustExchange(t, c) == epoch {
					t.Error("the epoch stayed the same")
				}
				_ = c.Close()
				f.idle(0, 0)
			})
		})
	}
}

func TestConnWaitsForOthers(t *testing.T) {
	exclusive := func(f *fakePCSC, r *fakeReader) (free func()) {
		r.exclusive = true
		return func() { f.do(func() { r.exclusive = false }) }
	}
	transaction := func(f *fakePCSC, r *fakeReader) (free func()) {
		other := &fakeHandle{s: &fakeSession{f: f}, r: r, card: r.card}
		f.do(func() { r.holder = other })
		return func() { f.do(func() { r.holder = nil }) }
	}
	for _, test := range []struct {
		name      string
		hold      func(*fakePCSC, *fakeReader) func()
		connected bool
		bound     time.Duration
	}{
		{"exclusive", exclusive, false, usualPatience.exclusive},
		{"transaction, connecting", transaction, false, usualPatience.transaction},
		{"transaction, connected", transaction, true, usualPatience.transaction},
	} {
		run := func(name string, body func(t *testing.T, f *fakePCSC, c *Conn, free func())) {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f, r, c := setup(t)
					if test.connected {
						mustExchange(t, c)
					}
					free := test.hold(f, r)
					body(t, f, c, free)
					_ = c.Close()
					synctest.Wait()
					f.idle(0, 0)
				})
			})
		}
		run("until it is free", func(t *testing.T, _ *fakePCSC, c *Conn, free func()) {
			go func() { time.Sleep(2 * time.Second); free() }()
			mustExchange(t, c)
		})
		run("within bounds", func(t *testing.T, f *fakePCSC, c *Conn, free func()) {
			start := time.Now()
			_, err := exchange(t.Context(), c)
			wantErr(t, err, ErrBusy, SharingViolation)
			var busy *BusyError
			if !errors.As(err, &busy) || busy.Reader != testReader || time.Since(start) != test.bound {
				t.Errorf("%v after %v", err, time.Since(start))
			}
			// The next one waits as long for the call that was abandoned, no longer.
			start = time.Now()
			_, err = exchange(t.Context(), c)
			wantErr(t, err, ErrBusy)
			if time.Since(start) != test.bound {
				t.Errorf("the next one: %v after %v", err, time.Since(start))
			}
			free()
			synctest.Wait() // the abandoned call is done now
			mustExchange(t, c)
		})
		run("two at once", func(t *testing.T, f *fakePCSC, c *Conn, free func()) {
			done := make(chan error, 2)
			for range 2 {
				go func() { _, err := exchange(t.Context(), c); done <- err }()
			}
			for range 2 {
				wantErr(t, <-done, ErrBusy)
			}
			free()
		})
		run("until cancelled", func(t *testing.T, f *fakePCSC, c *Conn, free func()) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { _, err := exchange(ctx, c); done <- err }()
			synctest.Wait()
			start := time.Now()
			cancel()
			wantErr(t, <-done, context.Canceled)
			if time.Since(start) != 0 {
				t.Errorf("it took %v", time.Since(start))
			}
			// While the abandoned call goes on, others wait for it, and can be
			// cancelled as well.
			ctx, cancel = context.WithTimeout(t.Context(), time.Second)
			_, err := exchange(ctx, c)
			cancel()
			wantErr(t, err, context.DeadlineExceeded)
			free()
			mustExchange(t, c)
		})
	}
}

func TestConnGivesUpASilentCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r, c := setup(t)
		mustExchange(t, c)
		silent := make(chan struct{})
		talks := r.card.transmit
		r.card.transmit = func([]byte) ([]byte, error) {
			<-silent
			return []byte{0x90, 0}, nil
		}
		start := time.Now()
		_, err := exchange(t.Context(), c)
		wantErr(t, err, apdu.ErrNoAnswer)
		if waited := time.Since(start); waited != answerLimit {
			t.Errorf("gave up after %v", waited)
		}
		// Nobody else waits as long again: the command is still under way.
		start = time.Now()
		_, err = exchange(t.Context(), c)
		wantErr(t, err, apdu.ErrNoAnswer)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the next one waited %v", waited)
		}
		close(silent)
		synctest.Wait()
		// Nor somebody who waited for its turn all that time.
		silent = make(chan struct{})
		done := make(chan error, 2)
		for range 2 {
			go func() { _, err := exchange(t.Context(), c); done <- err }()
		}
		for range 2 {
			wantErr(t, <-done, apdu.ErrNoAnswer)
		}
		close(silent)
		synctest.Wait()
		r.card.transmit = talks
		mustExchange(t, c)
		_ = c.Close()
		f.idle(0, 0)
	})
}

func TestAnswerTime(t *testing.T) {
	for command, want := range map[string]time.Duration{
		"\x00\x47\x00\x9a": generateLimit, "\x00\x46\x00\x9a": generateLimit,
		"\x00\x87\x11\x9a": answerLimit, "\x00": answerLimit,
	} {
		if got := answerTime([]byte(command)); got != want {
			t.Errorf("% X: %v", command, got)
		}
	}
}

func TestConnCancelledInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r, c := setup(t)
		mustExchange(t, c)
		slow := make(chan struct{})
		var sent []byte
		r.card.transmit = func(command []byte) ([]byte, error) {
			<-slow
			sent = bytes.Clone(command)
			return []byte{0x90, 0}, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- c.Transact(ctx, func(tr apdu.Transaction) error {
				command := bytes.Clone(selectPIV)
				_, err := tr.Transmit(command)
				clear(command) // as a PIN would be
				_, again := tr.Transmit(command)
				if again == nil {
					t.Error("sent another command after the cancellation")
				}
				return err
			})
		}()
		synctest.Wait()
		cancel()
		wantErr(t, <-done, context.Canceled)
		if r.holder == nil {
			t.Error("the transaction ended under the card's work")
		}
		next := make(chan error)
		go func() { _, err := exchange(t.Context(), c); next <- err }()
		synctest.Wait()
		if f.called("Begin") != 2 {
			t.Error("a transaction began before the last one was over")
		}
		close(slow)
		if err := <-next; err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(sent, selectPIV) {
			t.Errorf("sent % X after the caller wiped its command", sent)
		}
		_ = c.Close()
		f.idle(0, 0)
	})
}

func TestConnEndsTheTransactionWhateverHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, c := setup(t)
		boom := errors.New("boom")
		wantErr(t, c.Transact(t.Context(), func(apdu.Transaction) error { return boom }), boom)
		f.idle(1, 1)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was lost")
				}
			}()
			_ = c.Transact(t.Context(), func(apdu.Transaction) error { panic("boom") })
		}()
		f.idle(1, 1)
		ctx, cancel := context.WithCancel(t.Context())
		err := c.Transact(ctx, func(apdu.Transaction) error { cancel(); return nil })
		synctest.Wait()
		if err != nil {
			t.Error(err)
		}
		f.idle(1, 1)
		// What is not sent for that the context has ended breaks nothing.
		epoch := mustExchange(t, c)
		ctx, cancel = context.WithCancel(t.Context())
		err = c.Transact(ctx, func(tr apdu.Transaction) error {
			cancel()
			_, err := tr.Transmit(selectPIV)
			return err
		})
		wantErr(t, err, context.Canceled)
		synctest.Wait()
		if mustExchange(t, c) != epoch {
			t.Error("the card was given up")
		}
		var kept apdu.Transaction
		_ = c.Transact(t.Context(), func(tr apdu.Transaction) error { kept = tr; return nil })
		if _, err := kept.Transmit(selectPIV); err == nil {
			t.Error("a transaction that has ended can still transmit")
		}
		_ = c.Close()
		f.idle(0, 0)
	})
}

func TestConnClosedInATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, c := setup(t)
		err := c.Transact(t.Context(), func(tr apdu.Transaction) error {
			if err := c.Close(); err != nil {
				return err
			}
			_, err := tr.Transmit(selectPIV)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		f.idle(0, 0)
	})
}

func TestConnManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, c := setup(t)
		done := make(chan error)
		inside := 0
		for range 20 {
			go func() {
				done <- c.Transact(t.Context(), func(tr apdu.Transaction) error {
					if inside++; inside != 1 {
						t.Error("two transactions at once")
					}
					defer func() { inside-- }()
					_, err := tr.Transmit(selectPIV)
					return err
				})
			}()
		}
		for range 20 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		_ = c.Close()
		f.idle(0, 0)
	})
}

func TestConnGivesUpOnEndlessResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, c := setup(t)
		f.fail = func(name string) error {
			if name == "Begin" {
				return ResetCard
			}
			return nil
		}
		_, err := exchange(t.Context(), c)
		wantErr(t, err, apdu.ErrReset)
		f.fail = nil
		mustExchange(t, c)
		_ = c.Close()
		f.idle(0, 0)
	})
}

// Whichever PC/SC call fails, with whatever code: an error or success, nothing
// left over, and the next transaction works.
func TestConnFaultSweep(t *testing.T) {
	codes := []Code{0x8010FFFF}
	for c := range codeTexts {
		codes = append(codes, c)
	}
	for _, name := range []string{"Establish", "Connect", "Status", "Control", "Begin", "Transmit", "End", "Reconnect", "Reset", "GetStatusChange"} {
		for _, code := range codes {
			for _, forever := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%08X/%v", name, uint32(code), forever), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						f, r, c := setup(t)
						failed := false
						f.fail = func(n string) error {
							if n == name && (forever || !failed) {
								failed = true
								return code
							}
							return nil
						}
						_, err1 := exchange(t.Context(), c)
						f.reset(r)
						_, err2 := exchange(t.Context(), c)
						err3 := c.Reset(t.Context())
						_, err4 := c.PINPad(t.Context())
						for _, err := range []error{err1, err2, err3, err4} {
							if err != nil && !errors.Is(err, code) && !errors.Is(err, apdu.ErrRemoved) {
								t.Errorf("%v does not tell of %v", err, code)
							}
						}
						f.fail = nil
						mustExchange(t, c)
						_ = c.Close()
						f.idle(0, 0)
					})
				})
			}
		}
	}
}

func TestConnReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r, c := setup(t)
		first := mustExchange(t, c)
		if err := c.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		if second := mustExchange(t, c); second == first || r.card.resets != 1 {
			t.Errorf("epoch %d, then %d, after %d resets", first, second, r.card.resets)
		}
		_ = c.Close()
		f.idle(0, 0)
	})
}

func TestConnT0(t *testing.T) {
	for _, test := range []struct{ name, command, tpdu string }{
		{"case 1", "00 44 00 00", "00 44 00 00 00"},
		{"case 2", "00 C0 00 00 10", "00 C0 00 00 10"},
		{"case 2, all", "00 CB 00 00 00", "00 CB 00 00 00"},
		{"case 3", "00 20 00 80 02 31 32", "00 20 00 80 02 31 32"},
		{"case 4", "00 A4 04 00 02 A0 00 00", "00 A4 04 00 02 A0 00"},
		{"case 2 extended", "00 CB 00 00 00 00 00", ""},
		{"case 3 extended", "00 DB 00 00 00 00 01 AA", ""},
		{"nonsense", "00 A4 04", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, r, c := setup(t)
				r.card.protocol = protocolT0
				var sent []byte
				r.card.transmit = func(b []byte) ([]byte, error) { sent = bytes.Clone(b); return []byte{0x90, 0}, nil }
				err := c.Transact(t.Context(), func(tr apdu.Transaction) error {
					_, err := tr.Transmit(unhex(test.command))
					return err
				})
				if (err != nil) != (test.tpdu == "") || !bytes.Equal(sent, unhex(test.tpdu)) {
					t.Errorf("sent % X, %v", sent, err)
				}
				if c.ExtendedLength() {
					t.Error("extended length over T=0")
				}
				mustExchange(t, c)
				_ = c.Close()
				f.idle(0, 0)
			})
		})
	}
}

func TestConnShortAnswerIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r, c := setup(t)
		r.card.transmit = func([]byte) ([]byte, error) { return []byte{0x90}, nil }
		_, err := exchange(t.Context(), c)
		wantErr(t, err, apdu.ErrNoAnswer)
		_ = c.Close()
	})
}

func TestReaderFeatures(t *testing.T) {
	const list, properties = 0x42000D48, 0x42330012
	for _, test := range []struct {
		name             string
		list, properties string
		pad, extended    bool
	}{
		{"none", "", "", false, true},
		{"PIN pad", "06 04 42 33 00 06", "", true, true},
		{"PIN pad of old", "01 04 42 33 00 01 02 04 42 33 00 02", "", true, true},
		{"half a PIN pad", "01 04 42 33 00 01", "", false, true},
		{"short APDUs only", "12 04 42 33 00 12", "0B 02 34 12 0A 04 00 00 00 00", false, false},
		{"extended APDUs", "0A 04 42 33 00 0A 12 04 42 33 00 12", "0A 04 00 00 01 00", false, true},
		{"garbage", "FF FF FF", "FF", false, true},
		{"garbage properties", "12 04 42 33 00 12", "0A FF 00", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, r, c := setup(t)
				r.control = func(code uint32, _ []byte) ([]byte, error) {
					switch code {
					case list:
						return unhex(test.list), nil
					case properties:
						return unhex(test.properties), nil
					}
					return nil, Unsupported
				}
				mustExchange(t, c)
				if c.ExtendedLength() != test.extended {
					t.Errorf("extended length: %v", c.ExtendedLength())
				}
				if pad, err := c.PINPad(t.Context()); pad != test.pad || err != nil {
					t.Errorf("PIN pad: %v, %v", pad, err)
				}
				f.remove(r)
				if pad, err := c.PINPad(t.Context()); pad != test.pad || err != nil {
					t.Errorf("PIN pad without a card: %v, %v", pad, err)
				}
				_ = c.Close()
				f.idle(0, 0)
			})
		})
	}
}
