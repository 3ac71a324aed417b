package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"cardbridge/internal/cli/tui"
)

// openInput opens a file to be read, "-" or "" for standard input. size is -1
// where it is not known.
func (a *app) openInput(name string) (r io.ReadCloser, size int64, err error) {
	if name == "" || name == "-" {
		// Secrets come first on standard input, a line each; the rest is the file.
		if err := a.secretsFromStdin(); err != nil {
			return nil, 0, err
		}
		if a.stdinRead {
			return nil, 0, usagef("standard input is one file, not several")
		}
		a.stdinRead = true
		return io.NopCloser(a.stdin), -1, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, inputError{err}
	}
	st, err := f.Stat()
	switch {
	case err != nil:
		f.Close()
		return nil, 0, inputError{err}
	case st.IsDir():
		f.Close()
		return nil, 0, inputError{fmt.Errorf("%s is a directory", name)}
	case !st.Mode().IsRegular():
		return f, -1, nil
	}
	return f, st.Size(), nil
}

// inputSize is a regular file's size, -1 of anything that can be read only once.
func (a *app) inputSize(name string) (int64, error) {
	if name == "" || name == "-" {
		return -1, nil
	}
	st, err := os.Stat(name)
	if err != nil {
		return 0, inputError{err}
	}
	if !st.Mode().IsRegular() {
		return -1, nil
	}
	return st.Size(), nil
}

// interruptible runs a read that may wait for ever, for a terminal or a pipe,
// and leaves it behind when ctx ends first.
func interruptible(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// maxSmallInput bounds what is read whole: keys, certificates, signatures.
const maxSmallInput = 1 << 20

// readInput reads a small file, "-" or "" for standard input.
func (a *app) readInput(name string) (b []byte, err error) {
	err = interruptible(a.ctx, func() error {
		r, _, err := a.openInput(name)
		if err != nil {
			return err
		}
		defer r.Close()
		if b, err = io.ReadAll(io.LimitReader(r, maxSmallInput+1)); err != nil {
			return inputError{fmt.Errorf("%s: %w", inputName(name), err)}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(b) > maxSmallInput {
		return nil, inputf("%s is larger than 1 MiB", inputName(name))
	}
	return b, nil
}

func inputName(name string) string {
	if name == "" || name == "-" {
		return "standard input"
	}
	return name
}

// stream copies a file, showing how far it is. w is not used any more when it
// was interrupted.
func (a *app) stream(ctx context.Context, file, text string, w io.Writer) error {
	var r io.ReadCloser
	var size int64
	err := interruptible(ctx, func() (err error) {
		r, size, err = a.openInput(file)
		return err
	})
	if err != nil {
		return err
	}
	in := io.Reader(r)
	if !a.global.quiet && !a.global.json && file != "" && file != "-" {
		p := tui.Progress(a.stderr, r, size, text+" "+file)
		defer p.Stop()
		in = p
	}
	return interruptible(ctx, func() error {
		defer r.Close()
		if _, err := io.Copy(w, in); err != nil {
			return inputError{fmt.Errorf("%s: %w", inputName(file), err)}
		}
		return nil
	})
}
