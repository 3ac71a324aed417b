package apdu_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"cardbridge/apdu"
)

var encodings = []struct {
	cmd             apdu.Command
	short, extended string // "" where it does not fit
}{
	{apdu.Command{INS: 0x20, P2: 0x80}, "00200080", "00200080"},
	{apdu.Command{INS: 0xCA, Le: 1}, "00CA0000 01", "00CA0000 000001"},
	{apdu.Command{INS: 0xCA, Le: 256}, "00CA0000 00", "00CA0000 000100"},
	{apdu.Command{INS: 0xCA, Le: 257}, "", "00CA0000 000101"},
	{apdu.Command{INS: 0xCA, Le: 65536}, "", "00CA0000 000000"},
	{apdu.Command{CLA: 1, INS: 2, P1: 3, P2: 4, Data: []byte{5}}, "01020304 01 05", "01020304 000001 05"},
	{apdu.Command{INS: 0xA4, Data: make([]byte, 255), Le: 256}, "00A40000 FF (00*255) 00", "00A40000 0000FF (00*255) 0100"},
	{apdu.Command{INS: 0xA4, Data: make([]byte, 256), Le: 65536}, "", "00A40000 000100 (00*256) 0000"},
	{apdu.Command{INS: 0xA4, Data: make([]byte, 65535)}, "", "00A40000 00FFFF (00*65535)"},
	{apdu.Command{INS: 0xA4, Data: make([]byte, 65536)}, "", ""},
	{apdu.Command{INS: 0xA4, Le: 65537}, "", ""},
	{apdu.Command{INS: 0xA4, Le: -2}, "", ""},
}

func TestEncodeAndParse(t *testing.T) {
	for _, tt := range encodings {
		for _, form := range []struct {
			want     string
			extended bool
		}{{tt.short, false}, {tt.extended, true}} {
			got, err := tt.cmd.Encode(form.extended)
			if form.want == "" {
				if !errors.Is(err, apdu.ErrTooLong) {
					t.Errorf("%d, Le %d, extended %v: %v", len(tt.cmd.Data), tt.cmd.Le, form.extended, err)
				}
				continue
			}
			if err != nil || !bytes.Equal(got, unhex(form.want)) {
				t.Errorf("%.20X, %v, want %.20s", got, err, form.want)
				continue
			}
			c, extended, err := apdu.ParseCommand(got)
			if err != nil || extended != (form.extended && len(got) > 4) || !reflect.DeepEqual(c, tt.cmd) {
				t.Errorf("%.20X parsed as %+v, %v, %v", got, c, extended, err)
			}
		}
	}
}

func TestEncodeLeMax(t *testing.T) {
	c := apdu.Command{INS: 0xCA, Le: apdu.LeMax}
	short, _ := c.Encode(false)
	extended, _ := c.Encode(true)
	if !bytes.Equal(short, unhex("00CA0000 00")) || !bytes.Equal(extended, unhex("00CA0000 000000")) {
		t.Errorf("%X, %X", short, extended)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{
		"", "00", "00A404", // no header
		"00A40400 02 AA",              // data missing
		"00A40400 02 AABBCCDD",        // too much
		"00A40400 0000",               // half an extended length
		"00A40400 000000 AA",          // extended Lc 0 with data
		"00A40400 000002 AA",          // data missing
		"00A40400 000001 AA 00",       // half an extended Le
		"00A40400 000001 AA 00 00 00", // too much
	} {
		if c, _, err := apdu.ParseCommand(unhex(s)); !errors.Is(err, apdu.ErrMalformed) {
			t.Errorf("%s: %+v, %v", s, c, err)
		}
	}
}

func FuzzParseCommand(f *testing.F) {
	for _, tt := range encodings {
		f.Add(unhex(tt.short))
		f.Add(unhex(tt.extended))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, extended, err := apdu.ParseCommand(b)
		if err != nil {
			return
		}
		again, err := c.Encode(extended)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%X became %+v became %X, %v", b, c, again, err)
		}
	})
}
