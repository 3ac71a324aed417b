package main

import (
	"fmt"
	"io"

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
