package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cardbridge/reader"
)

// A readerReport is one reader in JSON.
type readerReport struct {
	Slot      int    `json:"slot"`          // stable number while a program runs
	Name      string `json:"name"`          // what --reader takes
	Card      bool   `json:"card"`          // a card is in it
	Mute      bool   `json:"mute"`          // the card does not answer to reset
	ATR       string `json:"atr,omitempty"` // answer to reset, in hex
	InUse     bool   `json:"inUse"`         // some program is connected to the card
	Exclusive bool   `json:"exclusive"`     // some program has the card for itself
}

type readersReport struct {
	Readers []readerReport `json:"readers"`
}

func reportReader(s reader.State) readerReport {
	return readerReport{
		Slot: s.Slot, Name: s.Reader, Card: s.Card, Mute: s.Mute, ATR: fmt.Sprintf("%X", s.ATR),
		InUse: s.InUse, Exclusive: s.Exclusive,
	}
}

func (r readerReport) state() string {
	switch {
	case r.Mute:
		return "card does not answer"
	case r.Exclusive:
		return "card, held by one program"
	case r.Card:
		return "card"
	default:
		return "empty"
	}
}

func (a *app) readersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "readers",
		Short: "List the readers, and whether a card is in them",
		Long: `List the readers that PC/SC knows and the software cards that CARDBRIDGE_READERS
or --reader names. Nothing is sent to a card.`,
		Example: "  cardtool readers\n  cardtool readers --json",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := a.host()
			if err != nil {
				return err
			}
			states, err := h.Readers(cmd.Context())
			if err != nil {
				return readersError(err)
			}
			report := readersReport{Readers: []readerReport{}}
			rows := [][]string{{"READER", "STATE", "ATR"}}
			for _, s := range states {
				r := reportReader(s)
				report.Readers = append(report.Readers, r)
				rows = append(rows, []string{r.Name, r.state(), r.ATR})
			}
			if len(states) == 0 {
				a.message("no reader is connected")
			}
			return a.print(report, func(w io.Writer) {
				if len(states) > 0 {
					table(w, rows)
				}
			})
		},
	}
}

// completeReaders offers the readers that are there now.
func (a *app) completeReaders(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	a.global.reader = ""
	h, err := a.host()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer h.Close()
	states, err := h.Readers(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, s := range states {
		out = append(out, s.Reader+"\t"+reportReader(s).state())
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeSerials offers the serial numbers of the cards that are there now.
func (a *app) completeSerials(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	a.global.serial = ""
	h, err := a.host()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer h.Close()
	present, err := a.present(cmd.Context(), h)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found, err := a.identify(cmd.Context(), h, present)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, f := range found {
		if f.err == nil && f.identity.Serial != "" {
			out = append(out, f.identity.Serial+"\t"+f.identity.Model+" in "+f.reader)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeFlag offers values for a flag; a shell shows nothing where that fails.
func (a *app) completeFlag(cmd *cobra.Command, flag string, f func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // no such flag: this program is wrong
	}
}

// completeWords offers fixed values for a flag.
func (a *app) completeWords(cmd *cobra.Command, flag string, words ...string) {
	a.completeFlag(cmd, flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		// Lists end in the word being typed.
		done := typed[:strings.LastIndex(typed, ",")+1]
		var out []string
		for _, w := range words {
			out = append(out, done+w)
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	})
}
