package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardbridge/reader"
)

// An eventReport is one line of cardtool watch --json.
type eventReport struct {
	Time       string        `json:"time"`       // RFC 3339
	Event      string        `json:"event"`      // "reader-added", "reader-removed", "card-inserted", "card-removed", or "settled" after what was there at the start
	Generation uint64        `json:"generation"` // grows with every card inserted
	Reader     *readerReport `json:"reader"`     // null of "settled"
}

func (a *app) watchCommand() *cobra.Command {
	var count int
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show readers and cards coming and going",
		Long: `Show what is in the readers and then each reader that is connected or taken away
and each card that is inserted or removed, as it happens, until interrupted.
With --json, each event is one line.`,
		Example: "  cardtool watch\n  cardtool watch --json --count 1",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := a.host()
			if err != nil {
				return err
			}
			ctx, enough := context.WithCancel(cmd.Context())
			defer enough()
			var failed error
			settled, seen := false, 0
			if _, err := h.Readers(ctx); errors.Is(err, reader.ErrService) {
				a.warn("%v; waiting for it", err)
			}
			err = h.Watch(ctx, func(e reader.Event) {
				if ctx.Err() != nil {
					return
				}
				if failed = a.showEvent(e); failed != nil {
					enough()
				}
				if settled && count > 0 {
					if seen++; seen == count {
						enough()
					}
				}
				settled = settled || e.Kind == reader.Settled
			})
			if failed != nil {
				return failed
			}
			if errors.Is(err, context.Canceled) {
				return nil // enough was seen, or a person ended it: how else
			}
			return err
		},
	}
	cmd.Flags().IntVar(&count, "count", 0, "end after this `number` of events beyond what was there at the start")
	return cmd
}

func (a *app) showEvent(e reader.Event) error {
	now := time.Now()
	if a.global.json {
		r := eventReport{
			Time: now.Format(time.RFC3339), Event: strings.ReplaceAll(e.Kind.String(), " ", "-"), Generation: e.Generation,
		}
		if e.Kind != reader.Settled {
			about := reportReader(e.State)
			r.Reader = &about
		}
		return json.NewEncoder(a.stdout).Encode(r)
	}
	if e.Kind == reader.Settled {
		a.message("watching; Ctrl-C ends")
		return nil
	}
	line := fmt.Sprintf("%s  %-14s  %s", now.Format(time.TimeOnly), e.Kind, e.Reader)
	if e.Kind == reader.CardInserted && len(e.ATR) > 0 {
		line += fmt.Sprintf("  %X", e.ATR)
	}
	_, err := fmt.Fprintln(a.stdout, oneLine(line))
	return err
}
