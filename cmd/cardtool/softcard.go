package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"cardbridge/card/softcard"
)

func (a *app) softcardCommand() *cobra.Command {
	return group("softcard", "Cards in software, for tests and trials; they protect nothing",
		a.softcardCreateCommand(),
		a.softcardRunCommand(),
		a.softcardListCommand(),
	)
}

func personalityNames() []string {
	var out []string
	for _, p := range softcard.Personalities() {
		out = append(out, p.Name)
	}
	return out
}

func (a *app) softcardCreateCommand() *cobra.Command {
	var personality string
	cmd := &cobra.Command{
		Use:   "create PATH",
		Short: "Make the state file of a fresh software card",
		Long: `Make the state file of a fresh software card, with the factory secrets of the
field: PIN 123456, PUK 12345678, management key 0102030405060708 three times.
Its keys lie in that file for everybody who can read it: it protects nothing.`,
		Example: `  cardtool softcard create card.json
  cardtool --reader softcard:card.json info`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, argv []string) error {
			if _, err := oneOf("personality", personality, personalityNames()); err != nil {
				return err
			}
			err := softcard.Create(argv[0], personality)
			if errors.Is(err, fs.ErrExist) {
				return hinted{err, "choose another name"}
			}
			if err != nil {
				return err
			}
			a.message("software card in %s, for tests only: whoever can read that file has its keys", argv[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&personality, "personality", softcard.DefaultPersonality, "what `kind` of card it is: see softcard list")
	a.completeFlag(cmd, "personality", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var out []string
		for _, p := range softcard.Personalities() {
			out = append(out, p.Name+"\t"+p.Description)
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	})
	return cmd
}

// A personalityReport is one kind of software card.
type personalityReport struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Default     bool   `json:"default"`
}

type personalitiesReport struct {
	Personalities []personalityReport `json:"personalities"`
}

func (a *app) softcardListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the kinds of software cards there are",
		Example: "  cardtool softcard list",
		Args:    args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			report := personalitiesReport{Personalities: []personalityReport{}}
			rows := [][]string{{"PERSONALITY", "DESCRIPTION"}}
			for _, p := range softcard.Personalities() {
				isDefault := p.Name == softcard.DefaultPersonality
				report.Personalities = append(report.Personalities, personalityReport{p.Name, p.Description, isDefault})
				text := p.Description
				if isDefault {
					text += " (default)"
				}
				rows = append(rows, []string{p.Name, text})
			}
			return a.print(report, func(w io.Writer) { table(w, rows) })
		},
	}
}

func (a *app) softcardRunCommand() *cobra.Command {
	var (
		host    string
		port    uint16
		latency time.Duration
		touch   time.Duration
	)
	cmd := &cobra.Command{
		Use:   "run PATH",
		Short: "Put a software card into vsmartcard's virtual reader",
		Long: `Put a software card into the virtual reader of vsmartcard's vpcd driver, so that
all programs that use PC/SC see it, until interrupted.`,
		Example: "  cardtool softcard run card.json\n  cardtool softcard run card.json --port 35964 --latency 20ms",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, argv []string) error {
			opts := []softcard.Option{softcard.WithLatency(latency)}
			if touch != 0 {
				opts = append(opts, softcard.WithTouch(a.softTouch(touch)))
			}
			c, err := softcard.Open(argv[0], opts...)
			if err != nil {
				return inputError{err}
			}
			defer c.Close()
			addr := net.JoinHostPort(host, strconv.Itoa(int(port)))
			a.message("software card %s in the virtual reader at %s; Ctrl-C takes it out", argv[0], addr)
			err = c.Run(cmd.Context(), addr)
			if err == nil || errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&host, "host", "127.0.0.1", "the virtual reader's `host`")
	f.Uint16Var(&port, "port", softcard.DefaultPort, "the virtual reader's `port`")
	f.DurationVar(&latency, "latency", 0, "take at least this `long` for each command, as cards do")
	f.DurationVar(&touch, "touch", 0, "touch the card after this `long` when it waits for it (default: at once; negative: never)")
	return cmd
}

// softTouch stands in for the person who touches the card.
func (a *app) softTouch(after time.Duration) func(context.Context) bool {
	touch := softcard.TouchAfter(after)
	return func(ctx context.Context) bool {
		a.message("the card waits for a touch")
		if after < 0 {
			<-ctx.Done()
			return false
		}
		return touch(ctx)
	}
}
