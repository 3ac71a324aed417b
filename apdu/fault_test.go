package apdu_test

import (
	"bytes"
	"errors"
	"testing"

	"cardbridge/apdu"
)

func TestFaults(t *testing.T) {
	always := func(f apdu.Fault) apdu.Fault { f.Always = true; return f }
	at := func(n int, f apdu.Fault) apdu.Fault { f.At = n; return f }
	on := func(ins byte, f apdu.Fault) apdu.Fault { f.Match = apdu.WithINS(ins); return f }
	for _, tt := range []struct {
		name    string
		fault   apdu.Fault
		answer  string // of the second of three commands; the others are as they were
		err     error
		reached bool // the card saw the second command
		hits    int
	}{
		{"status", at(2, apdu.AnswerInstead(0x6982)), "6982", nil, false, 1},
		{"by instruction", on(0x20, apdu.AnswerInstead(0x6982)), "6982", nil, false, 1},
		{"by instruction, not there", on(0x21, apdu.AnswerInstead(0x6982)), "010203 9000", nil, true, 0},
		{"both must fit", at(1, on(0x20, apdu.AnswerInstead(0x6982))), "010203 9000", nil, true, 0},
		{"command lost", at(2, apdu.LoseCommand(apdu.ErrRemoved)), "", apdu.ErrRemoved, false, 1},
		{"answer lost", at(2, apdu.LoseAnswer(apdu.ErrReset)), "", apdu.ErrReset, true, 1},
		{"truncated", at(2, apdu.TruncateAnswer(1)), "01 9000", nil, true, 1},
		{"not long enough to truncate", at(2, apdu.TruncateAnswer(9)), "010203 9000", nil, true, 1},
		{"no status word", at(2, apdu.TruncateAnswer(-1)), "01", nil, true, 1},
		{"garbage", at(2, apdu.GarbleAnswer()), "FFFEFDFCFB 9000", nil, true, 1},
		{"always", always(on(0x20, apdu.AnswerInstead(0x6F00))), "6F00", nil, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen [][]byte
			card := apdu.TransmitterFunc(func(c []byte) ([]byte, error) {
				seen = append(seen, c)
				return unhex("010203 9000"), nil
			})
			faults := apdu.NewFaults(tt.fault)
			tx := apdu.Decorate(card, faults)
			for i, c := range []string{"00A40000", "00200000", "00A40000"} {
				want, wantErr := unhex("010203 9000"), error(nil)
				if i == 1 {
					want, wantErr = unhex(tt.answer), tt.err
				}
				got, err := tx.Transmit(unhex(c))
				if !bytes.Equal(got, want) || !errors.Is(err, wantErr) {
					t.Errorf("%d: %X, %v", i, got, err)
				}
			}
			if reached := len(seen) == 3; reached != tt.reached {
				t.Errorf("the card saw %X", seen)
			}
			if faults.Hits() != tt.hits || faults.Seen() != 3 {
				t.Errorf("%d hits of %d", faults.Hits(), faults.Seen())
			}
		})
	}
}

func TestFaultBefore(t *testing.T) {
	var order []string
	card := apdu.TransmitterFunc(func([]byte) ([]byte, error) {
		order = append(order, "card")
		return unhex("9000"), nil
	})
	fault := apdu.Fault{Always: true, Before: func() error { order = append(order, "before"); return nil }}
	tx := apdu.Decorate(card, apdu.NewFaults(fault))
	for range 2 {
		if _, err := tx.Transmit(unhex("00A40400")); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(order); got != 4 || order[0] != "before" || order[1] != "card" || order[2] != "before" {
		t.Error(order)
	}
}

type transaction struct{ apdu.Transmitter }

func (transaction) Epoch() uint64 { return 7 }

func TestDecorateTransaction(t *testing.T) {
	var count apdu.Count
	plain := transaction{newScript(t, [2]string{"00A40400", "9000"}, [2]string{"00200080", "63C3"})}
	tx := apdu.DecorateTransaction(plain, &count, apdu.NewFaults())
	for _, c := range []string{"00A40400", "00200080"} {
		if _, err := tx.Transmit(unhex(c)); err != nil {
			t.Fatal(err)
		}
	}
	if tx.Epoch() != 7 || count.Total() != 2 || count.Of(0x20) != 1 || count.String() != "SELECT 1, VERIFY 1" {
		t.Errorf("epoch %d, %d: %s", tx.Epoch(), count.Total(), &count)
	}
	if apdu.DecorateTransaction(plain) != apdu.Transaction(plain) {
		t.Error("no decorators, but wrapped")
	}
	count.Reset()
	if count.Total() != 0 || count.Of(0x20) != 0 {
		t.Error("not reset")
	}
}

// The first decorator is the outermost: it sees what the others make of it.
func TestDecorateOrder(t *testing.T) {
	var outer, inner apdu.Count
	tx := apdu.Decorate(newScript(t), &outer, apdu.NewFaults(apdu.AnswerInstead(0x6F00)), &inner)
	if _, err := tx.Transmit(unhex("00A40400")); err != nil {
		t.Fatal(err)
	}
	if outer.Total() != 1 || inner.Total() != 0 {
		t.Errorf("%d, %d", outer.Total(), inner.Total())
	}
}
