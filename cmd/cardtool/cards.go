package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/host"
	"cardbridge/internal/secret"
	"cardbridge/reader"
)

// A pivCard is the card that a command works on.
type pivCard struct {
	*piv.Card
	app  *app
	conn host.Conn
}

// host is the readers that the command line and the environment name.
func (a *app) host() (*host.Host, error) {
	trace, err := a.openTrace()
	if err != nil {
		return nil, err
	}
	h, err := host.New(host.Options{Readers: host.FromEnvironment(), Reader: a.global.reader, Decorate: trace})
	if err != nil {
		return nil, usageError{err}
	}
	a.atEnd(func() { h.Close() })
	return h, nil
}

// card finds the one card that is meant. It asks nothing of the card when
// there is only one; where there are several, it never picks one itself.
func (a *app) card(ctx context.Context) (*pivCard, error) {
	h, err := a.host()
	if err != nil {
		return nil, err
	}
	present, err := a.present(ctx, h)
	if err != nil {
		return nil, err
	}
	if len(present) == 1 && a.global.serial == "" {
		return a.connect(h, present[0].Reader)
	}
	found, err := a.identify(ctx, h, present)
	if err != nil {
		return nil, err
	}
	return a.choose(h, found)
}

// present lists the readers with a card that answers; an error says why there is none.
func (a *app) present(ctx context.Context, h *host.Host) ([]reader.State, error) {
	states, err := h.Readers(ctx)
	if err != nil {
		return nil, readersError(err)
	}
	var present []reader.State
	var empty []string
	for _, s := range states {
		switch {
		case s.Card && !s.Mute:
			present = append(present, s)
		case s.Mute:
			empty = append(empty, s.Reader+" (its card does not answer to reset)")
		default:
			empty = append(empty, s.Reader)
		}
	}
	switch {
	case len(present) > 0:
		return present, nil
	case len(empty) > 0:
		return nil, hinted{fmt.Errorf("%w in %s", errNoCard, strings.Join(empty, ", ")), "insert one"}
	case a.global.reader != "":
		return nil, hinted{fmt.Errorf("%w: no reader %q", errNoCard, a.global.reader), "cardtool readers lists those there are"}
	default:
		return nil, hinted{fmt.Errorf("%w: no reader is connected", errNoCard), "connect one, or use --reader softcard:FILE for a card in software"}
	}
}

// readersError is for readers that cannot be listed: an error of the service,
// which says itself how to mend it, or of a software card's file.
func readersError(err error) error {
	if errors.Is(err, reader.ErrService) {
		return hinted{err, "cardtool doctor tells more"}
	}
	return err
}

// A foundCard is a card among several.
type foundCard struct {
	reader   string
	identity card.Identity
	err      error // why it is none of ours
}

func (f foundCard) String() string {
	return fmt.Sprintf("%s in %s", identityText(f.identity), f.reader)
}

func identityText(id card.Identity) string {
	s := id.Model
	if s == "" {
		s = "card"
	}
	if id.Serial != "" {
		s += " " + id.Serial
	}
	return s
}

// identify asks each card who it is. A card that is no PIV card, or fails, is
// not one to choose from.
func (a *app) identify(ctx context.Context, h *host.Host, present []reader.State) ([]foundCard, error) {
	var found []foundCard
	for _, s := range present {
		c, err := a.connect(h, s.Reader)
		if err != nil {
			return nil, err
		}
		id, err := c.Identity(ctx)
		c.close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		found = append(found, foundCard{s.Reader, id, err})
	}
	return found, nil
}

func (a *app) choose(h *host.Host, found []foundCard) (*pivCard, error) {
	var good []foundCard
	var names []string
	var failed error
	for _, f := range found {
		switch {
		case f.err != nil && !errors.Is(f.err, card.ErrNoApplet):
			failed = cardError{f.reader, f.err}
		case f.err != nil:
		case a.global.serial == "" || strings.EqualFold(f.identity.Serial, a.global.serial):
			good = append(good, f)
		}
		if f.err == nil {
			names = append(names, f.String())
		}
	}
	switch {
	case len(good) == 1 && (failed == nil || a.global.serial != ""):
		return a.connect(h, good[0].reader)
	case len(good) > 1 || len(good) == 1:
		if failed != nil {
			names = append(names, failed.Error())
		}
		return nil, fmt.Errorf("%w: %s", card.ErrAmbiguous, strings.Join(names, "; "))
	case failed != nil:
		return nil, failed
	case len(names) == 0:
		return nil, fmt.Errorf("%w: %w", errNoCard, card.ErrNoApplet)
	default:
		return nil, hinted{fmt.Errorf("%w with serial number %s", errNoCard, a.global.serial), "there is: " + strings.Join(names, "; ")}
	}
}

func (a *app) connect(h *host.Host, name string) (*pivCard, error) {
	conn, err := h.Connect(name)
	if err != nil {
		return nil, cardError{name, err}
	}
	conn = patientConn{conn, patience, a.waitingFor}
	opts := []piv.Option{piv.WithTouch(a.touch)}
	if a.global.anyPIN {
		opts = append(opts, piv.WithAnyPIN())
	}
	c := &pivCard{Card: piv.Open(conn, opts...), app: a, conn: conn}
	a.atEnd(c.close)
	return c, nil
}

func (c *pivCard) close() {
	c.Card.Close()
	c.conn.Close()
}

// on says on which card err came about.
func (c *pivCard) on(err error) error {
	if errors.Is(err, piv.ErrDigitsOnly) {
		err = hinted{err, "--any-pin sends it nevertheless; a card that takes digits only may count it as a wrong one"}
	}
	if err == nil || as[cardError](err) || strings.Contains(err.Error(), c.conn.Reader()) || notTheCards(err) {
		return err
	}
	return cardError{c.conn.Reader(), err}
}

// notTheCards tells of errors that came about before a card was asked, or with a
// file.
func notTheCards(err error) bool {
	return as[*fs.PathError](err) || as[usageError](err) || as[inputError](err) || as[secretError](err) || errors.Is(err, errDeclined) || errors.Is(err, fs.ErrExist)
}

// withCard runs f on the card that is meant.
func (a *app) withCard(ctx context.Context, f func(*pivCard) error) error {
	c, err := a.card(ctx)
	if err != nil {
		return err
	}
	return c.on(f(c))
}

// tries is what a prompt says of the tries left, and refuses to go on where
// a secret is blocked or its last try would be spent unasked.
func tries(st card.PINState, spendLast bool) (string, error) {
	switch {
	case st.Blocked():
		return "", &card.Blocked{Name: st.Name, Global: st.Global}
	case st.Tries == 1 && !spendLast:
		return "", fmt.Errorf("%s: %w", st.Name, card.ErrLastTry)
	}
	var notes []string
	if st.Global {
		notes = append(notes, "the card's global one")
	}
	switch {
	case st.Tries == 1:
		notes = append(notes, "last try")
	case st.Tries > 1:
		notes = append(notes, fmt.Sprintf("%d tries left", st.Tries))
	}
	return strings.Join(notes, ", "), nil
}

// pin gets the PIN (or PUK), and asks for it only after the card has told how
// many tries are left. No transaction is open while a person types.
func (c *pivCard) pin(ctx context.Context, k secretKind, name card.SecretName, o piv.LoginOptions) (*secret.Secret, error) {
	note := ""
	if !c.app.source(k).given() {
		st, err := c.PINState(ctx, name)
		if err != nil && !errors.Is(err, card.ErrUnsupported) {
			return nil, err
		}
		if err == nil {
			if note, err = tries(st, o.SpendLastTry); err != nil {
				return nil, err
			}
		}
	}
	return c.app.secret(ctx, k, note)
}
