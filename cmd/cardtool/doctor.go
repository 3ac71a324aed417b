package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/internal/host"
	"cardbridge/reader"
)

// A findingReport is one thing that doctor looked at.
type findingReport struct {
	Check  string `json:"check"`
	State  string `json:"state"` // "ok", "note" or "problem"
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"` // the command that mends it
}

type doctorReport struct {
	Findings []findingReport `json:"findings"`
	Problems int             `json:"problems"`
}

const (
	stateOK      = string(reader.OK)
	stateNote    = string(reader.Note)
	stateProblem = string(reader.Problem)
)

func (r *doctorReport) add(check, state, detail, fix string) {
	r.Findings = append(r.Findings, findingReport{check, state, detail, fix})
	if state == stateProblem {
		r.Problems++
	}
}

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Find out why a card does not work, and what mends it",
		Long: `Look at the PC/SC service, the readers, who uses the cards, and the cards
themselves, and say of each problem what mends it. No PIN is sent. The exit code
is 1 when there is a problem.`,
		Example: "  cardtool doctor",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := &doctorReport{Findings: []findingReport{}}
			if err := a.examine(cmd.Context(), r); err != nil {
				return err
			}
			err := a.print(r, func(w io.Writer) {
				for _, f := range r.Findings {
					fmt.Fprintf(w, "%-8s %s: %s\n", f.State, f.Check, oneLine(f.Detail))
					if f.Fix != "" {
						fmt.Fprintf(w, "%-8s %s\n", "", f.Fix)
					}
				}
			})
			if err == nil && r.Problems > 0 {
				err = fmt.Errorf("%s found", plural(r.Problems, "problem"))
			}
			return err
		},
	}
}

func (a *app) examine(ctx context.Context, r *doctorReport) error {
	h, err := a.host()
	if err != nil {
		return err
	}
	for _, f := range h.Diagnose(ctx) {
		r.add(f.Check, string(f.Verdict), f.Detail, f.Fix)
	}
	states, err := h.Readers(ctx)
	if err != nil {
		if r.Problems == 0 {
			r.add("readers", stateProblem, err.Error(), "")
		}
		return nil
	}
	var cards []patient
	for _, s := range states {
		if s.Card && !s.Mute && !s.Exclusive {
			cards = append(cards, a.see(ctx, h, s.Reader))
		}
	}
	seen := len(cards)
	for _, p := range cards {
		if a.global.serial != "" && p.err == nil && !strings.EqualFold(p.info.Serial, a.global.serial) {
			seen--
			continue
		}
		r.patient(p, a.chooses(p, cards))
	}
	switch {
	case a.global.serial != "" && seen == 0:
		r.add("cards", stateProblem, "no card has serial number "+a.global.serial, "cardtool doctor shows all cards")
	case len(r.Findings) == 0:
		r.add("readers", stateProblem, "no reader is connected", "connect one; cardtool watch shows when it is seen")
	}
	return nil
}

// A patient is a card that doctor looked at.
type patient struct {
	reader string
	info   *infoReport
	err    error // why there is no info
}

// see asks a card who it is and what it tells of its secrets.
func (a *app) see(ctx context.Context, h *host.Host, name string) patient {
	c, err := a.connect(h, name)
	if err != nil {
		return patient{name, nil, err}
	}
	defer c.close()
	info, err := c.info(ctx)
	return patient{name, info, err}
}

// chooses is what a command needs so that it is about this card of several, and
// finds it without what this run was told.
func (a *app) chooses(p patient, all []patient) string {
	if p.err != nil || len(all) == 1 && a.global.reader == "" {
		return ""
	}
	named := 0
	for _, other := range all {
		if other.err == nil && other.info.Serial == p.info.Serial {
			named++
		}
	}
	if a.global.reader == "" && p.info.Serial != "" && named == 1 {
		return " --serial " + p.info.Serial
	}
	return " --reader " + shellWord(p.reader)
}

// shellWord quotes what a shell would take apart.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./:-", r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// mends are the commands for what is wrong with PIN and PUK; %s chooses the card.
var mends = map[string]struct{ blocked, lastTry, factory string }{
	string(card.PIN): {"cardtool pin unblock%s", "cardtool pin verify --spend-last-try%s", "cardtool pin change%s"},
	string(card.PUK): {"cardtool reset%s, which destroys all keys, once the PIN is blocked too; nothing else helps", "cardtool puk change --spend-last-try%s", "cardtool puk change%s"},
}

func (r *doctorReport) patient(p patient, choose string) {
	check := "card in " + p.reader
	switch {
	case errors.Is(p.err, card.ErrNoApplet):
		r.add(check, stateNote, "the card has no PIV application", "")
	case p.err != nil:
		r.add(check, stateProblem, p.err.Error(), "")
	default:
		r.card(check, p.info, choose)
	}
}

// card says what is wrong with a card that works.
func (r *doctorReport) card(check string, info *infoReport, choose string) {
	what := identityText(card.Identity{Model: info.Model, Serial: info.Serial}) + ", " + info.Applet
	if info.Version != "" {
		what += ", firmware " + info.Version
	}
	r.add(check, stateOK, what, "")
	for _, p := range info.PINs {
		mend := func(command string) string { return fmt.Sprintf(command, choose) }
		switch {
		case p.Blocked && p.Global:
			r.add(check, stateProblem, "the card's global "+p.Name+" is blocked", globalUnblock)
		case p.Blocked:
			r.add(check, stateProblem, "the "+p.Name+" is blocked", mend(mends[p.Name].blocked))
		case p.Tries != nil && *p.Tries == 1:
			r.add(check, stateProblem, "the "+p.Name+" has one try left; the right one gives all back", mend(mends[p.Name].lastTry))
		case p.Default:
			r.add(check, stateNote, "the "+p.Name+" is still the factory's", mend(mends[p.Name].factory))
		}
	}
	if info.unclear != nil {
		r.add(check, stateProblem, info.unclear.Error(), "where that is the admin-data object: cardtool object delete admin-data"+choose)
	}
	if mk := info.ManagementKey; mk != nil && mk.Default {
		r.add(check, stateNote, "the management key is still the factory's", "cardtool admin-key change --generate --protect --factory-admin-key"+choose)
	}
}
