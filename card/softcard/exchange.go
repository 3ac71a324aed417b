package softcard

import (
	"bytes"
	"context"
	"slices"
	"time"
)

// powerUp is what a card forgets without power: SP 800-73-4 part 2 §2.5.
type powerUp struct {
	app *application // nil: none selected

	// The security status indicators. Those of the application are dropped when another is selected; that of the global PIN
	// belongs to the card and goes with its power.
	pin, globalPIN, admin bool

	fresh   bool      // the last command was a VERIFY that succeeded ("PIN always", part 1 §5.5)
	auth    adminAuth // a management key authentication half done
	touched time.Time
}

// deselect drops the application's security status.
func (u *powerUp) deselect() {
	*u = powerUp{globalPIN: u.globalPIN}
}

// lines is the state of the exchange itself: a command not all here yet, an answer not all sent yet.
type lines struct {
	chain   apdu   // the parts so far of a chained command, ISO 7816-4 §5.3.3
	chained bool   //
	pending []byte // what GET RESPONSE brings
	held    *held
}

// held is an answer that was withheld with 6CXX, for the same command with another Le.
type held struct {
	command apdu
	data    []byte
}

const (
	claChaining    = 0x10
	claSecureMsg   = 0x0C
	claChannel     = 0x03
	insSelect      = 0xA4
	insGetResponse = 0xC0
)

// exchange answers one command.
func (c *Card) exchange(ctx context.Context, command []byte) ([]byte, error) {
	cmd, ok := parseAPDU(command)
	if ok {
		cmd.data = bytes.Clone(cmd.data)
	}
	if err := c.store.refresh(); err != nil {
		return nil, err
	}
	if sw := c.refuse(cmd, ok); sw != swOK {
		c.lines, c.power.fresh = lines{}, false
		return answer(nil, sw), nil
	}
	if cmd.ins == insGetResponse {
		c.power.fresh = false
		return c.getResponse(cmd), nil
	}
	before := c.lines
	c.lines = lines{}
	if h := before.held; h != nil && h.command.sameBut(cmd) {
		return c.deliver(cmd, h.data), nil
	}
	if before.chained && before.chain.sameHeader(cmd) {
		cmd.data = slices.Concat(before.chain.data, cmd.data)
	}
	if len(cmd.data) > maxCommandData {
		c.power.fresh = false
		return answer(nil, swLength), nil
	}
	if cmd.cla&claChaining != 0 {
		c.power.fresh = c.power.fresh && cmd.ins == insGeneralAuthenticate
		c.lines.chain, c.lines.chained = cmd, true
		return answer(nil, swOK), nil
	}
	data, sw, err := c.execute(ctx, cmd)
	if err != nil {
		return nil, err
	}
	if sw != swOK {
		return answer(nil, sw), nil
	}
	return c.deliver(cmd, data), nil
}

// refuse is what can be said of a command without knowing its meaning.
func (c *Card) refuse(cmd apdu, wellFormed bool) uint16 {
	switch {
	case !wellFormed, cmd.extended && !c.store.personality.extended:
		return swLength
	case cmd.cla&^(claChaining|claSecureMsg|claChannel) != 0:
		return swNoClass
	case cmd.cla&claSecureMsg != 0:
		return swNoSecureMsg
	case cmd.cla&claChannel != 0:
		return swNoChannel
	}
	return swOK
}

func (a apdu) sameHeader(b apdu) bool { return a.ins == b.ins && a.p1 == b.p1 && a.p2 == b.p2 }

func (a apdu) sameBut(b apdu) bool { return a.sameHeader(b) && bytes.Equal(a.data, b.data) }

// deliver sends the first part of an answer and keeps the rest for GET RESPONSE.
func (c *Card) deliver(cmd apdu, data []byte) []byte {
	p := c.store.personality
	most, all := p.chunk, shortLe
	if cmd.extended {
		most, all = p.chunkExt, extendedLe
	}
	switch {
	case cmd.le == 0 && p.announceOnly && len(data) > 0:
		c.lines.pending = data
		return answer(nil, swMoreData|moreCount(len(data)))
	case cmd.le == 0:
		cmd.le = all
	case p.wrongLe6C && cmd.le < len(data) && cmd.le < shortLe && len(data) <= shortLe:
		c.lines.held = &held{cmd, data}
		return answer(nil, swWrongLe|uint16(byte(len(data))))
	}
	n := min(len(data), cmd.le, most)
	if n == len(data) {
		return answer(data, swOK)
	}
	c.lines.pending = data[n:]
	return answer(data[:n], swMoreData|moreCount(len(data)-n))
}

// moreCount is the XX of 61XX: the bytes left, 00 where there are 256 or more.
func moreCount(n int) uint16 {
	if n >= 256 {
		return 0
	}
	return uint16(n)
}

func (c *Card) getResponse(cmd apdu) []byte {
	data := c.lines.pending
	c.lines = lines{}
	if len(data) == 0 || cmd.cla != 0 {
		return answer(nil, swConditions)
	}
	if cmd.le == 0 {
		cmd.le = shortLe
	}
	return c.deliver(cmd, data)
}

// execute hands a whole command to the selected application.
func (c *Card) execute(ctx context.Context, cmd apdu) ([]byte, uint16, error) {
	r := &request{ctx: ctx, card: c, cmd: cmd, fresh: c.power.fresh}
	c.power.fresh = false
	var data []byte
	sw := swNoInstruction
	switch {
	case cmd.ins == insSelect:
		data, sw = r.selectApplication()
	case c.power.app != nil:
		data, sw = c.power.app.run(r)
	}
	return data, sw, r.err
}

// A request is a command in execution.
type request struct {
	ctx   context.Context
	card  *Card
	cmd   apdu
	fresh bool // the command just before was a VERIFY that succeeded
	err   error
}

func (r *request) state() *state             { return r.card.store.state }
func (r *request) personality() *personality { return r.card.store.personality }
func (r *request) power() *powerUp           { return &r.card.power }

// change has f work on the newest state and keeps it if f says so. What cannot be kept ends the session: nothing may be
// granted that was not written.
func (r *request) change(f func(s *state) (keep bool)) {
	if err := r.card.store.change(func() bool { return f(r.card.store.state) }); err != nil {
		r.err = err
		r.card.reset()
	}
}
