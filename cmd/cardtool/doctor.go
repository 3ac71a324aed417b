package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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
	if a.usesPCSC() {
		for _, f := range reader.New().Diagnose(ctx) {
			r.add(f.Check, string(f.Verdict), f.Detail, f.Fix)
		}
	}
	states, err := h.Readers(ctx)
	if err != nil {
		if r.Problems == 0 {
			r.add("readers", stateProblem, err.Error(), "")
		}
		return nil
	}
	for _, s := range states {
		if s.Card && !s.Mute && !s.Exclusive {
			a.examineCard(ctx, r, h, s.Reader)
		}
	}
	if len(r.Findings) == 0 {
		r.add("readers", stateProblem, "no reader is connected", "connect one; cardtool watch shows when it is seen")
	}
	return nil
}

// usesPCSC tells whether the readers that are meant are PC/SC's at all.
func (a *app) usesPCSC() bool {
	env := host.FromEnvironment()
	listed := env == "" || slices.Contains(strings.Split(env, ","), "pcsc")
	return listed && !strings.HasPrefix(a.global.reader, "softcard:")
}

// examineCard asks a card who it is and what it tells of its secrets.
func (a *app) examineCard(ctx context.Context, r *doctorReport, h *host.Host, name string) {
	check := "card in " + name
	c, err := a.connect(h, name)
	if err != nil {
		r.add(check, stateProblem, err.Error(), "")
		return
	}
	defer c.close()
	info, err := c.info(ctx)
	switch {
	case errors.Is(err, card.ErrNoApplet):
		r.add(check, stateNote, "the card has no PIV application", "")
	case err != nil:
		r.add(check, stateProblem, err.Error(), "")
	default:
		r.card(check, info)
	}
}

// card says what is wrong with a card that works.
func (r *doctorReport) card(check string, info *infoReport) {
	what := identityText(card.Identity{Model: info.Model, Serial: info.Serial}) + ", " + info.Applet
	if info.Version != "" {
		what += ", firmware " + info.Version
	}
	r.add(check, stateOK, what, "")
	fixes := map[string]string{string(card.PIN): "cardtool pin unblock", string(card.PUK): "nothing but cardtool reset, which destroys all keys, helps once the PIN is blocked too"}
	changes := map[string]string{string(card.PIN): "cardtool pin change", string(card.PUK): "cardtool puk change"}
	for _, p := range info.PINs {
		switch {
		case p.Blocked:
			r.add(check, stateProblem, "the "+p.Name+" is blocked", fixes[p.Name])
		case p.Tries != nil && *p.Tries == 1:
			r.add(check, stateProblem, "the "+p.Name+" has one try left", "the right one gives all tries back: cardtool --spend-last-try")
		case p.Default:
			r.add(check, stateNote, "the "+p.Name+" is still the factory's", changes[p.Name])
		}
	}
	if mk := info.ManagementKey; mk != nil && mk.Default {
		r.add(check, stateNote, "the management key is still the factory's", "cardtool admin-key change --generate --protect")
	}
}
