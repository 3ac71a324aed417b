package piv

import (
	"context"
	"errors"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/internal/secret"
)

// full stands in Card.tries for a counter that is as when fresh, however many
// tries that is: the PIN was right just now.
const full = 1000

// PINState tells what the card tells of a secret, and spends no try: the answer
// to VERIFY without data (SP 800-73-4 part 2 section 3.2.1), or GET METADATA
// (Yubico), which knows the PUK and the management key too, and whether they
// are still the factory's. Where the card does not tell, Tries and Max are -1.
// Access condition: always.
func (c *Card) PINState(ctx context.Context, name card.SecretName) (card.PINState, error) {
	return run(ctx, c, need{what: fmt.Sprintf("ask for the state of the %s", name), again: true}, func(x *tx) (card.PINState, error) {
		switch name {
		case card.PIN:
			return x.pinState()
		case card.PUK, card.ManagementKey:
			return x.otherState(name)
		default:
			return card.PINState{}, fmt.Errorf("%w: PIV has no %s", card.ErrUnsupported, name)
		}
	})
}

func (x *tx) pinState() (card.PINState, error) {
	if x.mayHaveMetadata() {
		s, err := x.referenceState(card.PIN, refPIN)
		told := err == nil && s.Tries >= 0
		if told || err != nil && !errors.Is(err, errNoMetadata) && !errors.Is(err, card.ErrNotFound) {
			s.Verified = err == nil && x.c.state.verified
			return s, err
		}
	}
	if err := x.proveGently(); err != nil {
		return card.PINState{}, err
	}
	ref, err := x.pinReference()
	if err != nil {
		return card.PINState{}, err
	}
	s := card.PINState{Name: card.PIN, Tries: -1, Max: -1, Global: ref == refGlobalPIN}
	_, err = x.send(apdu.Command{INS: insVerify, P2: ref})
	status, answered := apdu.StatusOf(err)
	switch tries, ok := x.triesOf(status); {
	case err == nil:
		s.Verified = true
		x.c.tries[card.PIN] = full
	case !answered:
		return card.PINState{}, err
	case ok:
		s.Tries = tries
	case status == apdu.ErrAuthMethodBlocked:
		s.Tries = 0
	case unsupported(err), absent(err), status == apdu.ErrIncorrectData, withheld(err):
		// The card does not tell; the last, over its contactless interface.
	default:
		return card.PINState{}, err
	}
	x.c.state.verified, x.verified = s.Verified, s.Verified
	x.c.state.open = x.c.state.open || s.Verified
	if s.Tries >= 0 {
		x.c.knowTries(card.PIN, s.Tries)
	}
	return s, nil
}

// otherState is that of the PUK or the management key, which only metadata
// tells of.
func (x *tx) otherState(name card.SecretName) (card.PINState, error) {
	s := card.PINState{Name: name, Tries: -1, Max: -1}
	if !x.mayHaveMetadata() {
		return s, nil
	}
	told, err := s, error(nil)
	if name == card.PUK {
		told, err = x.referenceState(name, refPUK)
	} else {
		var k adminKeyInfo
		if k, err = x.adminMetadata(); err == nil {
			told.Default, told.Verified = k.Default, x.c.state.admin
		}
	}
	if errors.Is(err, errNoMetadata) {
		return s, nil
	}
	return told, err
}

// referenceState is GET METADATA of the PIN or the PUK.
func (x *tx) referenceState(name card.SecretName, ref byte) (card.PINState, error) {
	es, err := x.metadata(ref)
	if err != nil {
		return card.PINState{}, err
	}
	s := card.PINState{Name: name, Tries: -1, Max: -1}
	if d, ok := es.byte(metaDefault); ok {
		s.Default = d != 0
	}
	r, _ := es.find(metaRetries)
	switch len(r) {
	case 2:
		s.Max, s.Tries = int(r[0]), int(r[1])
	case 1: // older Pico Keys
		s.Tries = int(r[0])
	}
	if s.Tries >= 0 {
		x.c.knowTries(name, s.Tries)
	}
	return s, nil
}

func (c *Card) knowTries(name card.SecretName, n int) {
	c.tries[name] = n
	c.refused.seen(name, n)
}

// triesOf reads the tries left from a status word.
func (x *tx) triesOf(s apdu.Status) (int, bool) {
	if n, ok := s.Retries(); ok {
		return n, true
	}
	if x.row().Tries630X && s.SW1() == 0x63 {
		return int(s.SW2()), true
	}
	return 0, false
}

// proveGently is prove without losing what is verified, where something of PIV's
// own can be read for proof: Discovery; on cards that need not have it the PIN's
// metadata, or CHUID.
func (x *tx) proveGently() error {
	if x.ours || !x.c.state.selected {
		return x.prove()
	}
	var err error
	switch {
	case x.row().HasDiscovery:
		x.c.facts.discoveryAsked = false
		_, err = x.discovery()
	case !x.c.state.verified && !x.c.state.admin:
	case x.hasMetadata() == yes:
		_, err = x.metadata(refPIN)
	default:
		_, err = x.object(TagCHUID)
	}
	if err != nil && !answered(err) && !errors.Is(err, card.ErrInvalidAnswer) {
		return err
	}
	return x.prove()
}

// discovery reads the Discovery object, nil where there is none.
func (x *tx) discovery() (*Discovery, error) {
	f := &x.c.facts
	if f.discoveryAsked {
		return f.discovery, nil
	}
	v, err := x.object(TagDiscovery)
	switch {
	case err == nil:
		d, err := decodeDiscovery(v)
		if err != nil {
			return nil, err
		}
		f.discovery, f.discoveryAsked = d, true
		return d, nil
	case x.ours && (errors.Is(err, card.ErrNotFound) || unsupported(err)):
		f.discovery, f.discoveryAsked = nil, true
		return nil, nil
	default:
		return nil, err
	}
}

// pinReference is the key reference of the PIN that users know: the card's
// global one where the Discovery object calls it the primary (SP 800-73-4 part
// 1 section 3.3.2), or the only one, which the standard does not have and
// OpenFIPS201 can be made to.
func (x *tx) pinReference() (byte, error) {
	if x.row().anyYubico() && x.hasMetadata() == no && !tooOldForMetadata(x.c.facts.atr) {
		// An old one, or a card of the standard that answers SELECT as shortly.
		if _, err := x.version(); err != nil {
			return 0, err
		}
	}
	if !x.row().HasDiscovery {
		return refPIN, nil
	}
	if _, err := x.discovery(); err != nil {
		return 0, err
	}
	if x.c.facts.globalPIN() {
		return refGlobalPIN, nil
	}
	return refPIN, nil
}

// globalPIN tells whether the Discovery object, as far as it was read, makes the
// card's global PIN the one that users know.
func (f *facts) globalPIN() bool {
	d := f.discovery
	return d != nil && d.GlobalPIN && (d.GlobalPrimary || !d.ApplicationPIN)
}

// blocked is the error of a secret without tries.
func (x *tx) blocked(name card.SecretName, err error) *card.Blocked {
	return &card.Blocked{Name: name, Global: name == card.PIN && x.c.facts.globalPIN(), Err: err}
}

// padPIN checks that a secret can be a PIN or PUK of the card and pads it to
// the eight bytes that go over the wire (SP 800-73-4 part 2 section 2.4.3).
// Digits alone are asked for where the card is known to want them, and unless
// WithAnyPIN says otherwise where nothing is known of it: cards beyond the
// standard take other characters too.
func (x *tx) padPIN(name card.SecretName, s *secret.Secret, use func([]byte) error) error {
	if s == nil {
		return fmt.Errorf("%w: no %s given", card.ErrWrongSecretFormat, name)
	}
	return s.Use(func(b []byte) error {
		if len(b) < 6 || len(b) > 8 {
			return fmt.Errorf("%w: a %s has 6 to 8 characters", card.ErrWrongSecretFormat, name)
		}
		for _, c := range b {
			digit := c >= '0' && c <= '9'
			switch {
			case c == 0xFF: // padding
				return fmt.Errorf("%w: a %s has no byte FF", card.ErrWrongSecretFormat, name)
			case name == card.PIN && !digit && x.row().DigitsOnly:
				return fmt.Errorf("%w: a %s of this card has digits only", card.ErrWrongSecretFormat, name)
			case name == card.PIN && !digit && x.row().MayBeMore && !x.c.anyPIN:
				return fmt.Errorf("%w: %w", card.ErrWrongSecretFormat, ErrDigitsOnly)
			}
		}
		var padded [8]byte
		defer clear(padded[:])
		for i := copy(padded[:], b); i < len(padded); i++ {
			padded[i] = 0xFF
		}
		return use(padded[:])
	})
}

// mayTry refuses to send a PIN or PUK that the card refused before, or that
// would spend the last try.
func (x *tx) mayTry(name card.SecretName, s *secret.Secret, spendLastTry bool) error {
	n, known := x.c.tries[name]
	if !known || n <= 1 { // others may have unblocked it
		state, err := x.stateFor(name)
		if err != nil {
			return err
		}
		n, known = state.Tries, state.Tries >= 0
	}
	switch {
	case known && n == 0:
		return x.blocked(name, nil)
	case x.c.refused.has(name, s):
		return card.ErrRefusedBefore
	case known && n == 1 && !spendLastTry:
		return fmt.Errorf("%w (%s)", card.ErrLastTry, name)
	}
	return nil
}

func (x *tx) stateFor(name card.SecretName) (card.PINState, error) {
	if name == card.PIN {
		return x.pinState()
	}
	return x.otherState(name)
}

// present sends a command with a PIN or PUK in it, once, and says what the card
// thought of it. The applet must be proven to be ours before.
func (x *tx) present(name card.SecretName, s *secret.Secret, cmd apdu.Command) error {
	if !x.ours {
		panic("piv: a PIN for an applet that is not known to be ours")
	}
	cmd.Secret = true
	x.pinUnanswered = true
	before, known := x.c.tries[name]
	delete(x.c.tries, name)
	_, err := x.send(cmd)
	status, answered := apdu.StatusOf(err)
	if err == nil || answered {
		x.pinUnanswered = false
	}
	if err == nil {
		x.c.refused.forget(name)
		if known && before > 1 {
			x.c.tries[name] = full
		}
		return nil
	}
	if name == card.PIN {
		x.c.state.verified, x.verified = false, false
	}
	if !answered {
		return err
	}
	err = x.judge(name, status, err)
	var wrong *card.WrongPIN
	if errors.As(err, &wrong) {
		x.c.refused.add(name, s, wrong.Tries)
	}
	return err
}

// judge says what a card thought of a PIN or PUK that it did not take.
func (x *tx) judge(name card.SecretName, status apdu.Status, err error) error {
	tries, told := x.triesOf(status)
	switch {
	case told:
		x.c.tries[name] = tries
		wrong := &card.WrongPIN{Name: name, Tries: tries, Err: err}
		if tries == 0 {
			return fmt.Errorf("%w: %w", x.blocked(name, err), wrong)
		}
		return wrong
	case status == apdu.ErrAuthMethodBlocked:
		x.c.tries[name] = 0
		return x.blocked(name, err)
	case status == apdu.ErrWarningNoInformation:
		return &card.WrongPIN{Name: name, Tries: -1, Err: err}
	case status == apdu.ErrIncorrectData:
		return fmt.Errorf("%w: the card takes no such %s: %w", errNotThisFormat, name, err)
	case withheld(err): // not compared: over a contactless interface, mostly
		return fmt.Errorf("%w: %w", card.ErrWithheld, err)
	default:
		return err
	}
}

// errNotThisFormat: the card refused a value for what it is made of. Whether
// that cost a try, the next operation asks.
var errNotThisFormat = errors.New("not accepted")

// verify sends the PIN (VERIFY, SP 800-73-4 part 2 section 3.2.1).
func (x *tx) verify(pin *secret.Secret, spendLastTry bool) error {
	if err := x.sameCard(); err != nil {
		return err
	}
	if _, known := x.c.tries[card.PIN]; !known || !x.ours && x.hasMetadata() == yes {
		if _, err := x.pinState(); err != nil { // which proves by the way
			return err
		}
	}
	if err := x.proveGently(); err != nil {
		return err
	}
	ref, err := x.pinReference()
	if err != nil {
		return err
	}
	return x.padPIN(card.PIN, pin, func(padded []byte) error {
		if err := x.mayTry(card.PIN, pin, spendLastTry); err != nil {
			return err
		}
		err := x.present(card.PIN, pin, apdu.Command{INS: insVerify, P2: ref, Data: padded})
		if errors.Is(err, errNotThisFormat) {
			return &card.WrongPIN{Name: card.PIN, Tries: -1, Err: err}
		}
		if err != nil {
			return err
		}
		x.c.state.verified, x.verified, x.c.state.open = true, true, true
		return nil
	})
}
