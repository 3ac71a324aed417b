package apdu

import "slices"

// What a trace or recording may show is decided here and nowhere else. The
// rules go by instruction and, for data objects, by tag. They do not know which
// applet is selected, so each instruction follows the strictest applet that
// has it; what cannot be made sense of is hidden. A rule answers how many
// leading bytes may be shown: tags and lengths in front of a secret tell
// nobody anything and help the reader.

// all, as a number of leading bytes that may be shown.
const all = 1 << 30

type redaction struct {
	// command tells how much of c.Data may be shown; nil is all. In the second
	// and later commands of a chain continued is true, and only what is known
	// to be secret by itself need be hidden: the first one's rule holds anyway.
	command func(c Command, continued bool) int
	// response tells how much of the answer's body may be shown; nil is all. c
	// is the command or the first of its chain.
	response func(c Command, body []byte) int
}

var redactions = map[byte]redaction{
	0x20: hiddenCommand, // VERIFY
	0x21: hiddenCommand,
	0x24: hiddenCommand, // CHANGE REFERENCE DATA
	0x25: hiddenCommand,
	0x2C: hiddenCommand, // RESET RETRY COUNTER
	0x2D: hiddenCommand,
	0x82: hiddenCommand, // EXTERNAL AUTHENTICATE
	0xD8: hiddenCommand, // PUT KEY
	0xE2: hiddenCommand, // STORE DATA
	0xFE: hiddenCommand, // IMPORT KEY
	0xFF: hiddenCommand, // SET MANAGEMENT KEY
	// Random bytes that a program fetched may become its key.
	0x84: {response: hideBody},
	0x86: {command: authenticateCommand, response: authenticateResponse},
	0x87: {command: authenticateCommand, response: authenticateResponse},
	0x2A: {command: operationCommand, response: operationResponse},
	0xCA: {response: getDataResponse},
	0xDA: {command: putDataCommand},
	0xCB: {response: getObjectResponse},
	0xDB: {command: putObjectCommand},
}

var hiddenCommand = redaction{command: hideData, response: hideBody}

func hideData(Command, bool) int   { return 0 }
func hideBody(Command, []byte) int { return 0 }

// Challenge and response with the management key (key reference 9B) let one
// guess at the key away from the card, and with it at a PIN it was derived
// from. With the other keys the challenge is what is signed, deciphered or
// agreed upon, and may be shown.
func authenticateCommand(c Command, _ bool) int {
	if c.P2 == 0x9B {
		return 0
	}
	return all
}

// The answer is a signature or else a deciphered key or shared secret, and the
// command does not tell which.
func authenticateResponse(_ Command, body []byte) int {
	return headers(body, 0x7C, 0x82)
}

// PERFORM SECURITY OPERATION: P1-P2 is what comes out and what goes in.
func operationCommand(c Command, _ bool) int {
	if c.P1 == 0x86 { // ENCIPHER
		return 0
	}
	return all
}

func operationResponse(c Command, _ []byte) int {
	if c.P1 == 0x80 { // DECIPHER
		return 0
	}
	return all
}

// privateDOs are the OpenPGP data objects nobody but their owner should see
// (OpenPGP card 3.4.1 section 4.4.1): for private use, secure messaging keys,
// resetting code, AES key, PIN hashes of the KDF object.
var privateDOs = []uint16{0x0101, 0x0102, 0x0103, 0x0104, 0x00D1, 0x00D2, 0x00D3, 0x00D5, 0x00F4, 0x00F9}

func getDataResponse(c Command, _ []byte) int {
	if slices.Contains(privateDOs, uint16(c.P1)<<8|uint16(c.P2)) {
		return 0
	}
	return all
}

func putDataCommand(c Command, _ bool) int { return getDataResponse(c, nil) }

// privateObjects are the PIV data objects that are only read with the PIN
// (SP 800-73-4 part 1 table 2) or are a secret: Yubico's tools keep a
// PIN-protected management key in the printed information.
var privateObjects = []Tag{
	0x5FC109, // printed information
	0x5FC103, // fingerprints
	0x5FC108, // facial image
	0x5FC121, // iris images
	0x5FC123, // pairing code
}

// objectTag reads which object GET DATA or PUT DATA is about: a tag list 5C or,
// with PUT DATA, the object itself. header is its length.
func objectTag(data []byte) (tag Tag, header int, ok bool) {
	tag, rest, err := readTag(data)
	if err != nil || tag != 0x5C {
		return tag, 0, err == nil
	}
	n, rest, err := readLength(rest)
	if err != nil || n > uint64(len(rest)) {
		return 0, 0, false
	}
	tag, after, err := readTag(rest[:n])
	return tag, len(data) - len(rest) + int(n), err == nil && len(after) == 0
}

func getObjectResponse(c Command, body []byte) int {
	tag, _, ok := objectTag(c.Data)
	switch {
	case !ok:
		return 0
	case slices.Contains(privateObjects, tag):
		return headers(body, 0x53)
	default:
		return all
	}
}

func putObjectCommand(c Command, continued bool) int {
	tag, header, ok := objectTag(c.Data)
	switch {
	case ok && slices.Contains(privateObjects, tag):
		return header
	case ok && tag == 0x4D: // OpenPGP key import
		return 0
	case continued || ok && (header > 0 || tag == 0x7E || tag == 0x7F61):
		return all
	default:
		return 0
	}
}

// headers is the length of the tags and lengths at the start of b that are
// those of path; 0 when it starts otherwise. Values may be cut short, as in the
// first part of a long answer.
func headers(b []byte, path ...Tag) int {
	rest := b
	for _, want := range path {
		tag, after, err := readTag(rest)
		if err != nil || tag != want {
			return 0
		}
		if _, after, err = readLength(after); err != nil {
			return 0
		}
		rest = after
	}
	return len(b) - len(rest)
}

// hidesCommand tells whether c.Data is to be overwritten after use.
func hidesCommand(c Command) bool {
	r, ok := redactions[c.INS]
	return ok && r.command != nil && r.command(c, false) < len(c.Data)
}

// A redactor follows a card's commands and answers and tells what of each may
// be shown.
type redactor struct {
	// first is the last command but GET RESPONSE, or the first of its chain. Its
	// data is kept only where no command with this instruction has secrets.
	first   Command
	secret  bool // some of the command's data was hidden, or it was marked
	chained bool // more of the chain may follow
	begun   bool // the answer's first bytes have passed
}

// command tells how many leading bytes of c's data may be shown.
func (r *redactor) command(c Command, secret bool) int {
	if c.INS == insGetResponse {
		// It has no data of its own; what one carries all the same was meant
		// for another command, and it may have been a secret.
		r.secret = r.secret || secret
		return 0
	}
	rule := redactions[c.INS]
	continued := r.chained && c.INS == r.first.INS && c.P1 == r.first.P1 && c.P2 == r.first.P2
	if !continued {
		r.first, r.secret = c, false
		r.first.Data = nil
		if rule.command == nil {
			r.first.Data = slices.Clone(c.Data[:min(len(c.Data), 16)])
		}
	}
	r.secret = r.secret || secret
	r.chained = c.CLA&claChaining != 0
	r.begun = false
	shown := all
	if rule.command != nil {
		shown = rule.command(c, continued)
	}
	if r.secret {
		shown = 0
	}
	if shown < all {
		r.secret = true // what follows in the chain is what the tag stood for
	}
	return shown
}

// response tells how many leading bytes of the answer's body may be shown.
func (r *redactor) response(body []byte, status Status) int {
	if status != OK {
		r.chained = false
	}
	rule := redactions[r.first.INS]
	shown := all
	switch {
	case rule.response != nil:
		if shown = rule.response(r.first, body); r.begun && shown < all {
			shown = 0
		}
	case r.secret:
		shown = 0
	}
	r.begun = r.begun || len(body) > 0
	return shown
}

// broken notes that no answer came.
func (r *redactor) broken() { r.chained = false }
