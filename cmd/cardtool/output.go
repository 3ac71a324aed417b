package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"cardbridge/internal/cli/outfile"
	"cardbridge/internal/cli/tui"
)

// An output is where a command's result goes: a file that appears whole or
// not at all, or standard output.
type output struct {
	path string
	mode fs.FileMode
	app  *app
	file *outfile.File
	w    io.Writer
}

// outputFlags adds --output and --force to a command.
func (a *app) outputFlags(cmd *cobra.Command, o *output, what string) {
	o.app = a
	cmd.Flags().StringVarP(&o.path, "output", "o", "", fmt.Sprintf("write the %s to `file` instead of standard output (-)", what))
	cmd.Flags().BoolVar(&a.global.force, "force", false, "replace the file of --output")
}

// open prepares the output, and finds out what is wrong with it, before a card
// is asked for anything. binary output is not shown to a person.
func (o *output) open(binary bool) error {
	if o.path == "" || o.path == "-" {
		if binary && o.path == "" && !o.app.global.json && tui.IsTerminal(o.app.stdout) {
			return hinted{usagef("the result is binary and standard output is a terminal"), "write it to a file with -o FILE, or insist with -o -"}
		}
		o.w = o.app.stdout
		return nil
	}
	f, err := outfile.Create(o.path, outfile.Options{Mode: o.mode, Force: o.app.global.force})
	if err != nil {
		return err
	}
	o.file, o.w = f, f
	o.app.atEnd(func() {
		if o.file != nil {
			o.file.Discard()
		}
	})
	return nil
}

func (o *output) Write(b []byte) (int, error) { return o.w.Write(b) }

// commit makes the file appear.
func (o *output) commit() error {
	if o.file == nil {
		return nil
	}
	err := o.file.Commit()
	o.file = nil
	return err
}

// put writes the whole result.
func (o *output) put(b []byte) error {
	if _, err := o.Write(b); err != nil {
		return err
	}
	return o.commit()
}

// A bytesReport is a result that is bytes, in JSON.
type bytesReport struct {
	Value  string `json:"value,omitempty"`  // in hex, unless it is in a file
	Output string `json:"output,omitempty"` // that file
}

// putBytes writes the whole result, or with --json says what it is or where.
func (o *output) putBytes(b []byte) error {
	r := bytesReport{Output: o.path}
	if o.toStdout() {
		r = bytesReport{Value: hex.EncodeToString(b)}
	}
	return o.putOr(b, r)
}

// putOr writes the whole result; with --json the report goes to standard output,
// and the result only to a file.
func (o *output) putOr(b []byte, report any) error {
	if !o.app.global.json {
		return o.put(b)
	}
	if !o.toStdout() {
		if err := o.put(b); err != nil {
			return err
		}
	}
	return o.app.print(report, nil)
}

// toStdout tells whether the result itself goes to standard output, where
// nothing else may then go.
func (o *output) toStdout() bool { return o.path == "" || o.path == "-" }
