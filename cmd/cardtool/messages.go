package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/internal/cli/tui"
)

// message tells how things go, on standard error.
func (a *app) message(format string, v ...any) {
	if !a.global.quiet && !a.global.json {
		fmt.Fprintf(a.stderr, "cardtool: "+format+"\n", v...)
	}
}

// warn says what a person should know even with -q.
func (a *app) warn(format string, v ...any) {
	fmt.Fprintf(a.stderr, "cardtool: warning: "+format+"\n", v...)
}

// print prints a result: as JSON where that is asked for, else as human does.
func (a *app) print(v any, human func(w io.Writer)) error {
	if a.global.json {
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	var b strings.Builder
	human(&b)
	_, err := io.WriteString(a.stdout, b.String())
	return err
}

// table prints columns, as wide as they need to be, without trailing blanks.
func table(w io.Writer, rows [][]string) {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		for i, cell := range r {
			if i > 0 {
				fmt.Fprint(tw, "\t")
			}
			fmt.Fprint(tw, oneLine(cell))
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
	for line := range strings.Lines(b.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// facts prints names and values, leaving out what is not known.
func facts(w io.Writer, pairs ...string) {
	var rows [][]string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			rows = append(rows, []string{pairs[i] + ":", pairs[i+1]})
		}
	}
	table(w, rows)
}

// busy runs f while text and the time gone by show on a terminal.
func (a *app) busy(text string, f func() error) error {
	if a.global.quiet || a.global.json {
		return f()
	}
	status := tui.Spin(a.stderr, text)
	a.status.Store(status)
	defer func() {
		a.status.Store(nil)
		status.Stop()
	}()
	return f()
}

// touch is called while the card waits for a touch, from any goroutine.
func (a *app) touch(k card.KeyInfo) {
	text := "touch your key"
	if k.Ref != "" {
		text += fmt.Sprintf(" (slot %s)", k.Ref)
	}
	if s := a.status.Load(); s != nil && tui.IsTerminal(a.stderr) {
		s.Say(upperFirst(text))
		return
	}
	// Not a matter of -q: without it the command seems to hang.
	fmt.Fprintf(a.stderr, "cardtool: %s\n", text)
}

// confirm asks before something is lost, unless --yes was given.
func (a *app) confirm(ctx context.Context, loss string) error {
	if a.global.yes {
		return nil
	}
	yes, err := tui.Confirm(ctx, loss+" Go on?")
	switch {
	case errors.Is(err, tui.ErrNoTerminal):
		return hinted{fmt.Errorf("%w: %s", errDeclined, strings.TrimSuffix(loss, ".")), "--yes goes on without asking"}
	case err != nil:
		return err
	case !yes:
		return errDeclined
	}
	return nil
}

func (a *app) yesFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.global.yes, "yes", "y", false, "do not ask before something is lost")
}
