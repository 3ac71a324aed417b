package reader

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"

	"cardbridge/apdu"
)

// A PIN that a person types on the reader: what the driver is given, with one
// call and with the two of older drivers, and what comes back.
func TestTransmitPIN(t *testing.T) {
	const list = 0x42000D48
	const (
		verify   = "00 20 00 80 08 FF FF FF FF FF FF FF FF"
		change   = "00 24 00 80 10 FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF"
		unblock  = "00 2C 00 80 10 31 32 33 34 35 36 37 38 FF FF FF FF FF FF FF FF"
		verifies = "00 00 82 08 00 08 06 02 01 09 04 00 00 00 00 0D 00 00 00" + verify
		changes  = "00 00 82 08 00 00 08 08 06 03 02 03 09 04 00 01 02 00 00 00 15 00 00 00" + change
		unblocks = "00 00 82 08 00 00 08 08 06 01 02 02 09 04 01 02 00 00 00 00 15 00 00 00" + unblock
	)
	for _, test := range []struct {
		name, command string
		typed         apdu.PINsTyped
		features      string
		structure     string
		calls         []uint32
		err           error
	}{
		{"direct", verify, apdu.TypedPIN, "07 04 42 33 00 07 06 04 42 33 00 06", verifies, []uint32{0x42330006}, nil},
		{"of old", verify, apdu.TypedPIN, "01 04 42 33 00 01 02 04 42 33 00 02", verifies, []uint32{0x42330001, 0x42330002}, nil},
		{"none", verify, apdu.TypedPIN, "03 04 42 33 00 03", "", nil, apdu.ErrNoPINPad},
		{"pulled out", verify, apdu.TypedPIN, "06 04 42 33 00 06", verifies, []uint32{0x42330006}, apdu.ErrRemoved},
		{"change", change, apdu.TypedOldAndNew, "06 04 42 33 00 06 07 04 42 33 00 07", changes, []uint32{0x42330007}, nil},
		{"change of old", change, apdu.TypedOldAndNew, "03 04 42 33 00 03 04 04 42 33 00 04", changes, []uint32{0x42330003, 0x42330004}, nil},
		{"the new one alone", unblock, apdu.TypedNew, "07 04 42 33 00 07", unblocks, []uint32{0x42330007}, nil},
		{"verifies only", change, apdu.TypedOldAndNew, "06 04 42 33 00 06", "", nil, apdu.ErrNoPINPad},
	} {
		entry := apdu.PINEntry{Command: unhex(test.command), Least: 6, Greatest: 8, Typed: test.typed}
		structure := unhex(test.structure)
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, r, c := setup(t)
				var calls []uint32
				r.control = func(code uint32, in []byte) ([]byte, error) {
					if code == list {
						return unhex(test.features), nil
					}
					if len(calls) == 0 && !bytes.Equal(in, structure) {
						t.Errorf("the driver is given\n%X, not\n%X", in, structure)
					}
					calls = append(calls, code)
					if test.err == apdu.ErrRemoved { //nolint:errorlint // the table's own
						return nil, RemovedCard
					}
					if len(calls) < len(test.calls) {
						return nil, nil
					}
					return unhex("63 C2"), nil
				}
				err := c.Transact(t.Context(), func(tx apdu.Transaction) error {
					resp, err := tx.(apdu.PINTransmitter).TransmitPIN(entry)
					if err == nil && !bytes.Equal(resp, unhex("63 C2")) {
						t.Errorf("answer %X", resp)
					}
					return err
				})
				if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
					t.Errorf("%v, want %v", err, test.err)
				}
				if len(calls) != len(test.calls) {
					t.Errorf("calls %X, want %X", calls, test.calls)
				}
				_ = c.Close()
				f.idle(0, 0)
			})
		})
	}
}
