package main

import (
	"context"
	"testing"
)

// endless is a pipe that never ends.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	clear(b)
	e.read += len(b)
	return len(b), nil
}

// TestEndlessSignature: what is no CMS and comes through a pipe is not read
// without bound.
func TestEndlessSignature(t *testing.T) {
	in := new(endless)
	a := &app{ctx: context.Background(), stdin: in}
	s, err := a.openSignature("-")
	if err != nil {
		t.Fatal(err)
	}
	if s.size > maxSmallInput || in.read > 2*maxSmallInput {
		t.Errorf("%d bytes kept, %d read", s.size, in.read)
	}
}
