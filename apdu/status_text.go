package apdu

import "fmt"

// statusTexts says what status words mean: ISO 7816-4 section 5.6 tables 5
// to 7, with the narrower meanings of SP 800-73-4 part 2 section 3, the OpenPGP
// card specification 3.4.1 section 7.1 and Yubico's PIV extensions where they
// do not contradict it.
var statusTexts = map[Status]string{
	0x9000: "ok",

	0x6200: "warning, no information given",
	0x6281: "part of the answer may be corrupted",
	0x6282: "end of file before the expected length",
	0x6283: "the selected file is deactivated",
	0x6284: "file control information is malformed",
	0x6285: "the selected file or applet is terminated",
	0x6286: "no input from a sensor of the card",
	0x6287: "at least one referenced record is deactivated",

	0x6300: "verification failed",
	0x6381: "the file is full after this write",

	0x6400: "failed, the card's memory is unchanged",
	0x6401: "the card wants an immediate answer",
	0x6500: "failed, the card's memory has changed",
	0x6581: "memory failure",
	0x6600: "security issue, or not touched in time",

	0x6700: "wrong length",

	0x6800: "function of the class byte not supported",
	0x6881: "logical channel not supported",
	0x6882: "secure messaging not supported",
	0x6883: "last command of a chain expected",
	0x6884: "command chaining not supported",

	0x6900: "command not allowed",
	0x6981: "command does not fit the file structure",
	0x6982: "security status not satisfied",
	0x6983: "authentication method blocked",
	0x6984: "reference data not usable",
	0x6985: "conditions of use not satisfied",
	0x6986: "command not allowed, no file selected",
	0x6987: "secure messaging data objects missing",
	0x6988: "secure messaging data objects incorrect",
	0x6999: "the applet cannot be selected",

	0x6A00: "wrong parameters P1-P2",
	0x6A80: "incorrect data in the command",
	0x6A81: "function not supported",
	0x6A82: "not found",
	0x6A83: "record not found",
	0x6A84: "not enough memory on the card",
	0x6A85: "length inconsistent with the data's structure",
	0x6A86: "incorrect parameters P1-P2",
	0x6A87: "length inconsistent with P1-P2",
	0x6A88: "referenced data or key not found",
	0x6A89: "the file exists already",
	0x6A8A: "the applet name exists already",

	0x6B00: "wrong parameters P1-P2",
	0x6D00: "instruction not supported",
	0x6E00: "class not supported",
	0x6F00: "the card failed and says no more",
}

// sw1Texts says what a status word means by its first byte alone.
var sw1Texts = map[byte]string{
	0x62: "warning, the card's memory is unchanged",
	0x63: "warning, the card's memory has changed",
	0x64: "failed, the card's memory is unchanged",
	0x65: "failed, the card's memory has changed",
	0x66: "security issue",
	0x67: "wrong length",
	0x68: "function of the class byte not supported",
	0x69: "command not allowed",
	0x6A: "wrong parameters",
	0x6B: "wrong parameters P1-P2",
	0x6D: "instruction not supported",
	0x6E: "class not supported",
	0x6F: "the card failed",
}

// Text says in words what the status word means, without the number.
func (s Status) Text() string {
	if n, ok := s.Retries(); ok {
		if n == 1 {
			return "verification failed, 1 try left"
		}
		return fmt.Sprintf("verification failed, %d tries left", n)
	}
	if text, ok := statusTexts[s]; ok {
		return text
	}
	switch s.SW1() {
	case 0x61:
		return fmt.Sprintf("%d more bytes to fetch", shortLe(s.SW2()))
	case 0x6C:
		return fmt.Sprintf("wrong expected length, %d bytes available", shortLe(s.SW2()))
	}
	if text, ok := sw1Texts[s.SW1()]; ok {
		return text
	}
	return "unknown status word"
}

// Error gives the meaning and the hex.
func (s Status) Error() string { return fmt.Sprintf("%s (%04X)", s.Text(), uint16(s)) }
