package apdu

import (
	"errors"
	"fmt"
)

// A Channel sends commands whole: it picks short or extended form, chains what
// does not fit, fetches what 61xx announces and repeats with the length that
// 6Cxx names - also mixed, as when a card answers an extended command with
// 61xx. It remembers what the card turned out to support.
//
// A Channel holds no lock: use it inside one transaction at a time.
type Channel struct {
	// Extended allows extended-length APDUs, as the card's ATR, EF.ATR or
	// model says. A card that answers 6700 to one is taken back to short form
	// for good, and the command is sent again in short form.
	Extended bool
	// MaxCommand bounds the data field of one extended command, 0 for 65,535.
	MaxCommand int
	// MaxResponse bounds a whole answer, over all its parts; 0 for 1 MiB.
	MaxResponse int
}

// defaultMaxResponse bounds an answer when Channel.MaxResponse is 0.
const defaultMaxResponse = 1 << 20

// Errors of answers that no command can have.
var (
	// ErrNoStatus: an answer too short for a status word.
	ErrNoStatus = errors.New("apdu: answer without a status word")
	// ErrEndlessAnswer: an answer beyond MaxResponse, or 61xx again and again
	// with next to nothing in between.
	ErrEndlessAnswer = errors.New("apdu: answer without end")
)

// Class byte, ISO 7816-4 section 5.4.1.
const (
	claChaining    = 0x10 // this is not the last command of the chain
	claProprietary = 0x80
	claFurther     = 0x40 // logical channels 4 to 19
)

const insGetResponse = 0xC0

// Send sends cmd and returns the whole answer without its status word. Any
// status word but 9000 is a [CommandError]; with a warning (62xx, 63xx) what
// came along is returned too.
//
// Extended form is used where c.Extended allows it and short form would need
// more than one command or might need GET RESPONSE: data beyond 255 bytes, Le
// beyond 256, LeMax.
func (c *Channel) Send(t Transmitter, cmd Command) ([]byte, error) {
	if cmd.Le < LeMax || cmd.Le > MaxExtendedLe {
		return nil, fmt.Errorf("%w: %d bytes expected", ErrTooLong, cmd.Le)
	}
	if c.Extended && (len(cmd.Data) > MaxShortLc || cmd.Le > MaxShortLe || cmd.Le == LeMax) {
		data, status, err := c.exchange(t, cmd, true)
		if err != nil || status != ErrWrongLength {
			return finish(cmd, data, status, err)
		}
		// 6700 is also what a card says to data of the wrong length. Only when
		// short form fares better was it the form that the card minded.
		data, status, err = c.exchange(t, cmd, false)
		if err == nil && status != ErrWrongLength {
			c.Extended = false
		}
		return finish(cmd, data, status, err)
	}
	data, status, err := c.exchange(t, cmd, false)
	return finish(cmd, data, status, err)
}

func finish(cmd Command, data []byte, status Status, err error) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("%s: %w", instruction(cmd.CLA, cmd.INS), err)
	}
	if status == OK {
		return data, nil
	}
	if status.Class() != ClassWarning {
		data = nil
	}
	return data, &CommandError{CLA: cmd.CLA, INS: cmd.INS, P1: cmd.P1, P2: cmd.P2, Status: status}
}

// exchange sends cmd in one form, chained as need be, and collects its answer.
func (c *Channel) exchange(t Transmitter, cmd Command, extended bool) ([]byte, Status, error) {
	room := MaxShortLc
	if extended {
		room = MaxExtendedLc
		if c.MaxCommand > 0 && c.MaxCommand < room {
			room = c.MaxCommand
		}
	}
	for len(cmd.Data) > room {
		part := cmd
		part.CLA |= claChaining
		part.Data, part.Le = cmd.Data[:room], 0
		_, status, err := c.once(t, part, extended)
		if err != nil || status != OK {
			return nil, status, err
		}
		cmd.Data = cmd.Data[room:]
	}
	if !extended && cmd.Le > MaxShortLe {
		cmd.Le = MaxShortLe // more than that comes by 61xx
	}
	data, status, err := c.once(t, cmd, extended)
	// 6Cxx: not done, because xx bytes should have been asked for. A command
	// that asks for none (VERIFY) is never sent twice on a card's word.
	if err == nil && status.SW1() == 0x6C && cmd.Le != 0 {
		cmd.Le = shortLe(status.SW2())
		data, status, err = c.once(t, cmd, extended)
	}
	if err != nil || status.Class() != ClassMore {
		return data, status, err
	}
	return c.collect(t, cmd, data, status)
}

// collect fetches the rest of an answer after 61xx.
func (c *Channel) collect(t Transmitter, cmd Command, data []byte, status Status) ([]byte, Status, error) {
	limit := c.maxResponse()
	answer := data
	for parts := 1; status.Class() == ClassMore; parts++ {
		if parts > maxParts(len(answer)) {
			return nil, 0, fmt.Errorf("%w: %d bytes in %d parts", ErrEndlessAnswer, len(answer), parts)
		}
		get := Command{CLA: getResponseClass(cmd.CLA), INS: insGetResponse, Le: shortLe(status.SW2()), Secret: cmd.Secret}
		part, s, err := c.once(t, get, false)
		if err == nil && s.SW1() == 0x6C {
			get.Le = shortLe(s.SW2())
			part, s, err = c.once(t, get, false)
		}
		if err != nil {
			return nil, 0, err
		}
		if s.Class() != ClassOK && s.Class() != ClassMore && s.Class() != ClassWarning {
			return nil, s, nil
		}
		if s.Class() == ClassMore && len(part) == 0 {
			return nil, 0, fmt.Errorf("%w: %04X again, and no data", ErrEndlessAnswer, uint16(s))
		}
		if len(answer)+len(part) > limit {
			return nil, 0, fmt.Errorf("%w: more than %d bytes", ErrEndlessAnswer, limit)
		}
		answer, status = join(answer, part), s
	}
	return answer, status, nil
}

// join appends part to answer. Either may be of a secret: no second copy stays
// behind.
func join(answer, part []byte) []byte {
	if n := len(answer) + len(part); n > cap(answer) {
		whole := append(make([]byte, 0, 2*n), answer...)
		clear(answer)
		answer = whole
	}
	answer = append(answer, part...)
	clear(part)
	return answer
}

// maxParts bounds in how many parts n bytes may come: a few tiny ones are
// fine, a megabyte of single bytes is a way to hold us up.
func maxParts(n int) int { return 32 + n/16 }

func (c *Channel) maxResponse() int {
	if c.MaxResponse > 0 {
		return c.MaxResponse
	}
	return defaultMaxResponse
}

// once exchanges one command APDU for one response APDU.
func (c *Channel) once(t Transmitter, cmd Command, extended bool) ([]byte, Status, error) {
	b, err := cmd.Encode(extended)
	if err != nil {
		return nil, 0, err
	}
	response, err := transmit(t, b, cmd.Secret)
	if cmd.Secret || hidesCommand(cmd) {
		clear(b)
	}
	if err != nil {
		return nil, 0, err
	}
	data, status, err := ParseResponse(response)
	if err == nil && len(data) > c.maxResponse() {
		return nil, 0, fmt.Errorf("%w: more than %d bytes", ErrEndlessAnswer, c.maxResponse())
	}
	return data, status, err
}

// getResponseClass keeps the logical channel of cla and drops chaining, secure
// messaging and a proprietary class (ISO 7816-4 section 5.4.1; GlobalPlatform
// 2.3.1 section 11.1.4 for the latter).
func getResponseClass(cla byte) byte {
	if cla&claFurther != 0 {
		return cla &^ (claProprietary | 0x30)
	}
	return cla & 0x03
}
