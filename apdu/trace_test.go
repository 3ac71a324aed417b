package apdu_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cardbridge/apdu"
)

const canary = "C0FFEEC0FFEE"

// traced sends commands (hex; "!" in front marks them secret) to a card that
// gives the answers, and returns the trace.
func traced(t *testing.T, steps ...[2]string) string {
	t.Helper()
	var out strings.Builder
	trace := apdu.NewTrace(&out, nil)
	for _, s := range steps {
		cmd, secret := strings.CutPrefix(s[0], "!")
		card := apdu.TransmitterFunc(func([]byte) ([]byte, error) {
			if s[1] == "lost" {
				return nil, apdu.ErrNoAnswer
			}
			return unhex(s[1]), nil
		})
		// A new wrapping each time, as for each transaction.
		wrapped := apdu.Decorate(card, trace)
		if secret {
			wrapped.(apdu.SecretTransmitter).TransmitSecret(unhex(cmd)) //nolint:errcheck // the trace is what matters
		} else {
			wrapped.Transmit(unhex(cmd)) //nolint:errcheck // the trace is what matters
		}
	}
	return out.String()
}

func TestTrace(t *testing.T) {
	got := traced(t,
		[2]string{"00A40400 05 A000000308", "6106 4F04A0000003 9000"},
		[2]string{"00200080 08 " + canary + " FFFF", "63C2"},
		[2]string{"00CB3FFF 000005 5C035FC105 0000", "53 34 (AA*52) 9000"},
		[2]string{"10DB3FFF 02 5C02", "9000"},
		[2]string{"00A4", "6700"},
		[2]string{"00F7009A 00", "lost"},
		[2]string{"00FD0000 00", ""},
	)
	want := `> 00A40400 05A000000308  # SELECT
< 61064F04A0000003 9000  # ok
> 00200080 08[8]  # VERIFY
< 63C2  # verification failed, 2 tries left
> 00CB3FFF 0000055C035FC105 0000  # GET DATA
< 5334AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
  AAAAAAAAAAAA 9000  # ok
> 10DB3FFF 02[2]  # PUT DATA, to be continued
< 9000  # ok
> 00A4  # malformed command
< 6700  # wrong length
> 00F7009A 00  # GET METADATA
! no answer
> 00FD0000 00  # GET VERSION
<   # no status word
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTraceDescribes(t *testing.T) {
	var out strings.Builder
	trace := apdu.NewTrace(&out, func(c apdu.Command) string { return fmt.Sprintf("key %02X", c.P2) })
	apdu.Decorate(newScript(t, [2]string{"00F7009A", "9000"}), trace).Transmit(unhex("00F7009A")) //nolint:errcheck // the trace is what matters
	if want := "> 00F7009A  # GET METADATA key 9A\n"; !strings.HasPrefix(out.String(), want) {
		t.Error(out.String())
	}
}

// Nothing that holds the canary may be in the trace; the reason is the name.
func TestTraceHides(t *testing.T) {
	type steps = [][2]string
	const ok = "9000"
	for name, s := range map[string]steps{
		"VERIFY":                       {{"00200080 06" + canary, ok}},
		"VERIFY, extended":             {{"00200080 000006" + canary, ok}},
		"VERIFY, odd code":             {{"00210080 06" + canary, ok}},
		"VERIFY under another class":   {{"0C200080 06" + canary, ok}},
		"VERIFY of the wrong length":   {{"00200080 09" + canary, "6700"}},
		"CHANGE REFERENCE DATA":        {{"00240080 06" + canary, ok}},
		"RESET RETRY COUNTER":          {{"002C0080 06" + canary, ok}},
		"management key authenticated": {{"0087089B 0A 7C08 8006" + canary, ok}},
		"witness of the card":          {{"0087089B 04 7C02 8000 00", "7C08 8006" + canary + ok}},
		"challenge of the card":        {{"0087039B 04 7C02 8100 00", "7C08 8106" + canary + ok}},
		"deciphered":                   {{"0087079D 06 7C04 8200 8100 00", "7C08 8206" + canary + ok}},
		"deciphered, by GET RESPONSE":  {{"0087079D 06 7C04 8200 8100 00", "6108"}, {"00C00000 08", "7C08 8206" + canary + ok}},
		"deciphered, the rest of it":   {{"0087079D 06 7C04 8200 8100 00", "7C10 820E 01 6106"}, {"00C00000 06", canary + "6106"}, {"00C00000 06", canary + ok}},
		"the rest looks like a start":  {{"0087079D 06 7C04 8200 8100 00", "7C10 820E 01 6106"}, {"00C00000 06", "7C84 C0FFEEC0 8284 FFEEC0FF 6106"}},
		"deciphered after a chain":     {{"1087079D 06" + "7C0482008100", ok}, {"0087079D 01 07 00", "7C08 8206" + canary + ok}},
		"answer of an odd form":        {{"0087079D 06 7C04 8200 8100 00", canary + ok}},
		"IMPORT KEY":                   {{"00FE079A 08 0106" + canary, ok}},
		"IMPORT KEY, chained":          {{"10FE079A 02 0106", ok}, {"00FE079A 06" + canary, ok}},
		"SET MANAGEMENT KEY":           {{"00FFFFFF 09 039B06" + canary, ok}},
		"printed information read":     {{"00CB3FFF 05 5C035FC109 00", "5308 8906" + canary + ok}},
		"read on":                      {{"00CB3FFF 05 5C035FC109 00", "5308 6106"}, {"00C00000 06", canary + ok}},
		"printed information written":  {{"00DB3FFF 0D 5C035FC109 53068806" + canary[:8], ok}},
		"written in parts":             {{"10DB3FFF 05 5C035FC109", ok}, {"10DB3FFF 06" + canary, ok}, {"00DB3FFF 06" + canary, ok}},
		"tag cut in two":               {{"10DB3FFF 03 5C035F", ok}, {"00DB3FFF 08 C109" + canary, ok}},
		"after an unfinished chain":    {{"10DB3FFF 05 5C035FC105", ok}, {"10DB3FFF 0B 5C035FC109" + canary, ok}},
		"after a chain that failed":    {{"10DB3FFF 05 5C035FC105", "6A84"}, {"10DB3FFF 05 5C035FC109", ok}, {"00DB3FFF 06" + canary, ok}},
		"after a chain that was lost":  {{"10DB3FFF 05 5C035FC105", "lost"}, {"10DB3FFF 05 5C035FC109", ok}, {"00DB3FFF 06" + canary, ok}},
		"fingerprints":                 {{"00CB3FFF 05 5C035FC103 00", "5308 BC06" + canary + ok}},
		"pairing code":                 {{"00CB3FFF 05 5C035FC123 00", "5308 9906" + canary + ok}},
		"no tag list":                  {{"00CB3FFF 00", canary + ok}},
		"random":                       {{"00840000 06", canary + ok}},
		"OpenPGP: DECIPHER":            {{"002A8086 02 0001 00", canary + ok}},
		"OpenPGP: ENCIPHER":            {{"002A8680 06" + canary, ok}},
		"OpenPGP: key import":          {{"00DB3FFF 08 4D06" + canary, ok}},
		"OpenPGP: key import, chained": {{"10DB3FFF 02 4D06", ok}, {"00DB3FFF 06" + canary, ok}},
		"OpenPGP: resetting code":      {{"00DA00D3 06" + canary, ok}},
		"OpenPGP: AES key":             {{"00DA00D5 06" + canary, ok}},
		"OpenPGP: private use":         {{"00CA0103 00", canary + ok}},
		"OpenPGP: KDF object":          {{"00DA00F9 06" + canary, ok}},
		"PUT KEY":                      {{"80D80081 06" + canary, ok}},
		"marked":                       {{"!00AA0000 06" + canary, canary + ok}},
		"marked, GET RESPONSE":         {{"!00C00000 06" + canary, canary + ok}},
		"data with GET RESPONSE":       {{"00C00000 06" + canary, ok}},
		"marked, chained":              {{"!10AA0000 02 0001", ok}, {"00AA0000 06" + canary, ok}},
		"malformed":                    {{"00200080 02" + canary, ok}},
		"malformed, other instruction": {{"00A40080 02" + canary, ok}},
		"tag list and more behind it":  {{"00DB3FFF 0D 5C065FC1055FC109" + canary[:10], ok}},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.NewReplacer("\n  ", "", " ", "").Replace(traced(t, s...))
			for _, part := range []string{canary, "C0FFEEC0", "FFEEC0FF"} {
				if strings.Contains(got, part) {
					t.Errorf("shown:\n%s", got)
				}
			}
		})
	}
}

// What is no secret stays readable: a trace that hides all is of no use.
func TestTraceShows(t *testing.T) {
	type steps = [][2]string
	const ok = "9000"
	for name, s := range map[string]steps{
		"SELECT":                   {{"00A40400 06" + canary, ok}},
		"certificate":              {{"00CB3FFF 05 5C035FC105 00", "5308 7006" + canary + ok}},
		"certificate, in parts":    {{"00CB3FFF 05 5C035FC105 00", "5308 7006 6106"}, {"00C00000 06", canary + ok}},
		"certificate written":      {{"10DB3FFF 05 5C035FC105", ok}, {"00DB3FFF 06" + canary, ok}},
		"after a secret":           {{"00200080 01 31", ok}, {"00A40400 06" + canary, ok}},
		"after a secret chain":     {{"10FE079A 01 00", "6982"}, {"00A40400 06" + canary, ok}},
		"what is signed":           {{"0087119A 0C 7C0A 8200 8106" + canary, ok}},
		"metadata":                 {{"00F7009A 00", canary + ok}},
		"public key":               {{"0047009A 05 AC03800111 00", canary + ok}},
		"attestation":              {{"00F99A00 00", canary + ok}},
		"OpenPGP: signature":       {{"002A9E9A 01 00 00", canary + ok}},
		"OpenPGP: cardholder data": {{"00CA0065 00", canary + ok}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := traced(t, s...); !strings.Contains(got, canary) {
				t.Errorf("hidden:\n%s", got)
			}
		})
	}
}

// A secret command through Channel reaches every decorator as one.
func TestChannelMarksSecrets(t *testing.T) {
	var out strings.Builder
	card := apdu.Decorate(newScript(t, [2]string{"00AA0000 06" + canary + "00", "6106"}, [2]string{"00C00000 06", canary + "9000"}),
		new(apdu.Count), apdu.NewTrace(&out, nil), apdu.NewFaults())
	_, err := new(apdu.Channel).Send(card, apdu.Command{INS: 0xAA, Data: unhex(canary), Le: 256, Secret: true})
	if err != nil || strings.Contains(out.String(), canary) || !strings.Contains(out.String(), "06[6]") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestReplay(t *testing.T) {
	trace := traced(t,
		[2]string{"00A40400 05 A000000308 00", "(61*200) 9000"},
		[2]string{"00200080 08 3132333435360000", "63C2"},
		[2]string{"0087079D 06 7C04 8200 8100 00", "7C05 8203 010203 9000"},
		[2]string{"00DB3FFF 85 5C035FC109 (53*128)", "lost"},
		[2]string{"00FD0000 00", ""},
	)
	p, err := apdu.ReadRecording(strings.NewReader("# a comment\n\n" + trace))
	if err != nil {
		t.Fatalf("%v\n%s", err, trace)
	}
	for i, s := range [][2]string{
		{"00A40400 05 A000000308 00", "(61*200) 9000"},
		{"00200080 08 3939393939390000", "63C2"}, // any PIN will do
		{"0087079D 06 7C04 8200 8100 00", "7C05 8203 000000 9000"},
	} {
		if got, err := p.Transmit(unhex(s[0])); err != nil || !bytes.Equal(got, unhex(s[1])) {
			t.Errorf("%d: %X, %v", i, got, err)
		}
	}
	if _, err := p.Transmit(unhex("00A40400")); !errors.Is(err, apdu.ErrReplay) {
		t.Error(err)
	}
	if err := p.Done(); !errors.Is(err, apdu.ErrReplay) {
		t.Error(err)
	}
	if _, err := p.Transmit(unhex("00DB3FFF 85 5C035FC109 (00*128)")); !errors.Is(err, apdu.ErrNoAnswer) {
		t.Error(err)
	}
	if got, err := p.Transmit(unhex("00FD0000 00")); err != nil || len(got) != 0 {
		t.Errorf("%X, %v", got, err)
	}
	if err := p.Done(); err != nil {
		t.Error(err)
	}
	if _, err := p.Transmit(unhex("00A40400")); !errors.Is(err, apdu.ErrReplay) {
		t.Error(err)
	}
}

func TestReadRecordingRefuses(t *testing.T) {
	for _, s := range []string{
		"> 00A40400",              // no answer
		"< 9000",                  // no command
		"! reset",                 // no command
		"> 00\n> 00\n< 9000",      // two commands
		"> 00\n< 9000\n< 9000",    // two answers
		"  00\n",                  // continues nothing
		"> 0\n< 9000",             // half a byte
		"> 00[\n< 9000",           //
		"> 00[x]\n< 9000",         //
		"> 00[-1]\n< 9000",        //
		"> 00[999999999]\n< 9000", // more than an APDU holds
		"x 00\n< 9000",            // no such mark
		"> 00\n! reset\n  00",     // continues an error
	} {
		if _, err := apdu.ReadRecording(strings.NewReader(s)); err == nil {
			t.Errorf("%q read", s)
		}
	}
}

// Whatever passes, what is known to be secret is not in the trace, and the
// trace can be read back.
func FuzzTrace(f *testing.F) {
	f.Add([]byte("\x00\x20\x00\x80\x06\xC0\xFF\xEE\xC0\xFF\xEE"), []byte("\x63\xC2"), []byte("\x00\xC0\x00\x00"), []byte("\x90\x00"), false)
	f.Add(unhex("10DB3FFF055C035FC109"), unhex("9000"), unhex("00DB3FFF06"+canary), unhex("9000"), false)
	f.Add(unhex("0087079D067C048200810000"), unhex("7C08820601 6106"), unhex("00C0000006"), unhex(canary+"9000"), true)
	f.Fuzz(func(t *testing.T, c1, r1, c2, r2 []byte, secret bool) {
		var out strings.Builder
		trace := apdu.NewTrace(&out, nil)
		for i, step := range [][2][]byte{{c1, r1}, {c2, r2}} {
			card := apdu.Decorate(apdu.TransmitterFunc(func([]byte) ([]byte, error) { return step[1], nil }), trace)
			if secret && i == 0 {
				card.(apdu.SecretTransmitter).TransmitSecret(step[0]) //nolint:errcheck // never fails
			} else {
				card.Transmit(step[0]) //nolint:errcheck // never fails
			}
		}
		p, err := apdu.ReadRecording(strings.NewReader(out.String()))
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		for _, step := range [][2][]byte{{c1, r1}, {c2, r2}} {
			answer, err := p.Transmit(step[0])
			if err != nil || len(answer) != len(step[1]) {
				t.Fatalf("%X, %v\n%s", answer, err, out.String())
			}
		}
		c, _, err := apdu.ParseCommand(c1)
		if err == nil && (secret || c.INS == 0x20 || c.INS == 0xFE) && len(c.Data) > 0 &&
			!strings.Contains(out.String(), fmt.Sprintf("[%d]", len(c.Data))) {
			t.Fatalf("shown:\n%s", out.String())
		}
	})
}
