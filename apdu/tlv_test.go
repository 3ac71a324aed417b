package apdu_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"cardbridge/apdu"
)

func TestReadTLV(t *testing.T) {
	for _, tt := range []struct {
		in    string
		tag   apdu.Tag
		value string
		rest  string
	}{
		{"81 00", 0x81, "", ""},
		{"7C 02 8200 99", 0x7C, "8200", "99"},
		{"5FC105 01 AA", 0x5FC105, "AA", ""},
		{"5FFF00 01 AA", 0x5FFF00, "AA", ""},
		{"7F49 8101 AA", 0x7F49, "AA", ""},
		{"53 820002 AABB", 0x53, "AABB", ""},
		{"53 84000000 01 AA", 0x53, "AA", ""},
		{"FE 00", 0xFE, "", ""},
		{"5F818101 01 AA", 0x5F818101, "AA", ""},
		{"70 8180 (01*128)", 0x70, "(01*128)", ""},
	} {
		v, rest, err := apdu.ReadTLV(unhex(tt.in))
		if err != nil || v.Tag != tt.tag || !bytes.Equal(v.Value, unhex(tt.value)) || !bytes.Equal(rest, unhex(tt.rest)) {
			t.Errorf("%s: %v %X, %X, %v", tt.in, v.Tag, v.Value, rest, err)
		}
	}
}

func TestReadTLVRefuses(t *testing.T) {
	for _, in := range []string{
		"", "00 00", // no tag
		"53",                // no length
		"53 80 0000",        // indefinite
		"53 81", "53 82 01", // length cut short
		"53 85 0000000001 AA", // length of five bytes
		"53 84 FFFFFFFF AA",   // more than there is
		"53 02 AA",            // more than there is
		"5F", "5FC1",          // tag cut short
		"5F8001 00",      // leading zeros
		"5F818283 01 00", // tag of five bytes
		"5FFFFFFF 00",    // tag of five bytes
	} {
		v, _, err := apdu.ReadTLV(unhex(in))
		if !errors.Is(err, apdu.ErrTLV) {
			t.Errorf("%s: %v %X, %v", in, v.Tag, v.Value, err)
		}
	}
}

func TestReadTLVDoesNotAllocate(t *testing.T) {
	b := unhex("53 84 00000002 AABB")
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := apdu.ReadTLV(b); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestEncodeTLV(t *testing.T) {
	for _, tt := range []struct {
		got  []byte
		want string
	}{
		{apdu.EncodeTLV(0x7C, apdu.EncodeTLV(0x82), apdu.EncodeTLV(0x81, []byte{1}, []byte{2, 3})), "7C 07 8200 8103010203"},
		{apdu.EncodeTLV(0x5FC105, make([]byte, 127)), "5FC105 7F (00*127)"},
		{apdu.EncodeTLV(0x7F49, make([]byte, 128)), "7F49 8180 (00*128)"},
		{apdu.EncodeTLV(0x53, make([]byte, 256)), "53 820100 (00*256)"},
		{apdu.EncodeTLV(0x53, make([]byte, 65536)), "53 83010000 (00*65536)"},
		{apdu.EncodeTLV(0x53, make([]byte, 1<<24)), "53 8401000000 (00*16777216)"},
		{apdu.AppendTLV([]byte{9}, 0x01), "09 0100"},
	} {
		if !bytes.Equal(tt.got, unhex(tt.want)) {
			t.Errorf("%.20X, want %s", tt.got, tt.want)
		}
	}
	for _, tag := range []apdu.Tag{0, 0x5F, 0x5381, 0x5F8001, 0x1F80, 0x5FFFFFFF} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("tag %v encoded", tag)
				}
			}()
			apdu.EncodeTLV(tag)
		}()
	}
}

func TestTag(t *testing.T) {
	for tag, want := range map[apdu.Tag]string{
		0x53: "53", 0x7C: "7C", 0x7F49: "7F49", 0x5FC105: "5FC105", 0x01: "01", 0x5F818101: "5F818101", 0: "00",
	} {
		if got := fmt.Sprint(tag); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func FuzzTLV(f *testing.F) {
	f.Add(unhex("7C 07 8200 8103010203"))
	f.Add(unhex("53 84 FFFFFFFF AA"))
	f.Add(unhex("61 0A  4F 01 A0  79 05 4F 03 010203  5FC105 820001 07 00 00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := apdu.ParseTLVs(b)
		if err != nil {
			if !errors.Is(err, apdu.ErrTLV) {
				t.Fatal(err)
			}
			return
		}
		var again []byte
		for _, v := range all {
			if len(v.Value) > len(b) {
				t.Fatal("a value longer than the input")
			}
			again = apdu.AppendTLV(again, v.Tag, v.Value)
		}
		if len(again) > len(b) {
			t.Fatalf("%X became %X", b, again)
		}
		back, err := apdu.ParseTLVs(again)
		if err != nil || len(back) != len(all) {
			t.Fatalf("%X, %v", again, err)
		}
		for i := range all {
			if back[i].Tag != all[i].Tag || !bytes.Equal(back[i].Value, all[i].Value) {
				t.Fatalf("%X became %X", b, again)
			}
		}
	})
}
