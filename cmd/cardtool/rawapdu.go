package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cardbridge/apdu"
)

// applications are what --select takes beside an AID in hex.
var applications = map[string]string{
	"piv":     "A000000308000010000100",
	"openpgp": "D27600012401",
}

// secretInstructions carry a PIN or key in most applets; they are not taken
// from the command line, where others can read them.
var secretInstructions = []byte{0x20, 0x21, 0x24, 0x25, 0x2C, 0x2D, 0xD8, 0xE2, 0xFE, 0xFF}

// An exchangeReport is one command and its answer in JSON.
type exchangeReport struct {
	Command  string `json:"command"`  // name of the instruction
	Response string `json:"response"` // in hex, without the status word
	Status   string `json:"status"`   // status word in hex
	Meaning  string `json:"meaning"`
}

type exchangesReport struct {
	Exchanges []exchangeReport `json:"exchanges"`
}

func (a *app) apduCommand() *cobra.Command {
	var (
		script, app string
		keepGoing   bool
		raw         bool
	)
	cmd := &cobra.Command{
		Use:   "apdu [HEX...]",
		Short: "Send commands to the card as they are",
		Long: `Send command APDUs, in hex, to the card as they are, all in one transaction, and
show each with its answer, named and with secrets left out; --raw shows the whole
answers and nothing else. A script has one command a line; what follows # is a
comment. It ends at the first status word but 9000 unless --keep-going is given.

Commands that carry PINs or keys are taken from a script only (- is standard
input). Nothing keeps them from spending PIN tries.`,
		Example: `  cardtool apdu 00CB3FFF055C035FC10200 --select piv
  cardtool apdu --script commands.txt --raw`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, argv []string) error {
			commands, err := a.rawCommands(argv, script)
			if err != nil {
				return err
			}
			if app != "" {
				sel, err := selectCommand(app)
				if err != nil {
					return err
				}
				commands = slices.Insert(commands, 0, sel)
			}
			if len(commands) == 0 {
				return usagef("no command; give some in hex, or --script FILE")
			}
			return a.withCard(cmd.Context(), func(c *pivCard) error {
				return a.exchange(cmd.Context(), c, commands, raw, keepGoing)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&script, "script", "", "read the commands from `file`")
	f.StringVar(&app, "select", "", "select this `application` first: piv, openpgp or an AID in hex")
	f.BoolVar(&raw, "raw", false, "show whole answers in hex, secret or not")
	f.BoolVar(&keepGoing, "keep-going", false, "go on after a status word other than 9000")
	a.completeWords(cmd, "select", "piv", "openpgp")
	return cmd
}

func selectCommand(app string) ([]byte, error) {
	aid := app
	if known := applications[strings.ToLower(app)]; known != "" {
		aid = known
	}
	b, err := hex.DecodeString(aid)
	if err != nil || len(b) < 5 || len(b) > 16 {
		return nil, usagef("%q is neither piv, openpgp nor an AID of 5 to 16 bytes in hex", app)
	}
	return append(append([]byte{0x00, 0xA4, 0x04, 0x00, byte(len(b))}, b...), 0), nil
}

// rawCommands reads the commands of the command line, then of the script.
func (a *app) rawCommands(argv []string, script string) ([][]byte, error) {
	var out [][]byte
	// Arguments are joined where they are parts of one command, as they are
	// when people put blanks between bytes.
	for _, s := range joinShort(argv) {
		b, err := parseAPDU(s)
		if err != nil {
			return nil, usageError{err}
		}
		if len(b) > 5 && slices.Contains(secretInstructions, b[1]) {
			return nil, usagef("a %s command may carry a PIN or key, which everybody could read on the command line; put it into a --script", apdu.Name(b[1]))
		}
		out = append(out, b)
	}
	if script == "" {
		return out, nil
	}
	data, err := a.readInput(script)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		b, err := parseAPDU(line)
		if err != nil {
			return nil, inputf("%s, line %d: %w", inputName(script), n, err)
		}
		out = append(out, b)
	}
	return out, nil
}

// joinShort joins arguments up when they are single bytes.
func joinShort(argv []string) []string {
	if len(argv) < 4 || slices.ContainsFunc(argv, func(s string) bool { return len(s) != 2 }) {
		return argv
	}
	return []string{strings.Join(argv, "")}
}

// parseAPDU does not repeat what it was given: it may hold a PIN.
func parseAPDU(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ':' || r == '\t' }), ""))
	if err != nil {
		return nil, fmt.Errorf("a command is not in hex")
	}
	if _, _, err := apdu.ParseCommand(b); err != nil {
		return nil, fmt.Errorf("not a command APDU of any of the four cases of ISO 7816-4: %w", err)
	}
	return b, nil
}

func (a *app) exchange(ctx context.Context, c *pivCard, commands [][]byte, raw, keepGoing bool) error {
	report := exchangesReport{Exchanges: []exchangeReport{}}
	var last apdu.Status
	err := c.conn.Transact(ctx, func(t apdu.Transaction) error {
		var tx apdu.Transmitter = t
		if !raw && !a.global.json {
			tx = apdu.Decorate(t, apdu.NewTrace(a.stdout, describe))
		}
		for _, command := range commands {
			response, err := tx.Transmit(command)
			if err != nil {
				return err
			}
			data, status, err := apdu.ParseResponse(response)
			if err != nil {
				return err
			}
			last = status
			report.Exchanges = append(report.Exchanges, exchangeReport{
				Command: apdu.Name(command[1]), Response: hex.EncodeToString(data),
				Status: fmt.Sprintf("%04X", uint16(last)), Meaning: statusMeaning(last),
			})
			if raw && !a.global.json {
				fmt.Fprintf(a.stdout, "%X\n", response)
			}
			if last != apdu.OK && last.SW1() != 0x61 && !keepGoing {
				return last
			}
		}
		return nil
	})
	if a.global.json {
		if perr := a.print(report, nil); perr != nil {
			return perr
		}
	}
	return err
}

func statusMeaning(s apdu.Status) string {
	if s == apdu.OK {
		return "ok"
	}
	return s.Error()
}
