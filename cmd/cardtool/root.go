package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/internal/cli/tui"
)

// An app is one run of cardtool.
type app struct {
	ctx            context.Context // of the run: reads of files end with it
	stdin          io.Reader
	stdout, stderr io.Writer

	global  globalFlags
	secrets secretFlags
	// secretOrder has them in the order in which commands ask for them.
	secretOrder []*secretSource
	fds         map[int]*os.File
	closers     []func()
	started     bool
	stdinRead   bool // as a file: it is none any more

	status atomic.Pointer[tui.Status] // what shows while the card works
}

// globalFlags are taken by every command.
type globalFlags struct {
	reader string
	serial string
	json   bool
	trace  string
	quiet  bool
	yes    bool // of destructive commands only
	anyPIN bool // of commands that take a PIN only
	force  bool // of commands that write files only
}

// version is set by the linker in releases.
var version = ""

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}

// The groups in which help lists the commands.
const (
	groupCards = "cards"
	groupKeys  = "keys"
	groupUse   = "use"
	groupAdmin = "admin"
	groupMore  = "more"
)

// root is the whole command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "cardtool",
		Short: "Use smart cards from the command line",
		Long: `Cardtool shows the cards in this computer's readers, makes keys and
certificates on them, and signs, decrypts and agrees on keys with them.

Cards are PIV cards: YubiKeys, Nitrokeys, government cards, JavaCard applets, and
cards in software. Secrets are asked for on the terminal or read from a file, a
descriptor or the environment; they are never arguments.`,
		Version:           versionText(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
	}
	root.SetVersionTemplate("cardtool {{.Version}}\n")
	root.AddGroup(
		&cobra.Group{ID: groupCards, Title: "See cards:"},
		&cobra.Group{ID: groupKeys, Title: "Keys and certificates:"},
		&cobra.Group{ID: groupUse, Title: "Use keys:"},
		&cobra.Group{ID: groupAdmin, Title: "Administer cards:"},
		&cobra.Group{ID: groupMore, Title: "More:"},
	)
	root.SetHelpCommandGroupID(groupMore)
	root.SetCompletionCommandGroupID(groupMore)
	f := root.PersistentFlags()
	f.StringVarP(&a.global.reader, "reader", "r", "", "use the reader with this `name` or part of it, pcsc, or softcard:FILE")
	f.StringVarP(&a.global.serial, "serial", "s", "", "use the card with this serial `number`")
	f.BoolVar(&a.global.json, "json", false, "print JSON")
	f.StringVar(&a.global.trace, "trace", "", "show what is exchanged with the card, secrets left out, on standard error or in a `file` (--trace=FILE)")
	f.Lookup("trace").NoOptDefVal = "-"
	f.BoolVarP(&a.global.quiet, "quiet", "q", false, "no messages but errors")
	a.completeFlag(root, "reader", a.completeReaders)
	a.completeFlag(root, "serial", a.completeSerials)

	for _, c := range commands {
		cmd := c.make(a)
		cmd.GroupID = c.group
		root.AddCommand(cmd)
	}
	asGroup(root)
	strictHelp(root)
	a.noteStart(root)
	return root
}

// strictHelp has help refuse what is no command, rather than show something
// else, and no usage line for groups alone.
func strictHelp(root *cobra.Command) {
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	root.InitDefaultHelpCmd()
	for _, help := range root.Commands() {
		if help.Name() != "help" {
			continue
		}
		help.Run = nil
		help.RunE = func(_ *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("no help for %q: no such command", strings.Join(args, " "))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		}
	}
}

// noteStart marks when a command begins to run: errors before that are of the
// command line.
func (a *app) noteStart(cmd *cobra.Command) {
	if f := cmd.RunE; f != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			a.started = true
			return f(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		a.noteStart(sub)
	}
}

// commands is the command tree's first level, in the order in which help shows it.
var commands = []struct {
	group string
	make  func(*app) *cobra.Command
}{
	{groupCards, (*app).readersCommand},
	{groupCards, (*app).watchCommand},
	{groupCards, (*app).infoCommand},
	{groupCards, (*app).keysCommand},
	{groupKeys, (*app).keyCommand},
	{groupKeys, (*app).certCommand},
	{groupUse, (*app).signCommand},
	{groupUse, (*app).verifyCommand},
	{groupUse, (*app).decryptCommand},
	{groupUse, (*app).agreeCommand},
	{groupUse, (*app).randomCommand},
	{groupAdmin, (*app).pinCommand},
	{groupAdmin, (*app).pukCommand},
	{groupAdmin, (*app).adminKeyCommand},
	{groupAdmin, (*app).objectCommand},
	{groupAdmin, (*app).resetCommand},
	{groupAdmin, (*app).apduCommand},
	{groupMore, (*app).pkcs11Command},
	{groupMore, (*app).softcardCommand},
	{groupMore, (*app).doctorCommand},
	{groupMore, (*app).manCommand},
}

// run runs one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) (code int) {
	a.ctx = ctx
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	defer a.close()
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if !a.started {
		err = usageError{err}
		// Flags after the one that was wrong were not read.
		a.global.json = a.global.json || slices.Contains(args, "--json")
	}
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		err = interrupted(err)
	}
	return a.report(cmd, err)
}

// interrupted is the error of a run that a person ended, with what else is to be
// said: what state the card is in, or another thing that went wrong.
func interrupted(err error) error {
	switch {
	case errors.Is(err, errInterrupted):
		return err
	case errors.Is(err, context.Canceled) && !errors.Is(err, card.ErrInterruptedWrite):
		return errInterrupted
	default:
		return fmt.Errorf("%w: %w", errInterrupted, err)
	}
}

func (a *app) close() {
	for i := len(a.closers) - 1; i >= 0; i-- {
		a.closers[i]()
	}
	a.closers = nil
}

// atEnd has f called when the command is done.
func (a *app) atEnd(f func()) { a.closers = append(a.closers, f) }

// asGroup lets a command that only has subcommands say so, rather than help
// and succeed.
func asGroup(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			cmd.SetOut(cmd.ErrOrStderr())
			cmd.Help()
			return usageError{errShown}
		}
		hint := ""
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = ", did you mean " + strings.Join(near, " or ") + "?"
		}
		return usageError{fmt.Errorf("unknown command %q%s", args[0], hint)}
	}
	cmd.DisableFlagsInUseLine = true
	cmd.SuggestionsMinimumDistance = 2
	return cmd
}

// group makes a command that only has subcommands.
func group(use, short string, sub ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short}
	cmd.AddCommand(sub...)
	return asGroup(cmd)
}

// args wraps a count check of cobra's so that the error shows the usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return fmt.Errorf("%w; usage: %s", err, cmd.UseLine())
		}
		return nil
	}
}
