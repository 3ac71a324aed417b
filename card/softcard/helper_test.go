package softcard

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A host is the other side of a card in these tests: bytes in hexadecimal, no code shared with card/piv.
type host struct {
	t    *testing.T
	card *Card
	path string
}

const (
	selectPIV  = "00A4040009A00000030800001000 00"
	verifyGood = "0020008008 313233343536FFFF"
	verifyBad  = "0020008008 313131313131FFFF"
	pinStatus  = "00200080"
)

// patience ends a test that would hang; a machine with much to do may stand still
// for many seconds.
const patience = 3 * time.Minute

func newHost(t *testing.T, personality string, opts ...Option) *host {
	t.Helper()
	path := filepath.Join(t.TempDir(), "card.json")
	if err := Create(path, personality); err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, path: path}
	h.card = h.insert(opts...)
	h.want(selectPIV, 0x9000)
	return h
}

// insert opens the host's state file once more.
func (h *host) insert(opts ...Option) *Card {
	h.t.Helper()
	c, err := Open(h.path, opts...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	return c
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// raw is one exchange.
func (h *host) raw(command []byte) ([]byte, uint16) {
	h.t.Helper()
	b, err := h.card.Transmit(command)
	if err != nil {
		h.t.Fatalf("%X: %v", command, err)
	}
	if len(b) < 2 {
		h.t.Fatalf("%X: answer %X", command, b)
	}
	return b[:len(b)-2], uint16(b[len(b)-2])<<8 | uint16(b[len(b)-1])
}

// send is a command with all of its answer fetched.
func (h *host) send(command []byte) ([]byte, uint16) {
	h.t.Helper()
	data, sw := h.raw(command)
	if sw>>8 == 0x6C {
		data, sw = h.raw(append(bytes.Clone(command[:len(command)-1]), byte(sw)))
	}
	for sw>>8 == 0x61 {
		more, next := h.raw([]byte{0x00, 0xC0, 0x00, 0x00, byte(sw)})
		data, sw = append(data, more...), next
	}
	return data, sw
}

// want sends and insists on a status word.
func (h *host) want(command string, sw uint16) []byte {
	h.t.Helper()
	data, got := h.send(unhex(command))
	if got != sw {
		h.t.Fatalf("%s: %04X, want %04X", command, got, sw)
	}
	return data
}

// long sends any amount of data by command chaining.
func (h *host) long(ins, p1, p2 byte, data []byte) ([]byte, uint16) {
	h.t.Helper()
	for len(data) > 255 {
		if _, sw := h.raw(append([]byte{0x10, ins, p1, p2, 255}, data[:255]...)); sw != 0x9000 {
			h.t.Fatalf("chained part: %04X", sw)
		}
		data = data[255:]
	}
	command := append([]byte{0x00, ins, p1, p2, byte(len(data))}, data...)
	return h.send(append(command, 0))
}

func (h *host) mustLong(ins, p1, p2 byte, data []byte) []byte {
	h.t.Helper()
	out, sw := h.long(ins, p1, p2, data)
	if sw != 0x9000 {
		h.t.Fatalf("%02X %02X %02X: %04X", ins, p1, p2, sw)
	}
	return out
}

// admin authenticates with the management key, the mutual way.
func (h *host) admin() {
	h.t.Helper()
	h.adminWith(h.card.personality.adminDefault, unhex(strings.Repeat("0102030405060708", 3)))
}

func (h *host) adminWith(algorithm byte, key []byte) {
	h.t.Helper()
	block := hostCipher(h.t, algorithm, key)
	answer := h.mustLong(0x87, algorithm, 0x9B, unhex("7C028000"))
	witness := make([]byte, block.BlockSize())
	block.Decrypt(witness, answer[4:])
	challenge := bytes.Repeat([]byte{0xA5}, block.BlockSize())
	n := byte(block.BlockSize())
	command := append([]byte{0x7C, 2*n + 4, 0x80, n}, witness...)
	command = append(append(command, 0x81, n), challenge...)
	answer = h.mustLong(0x87, algorithm, 0x9B, command)
	want := make([]byte, block.BlockSize())
	block.Encrypt(want, challenge)
	if !bytes.Equal(answer[4:], want) {
		h.t.Fatalf("the card's response is %X, want %X", answer[4:], want)
	}
}

func hostCipher(t *testing.T, algorithm byte, key []byte) cipher.Block {
	t.Helper()
	newCipher := aes.NewCipher
	if algorithm == 0x03 {
		newCipher = des.NewTripleDESCipher
	}
	block, err := newCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	return block
}

// everyPersonality runs a test on each.
func everyPersonality(t *testing.T, f func(t *testing.T, p *personality)) {
	for i := range personalities {
		t.Run(personalities[i].Name, func(t *testing.T) {
			t.Parallel()
			f(t, &personalities[i])
		})
	}
}
