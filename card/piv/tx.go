package piv

import (
	"bytes"
	"errors"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
)

// A tx is the applet within one transaction: nobody else speaks to the card
// before it ends.
type tx struct {
	c *Card
	t apdu.Transaction

	// ours: PIV is known to be the selected applet, by a SELECT or an answer
	// that only PIV gives, in this transaction. What the card says then is to
	// be believed, and PINs may be sent.
	ours bool
	// verified and admin: known of this transaction, not believed from before.
	verified, admin bool
	// pinUnanswered: a PIN was sent and no answer came, so nobody knows whether
	// its try counted.
	pinUnanswered bool
	// lost is the error of the wire that broke the transaction, nil without one.
	// Its conclusions are drawn when it is over, as secrets are in use before.
	lost error
}

// attempt runs f with what n needs. When what came back can also be the answer
// of another applet, or of a card that lost its logins - another program
// selected something, or reset the card, between two transactions - it begins
// again from SELECT, once; from a proof that leaves the card's state alone where
// SELECT would drop a login that only the person could give again.
func attempt[T any](x *tx, n need, f func(*tx) (T, error)) (T, error) {
	v, err := once(x, n, f)
	if err == nil || !x.doubtful(n, err) {
		return v, err
	}
	var zero T
	if !x.ours && x.c.state.verified && (x.c.facts.discovery != nil || !x.c.pin.held()) {
		// A SELECT would take the PIN once more, from the person where they typed it
		// on the reader.
		if err := x.proveGently(); err != nil {
			return zero, err
		}
		if !x.c.state.verified || !x.doubtful(n, err) {
			return once(x, n, f)
		}
	}
	if err := x.selectApplet(); err != nil {
		return zero, err
	}
	return once(x, n, f)
}

func once[T any](x *tx, n need, f func(*tx) (T, error)) (T, error) {
	var zero T
	if !n.lazy && !x.c.state.selected {
		if err := x.prove(); err != nil {
			return zero, err
		}
	}
	if n.login {
		if err := x.relogin(); err != nil {
			return zero, err
		}
	}
	if n.admin {
		if err := x.readmin(); err != nil {
			return zero, err
		}
	}
	return f(x)
}

// doubtful tells whether err may come of a card that is not in the state it was
// left in, rather than of the operation.
func (x *tx) doubtful(n need, err error) bool {
	status, isStatus := apdu.StatusOf(err)
	if !isStatus && !errors.Is(err, card.ErrInvalidAnswer) || errors.Is(err, card.ErrTouchTimeout) || x.pinUnanswered {
		return false // of the wire, of our own making, or of the user's; or a PIN may have counted
	}
	if errors.Is(err, card.ErrNoApplet) {
		return false // SELECT was just sent
	}
	if !x.ours {
		return true
	}
	// The applet is ours, but another program may have selected it anew.
	lost := isStatus && (status == apdu.ErrSecurityStatus || status == apdu.ErrConditionsNotSatisfied)
	return lost && (n.login && x.c.pin.held() && !x.verified || n.admin && x.c.adminKey.held() && !x.admin)
}

// prove makes sure that PIV is the selected applet.
func (x *tx) prove() error {
	if x.ours {
		return nil
	}
	return x.selectApplet()
}

// send sends one command to the applet. What answers with data where there is
// none to answer with is not the applet.
func (x *tx) send(cmd apdu.Command) ([]byte, error) {
	b, err := x.c.channel.Send(x.t, cmd)
	if err == nil && cmd.Le == 0 && len(b) > 0 {
		return nil, malformed("%d bytes as the answer to %s, which has none", len(b), apdu.Name(cmd.INS))
	}
	if err == nil {
		return b, nil
	}
	if err = wire(err); !answered(err) && !errors.Is(err, card.ErrInvalidAnswer) {
		x.broken(err)
	}
	return nil, err
}

// broken takes note that the wire broke.
func (x *tx) broken(err error) {
	x.lost = err
	if errors.Is(err, apdu.ErrReset) || errors.Is(err, apdu.ErrRemoved) {
		x.c.unlocked.pin, x.c.unlocked.admin = false, false
	}
	clear(x.c.tries)
	x.forgetState()
}

// openedByPIN takes note that the card took the PIN.
func (x *tx) openedByPIN() { x.c.state.open, x.c.unlocked.pin = true, true }

// forgetState drops what is believed and what is known of selection and logins.
func (x *tx) forgetState() {
	x.c.state = state{}
	x.ours, x.verified, x.admin = false, false, false
}

func answered(err error) bool {
	_, ok := apdu.StatusOf(err)
	return ok
}

// wire makes an answer that is no answer a card's doing.
func wire(err error) error {
	if errors.Is(err, apdu.ErrNoStatus) || errors.Is(err, apdu.ErrEndlessAnswer) {
		return fmt.Errorf("%w: %w", card.ErrInvalidAnswer, err)
	}
	return err
}

// aid is the PIV application without its version (SP 800-73-4 part 1,
// section 2.2), which a card completes itself.
var aid = fullAID[:9]

// fullAID has the version that all cards of the standard have, 01.00.
var fullAID = []byte{0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00}

// selectApplet selects PIV (SELECT, SP 800-73-4 part 2 section 3.1.1). It drops
// what was verified: the standard lets a card keep that when PIV was selected
// already, and vendors do otherwise.
func (x *tx) selectApplet() error {
	open := x.c.state.open
	x.forgetState()
	x.c.state.open = open
	b, err := x.send(apdu.Command{INS: insSelect, P1: 0x04, Data: aid, Le: apdu.MaxShortLe})
	if isStatus(err, apdu.ErrNotFound) { // a card that does not complete it
		b, err = x.send(apdu.Command{INS: insSelect, P1: 0x04, Data: fullAID, Le: apdu.MaxShortLe})
	}
	if err != nil {
		switch s, _ := apdu.StatusOf(err); s {
		case apdu.ErrNotFound, apdu.ErrFunctionNotSupported, apdu.ErrReferenceNotFound, apdu.ErrIncorrectP1P2, apdu.ErrInstruction, apdu.ErrClass, errNotSelectable:
			return fmt.Errorf("%w: no PIV: %w", card.ErrNoApplet, err)
		default:
			return err
		}
	}
	t, err := parseTemplate(b)
	if err != nil {
		return err
	}
	x.c.facts.template = t
	x.c.channel.MaxCommand = x.row().MaxCommand
	x.c.state.selected, x.ours = true, true
	if x.row().selectForgets() {
		x.c.state.open = false
		x.c.unlocked.pin, x.c.unlocked.admin = false, false
	}
	return nil
}

// errNotSelectable is what JavaCards say of an applet that is there and refuses,
// as one that is switched off for the interface does (yubikey-manager,
// yubikit/core/smartcard).
const errNotSelectable apdu.Status = 0x6999

// A template is the application property template that SELECT returns
// (SP 800-73-4 part 2, table 3).
type template struct {
	aid        []byte // 4F: AID, or on Yubico's cards what follows the RID
	label      string // 50
	algorithms []byte // AC: algorithm identifiers
}

// parseTemplate takes it as cards give it: none at all, or the FCI template of
// ISO 7816-4 in its place, which tells as much as SELECT's status word.
func parseTemplate(b []byte) (template, error) {
	if padding(b) {
		return template{}, nil
	}
	if _, err := leading(b, 0x6F); err == nil {
		return template{}, nil
	}
	v, err := leading(b, 0x61)
	if err != nil {
		if v, err = unwrapped(b, err); err != nil {
			return template{}, fmt.Errorf("SELECT: %w", err)
		}
	}
	es, err := parsePadded(v)
	if err != nil {
		return template{}, fmt.Errorf("SELECT: %w", err)
	}
	var t template
	t.aid, _ = es.find(0x4F)
	if label, ok := es.find(0x50); ok {
		t.label = string(label)
	}
	for _, ac := range es { // one for all algorithms, or one for each
		if ac.Tag != 0xAC {
			continue
		}
		if list, err := parse(ac.Value); err == nil {
			for _, e := range list {
				if e.Tag == 0x80 && len(e.Value) == 1 {
					t.algorithms = append(t.algorithms, e.Value[0])
				}
			}
		}
	}
	return t, nil
}

// unwrapped is the template of Pico Keys, with a length of 0 although it is not
// empty, or without its tag; err of everything else.
func unwrapped(b []byte, err error) ([]byte, error) {
	if b = bytes.TrimPrefix(b, []byte{0x61, 0x00}); bytes.HasPrefix(b, []byte{0x4F}) {
		return b, nil
	}
	return nil, err
}

// yubico tells whether the template is the one of Yubico's cards: the AID
// without its RID, and no label.
func (t template) yubico() bool { return len(t.aid) == 6 && t.label == "" }
