package apdu_test

import (
	"bytes"
	"errors"
	"testing"

	"cardbridge/apdu"
)

func TestChannel(t *testing.T) {
	type steps = [][2]string
	data := func(n int) []byte { return bytes.Repeat([]byte{0xDD}, n) }
	for _, tt := range []struct {
		name         string
		channel      apdu.Channel
		cmd          apdu.Command
		steps        steps
		want         []byte
		status       apdu.Status // of the error, 0 for none
		wantExtended bool
	}{
		{
			name:  "case 1",
			cmd:   apdu.Command{INS: 0x20, P2: 0x80},
			steps: steps{{"00200080", "9000"}},
		},
		{
			name:  "LeMax in short form",
			cmd:   apdu.Command{INS: 0xA4, P1: 4, Data: data(2), Le: apdu.LeMax},
			steps: steps{{"00A40400 02 DDDD 00", "AABB 9000"}},
			want:  unhex("AABB"),
		},
		{
			name: "LeMax in extended form", channel: apdu.Channel{Extended: true}, wantExtended: true,
			cmd:   apdu.Command{INS: 0xCB, Data: data(2), Le: apdu.LeMax},
			steps: steps{{"00CB0000 000002 DDDD 0000", "(01*3000) 9000"}},
			want:  unhex("(01*3000)"),
		},
		{
			name: "short form where it does", channel: apdu.Channel{Extended: true}, wantExtended: true,
			cmd:   apdu.Command{INS: 0x87, Data: data(255), Le: 256},
			steps: steps{{"00870000 FF (DD*255) 00", "01 9000"}},
			want:  unhex("01"),
		},
		{
			name: "extended data", channel: apdu.Channel{Extended: true}, wantExtended: true,
			cmd:   apdu.Command{INS: 0x87, Data: data(256), Le: 256},
			steps: steps{{"00870000 000100 (DD*256) 0100", "01 9000"}},
			want:  unhex("01"),
		},
		{
			name:  "chaining keeps the logical channel; GET RESPONSE too",
			cmd:   apdu.Command{CLA: 0x02, INS: 0x87, P1: 7, P2: 0x9A, Data: data(266), Le: apdu.LeMax},
			steps: steps{{"1287079A FF (DD*255)", "9000"}, {"0287079A 0B (DD*11) 00", "(01*256) 6108"}, {"02C00000 08", "(02*8) 9000"}},
			want:  unhex("(01*256) (02*8)"),
		},
		{
			name: "extended parts of at most MaxCommand", channel: apdu.Channel{Extended: true, MaxCommand: 2000}, wantExtended: true,
			cmd:   apdu.Command{INS: 0xDB, Data: data(4001)},
			steps: steps{{"10DB0000 0007D0 (DD*2000)", "9000"}, {"10DB0000 0007D0 (DD*2000)", "9000"}, {"00DB0000 000001 DD", "9000"}},
		},
		{
			name:   "a chain refused is not continued",
			cmd:    apdu.Command{INS: 0xDB, Data: data(600)},
			steps:  steps{{"10DB0000 FF (DD*255)", "6884"}},
			status: apdu.ErrChainingNotSupported,
		},
		{
			name: "extended answered with 61xx", channel: apdu.Channel{Extended: true}, wantExtended: true,
			cmd:   apdu.Command{INS: 0xCB, Data: data(1), Le: apdu.LeMax},
			steps: steps{{"00CB0000 000001 DD 0000", "(01*256) 6100"}, {"00C00000 00", "(02*256) 6103"}, {"00C00000 03", "020202 9000"}},
			want:  unhex("(01*256) (02*259)"),
		},
		{
			name:  "61xx without data, as T=0 has it; fewer bytes than announced",
			cmd:   apdu.Command{INS: 0xCB, Data: data(1), Le: 256},
			steps: steps{{"00CB0000 01 DD 00", "6110"}, {"00C00000 10", "0102 9000"}},
			want:  unhex("0102"),
		},
		{
			name:  "6Cxx",
			cmd:   apdu.Command{INS: 0xCA, Le: apdu.LeMax},
			steps: steps{{"00CA0000 00", "6C05"}, {"00CA0000 05", "0102030405 9000"}},
			want:  unhex("0102030405"),
		},
		{
			name:  "6C00 is 256; then 61xx; then 6Cxx to GET RESPONSE",
			cmd:   apdu.Command{INS: 0xCA, Le: 4},
			steps: steps{{"00CA0000 04", "6C00"}, {"00CA0000 00", "(01*256) 61FF"}, {"00C00000 FF", "6C02"}, {"00C00000 02", "0202 9000"}},
			want:  unhex("(01*256) 0202"),
		},
		{
			name:   "6Cxx twice",
			cmd:    apdu.Command{INS: 0xCA, Le: 4},
			steps:  steps{{"00CA0000 04", "6C05"}, {"00CA0000 05", "6C04"}},
			status: 0x6C04,
		},
		{
			name:   "6Cxx does not repeat a PIN",
			cmd:    apdu.Command{INS: 0x20, P2: 0x80, Data: data(8)},
			steps:  steps{{"00200080 08 (DD*8)", "6C08"}},
			status: 0x6C08,
		},
		{
			name: "6700 to extended: short for good", channel: apdu.Channel{Extended: true},
			cmd:   apdu.Command{INS: 0x87, Data: data(256), Le: apdu.LeMax},
			steps: steps{{"00870000 000100 (DD*256) 0000", "6700"}, {"10870000 FF (DD*255)", "9000"}, {"00870000 01 DD 00", "01 9000"}},
			want:  unhex("01"),
		},
		{
			name: "6700 to both is about the data", channel: apdu.Channel{Extended: true}, wantExtended: true,
			cmd:    apdu.Command{INS: 0x87, Data: data(2), Le: apdu.LeMax},
			steps:  steps{{"00870000 000002 DDDD 0000", "6700"}, {"00870000 02 DDDD 00", "6700"}},
			status: apdu.ErrWrongLength,
		},
		{
			name:  "Le beyond short form",
			cmd:   apdu.Command{INS: 0xCA, Le: 1000},
			steps: steps{{"00CA0000 00", "(01*256) 6101"}, {"00C00000 01", "02 9000"}},
			want:  unhex("(01*256) 02"),
		},
		{
			name:   "a warning comes with data",
			cmd:    apdu.Command{INS: 0xB0, Le: 10},
			steps:  steps{{"00B00000 0A", "0102 6282"}},
			want:   unhex("0102"),
			status: 0x6282,
		},
		{
			name:   "an error after 61xx leaves nothing",
			cmd:    apdu.Command{INS: 0xCA, Le: 256},
			steps:  steps{{"00CA0000 00", "0102 6102"}, {"00C00000 02", "6982"}},
			status: apdu.ErrSecurityStatus,
		},
		{
			name:  "GET RESPONSE drops secure messaging and proprietary class, keeps further channels",
			cmd:   apdu.Command{CLA: 0xE5, INS: 0xCA, Le: 1},
			steps: steps{{"E5CA0000 01", "6101"}, {"45C00000 01", "07 9000"}},
			want:  unhex("07"),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.channel
			got, err := c.Send(newScript(t, tt.steps...), tt.cmd)
			if status, ok := apdu.StatusOf(err); status != tt.status || ok != (tt.status != 0) {
				t.Errorf("error %v, want status %04X", err, uint16(tt.status))
			}
			if !bytes.Equal(got, tt.want) {
				t.Errorf("answer %X, want %X", got, tt.want)
			}
			if c.Extended != tt.wantExtended {
				t.Errorf("Extended is %v afterwards", c.Extended)
			}
		})
	}
}

func TestChannelHostileCard(t *testing.T) {
	answer := func(b []byte) apdu.Transmitter {
		return apdu.TransmitterFunc(func([]byte) ([]byte, error) { return b, nil })
	}
	for _, tt := range []struct {
		name string
		card apdu.Transmitter
		want error
	}{
		{"61xx without data for ever", answer(unhex("6110")), apdu.ErrEndlessAnswer},
		{"single bytes for ever", answer(unhex("01 6101")), apdu.ErrEndlessAnswer},
		{"full parts for ever", answer(unhex("(01*256) 6100")), apdu.ErrEndlessAnswer},
		{"one part beyond the bound", answer(unhex("(01*70000) 9000")), apdu.ErrEndlessAnswer},
		{"empty", answer(nil), apdu.ErrNoStatus},
		{"one byte", answer([]byte{0x90}), apdu.ErrNoStatus},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var count apdu.Count
			c := apdu.Channel{MaxResponse: 1 << 16}
			got, err := c.Send(apdu.Decorate(tt.card, &count), apdu.Command{INS: 0xCA, Le: apdu.LeMax})
			if !errors.Is(err, tt.want) || got != nil {
				t.Errorf("%X, %v; want %v", got, err, tt.want)
			}
			if count.Total() > 300 {
				t.Errorf("%d commands", count.Total())
			}
		})
	}
}

func TestChannelPassesErrors(t *testing.T) {
	lost := apdu.Decorate(newScript(t), apdu.NewFaults(apdu.LoseCommand(apdu.ErrRemoved)))
	_, err := new(apdu.Channel).Send(lost, apdu.Command{INS: 0xA4})
	if !errors.Is(err, apdu.ErrRemoved) {
		t.Error(err)
	}
	if _, isStatus := apdu.StatusOf(err); isStatus {
		t.Error("an error of the wire is not a status word")
	}
}

func TestChannelRefusesBadLe(t *testing.T) {
	for _, le := range []int{-2, 65537} {
		_, err := new(apdu.Channel).Send(newScript(t), apdu.Command{INS: 0xA4, Le: le})
		if !errors.Is(err, apdu.ErrTooLong) {
			t.Errorf("Le %d: %v", le, err)
		}
	}
}

// The bytes of a PIN do not stay behind in an encoded command.
func TestChannelWipesSecrets(t *testing.T) {
	var kept [][]byte
	card := apdu.TransmitterFunc(func(c []byte) ([]byte, error) {
		kept = append(kept, c)
		return unhex("9000"), nil
	})
	c := new(apdu.Channel)
	for _, cmd := range []apdu.Command{
		{INS: 0x20, P2: 0x80, Data: []byte("123456\xff\xff")},
		{INS: 0x2C, P2: 0x80, Data: bytes.Repeat([]byte("123456"), 50)},
		{INS: 0x99, Data: []byte("123456"), Secret: true},
	} {
		if _, err := c.Send(card, cmd); err != nil {
			t.Fatal(err)
		}
	}
	if len(kept) != 4 {
		t.Fatalf("%d commands", len(kept))
	}
	for _, k := range kept {
		if bytes.Contains(k, []byte("123456")) {
			t.Errorf("left in memory: %q", k)
		}
	}
}

// Nor do those of an answer that came in parts, but in the answer itself.
func TestChannelWipesParts(t *testing.T) {
	answers := [][]byte{unhex("(AA*250) 61FA"), unhex("(AA*250) 6110"), unhex("(AA*16) 9000")}
	var kept [][]byte
	card := apdu.TransmitterFunc(func([]byte) ([]byte, error) {
		b := answers[len(kept)]
		kept = append(kept, b)
		return b, nil
	})
	got, err := new(apdu.Channel).Send(card, apdu.Command{INS: 0x87, Data: []byte{1}, Le: 256})
	if err != nil || !bytes.Equal(got, unhex("(AA*516)")) {
		t.Fatalf("%X, %v", got, err)
	}
	for i, k := range kept {
		if bytes.Contains(k, []byte{0xAA}) {
			t.Errorf("part %d is left in memory", i)
		}
	}
}

func FuzzChannel(f *testing.F) {
	f.Add([]byte{0x61, 0x10, 0, 0x6C, 0x02, 0, 0x90, 0x00}, 300, 0, true)
	f.Add([]byte("\x01\x02\x03\x61\x00"), 10, -1, false)
	f.Fuzz(func(t *testing.T, answers []byte, n, le int, extended bool) {
		const bound = 4096
		c := apdu.Channel{Extended: extended, MaxResponse: bound}
		var count apdu.Count
		card := apdu.TransmitterFunc(func(command []byte) ([]byte, error) {
			if _, _, err := apdu.ParseCommand(command); err != nil {
				t.Fatalf("sent %X: %v", command, err)
			}
			// Answers of every length, again and again from the front.
			if len(answers) == 0 {
				return nil, nil
			}
			at := count.Total() * 7 % len(answers)
			return answers[at:min(len(answers), at+1+int(answers[at]))], nil
		})
		got, err := c.Send(apdu.Decorate(card, &count), apdu.Command{INS: 0xCA, Data: make([]byte, uint16(n)), Le: le})
		if len(got) > bound || err == nil && len(answers) < 2 {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if count.Total() > 2*(258+32+bound/16)+10 {
			t.Fatalf("%d commands", count.Total())
		}
	})
}
