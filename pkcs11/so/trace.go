package main

import (
	"fmt"
	"log"
	"os"
	"time"

	"cardbridge/pkcs11/ck"
)

// A tracer writes what is called and what came of it to a file. It knows names
// and codes, and no arguments: a PIN or key cannot get into it. A nil tracer
// does nothing.
type tracer struct {
	file *os.File
	log  *log.Logger
}

// newTracer opens the trace file; an empty path traces nothing.
func newTracer(path string) (*tracer, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	prefix := fmt.Sprintf("cardbridge-pkcs11[%d]: ", os.Getpid())
	return &tracer{f, log.New(f, prefix, log.Ltime|log.Lmicroseconds|log.Lmsgprefix)}, nil
}

func (t *tracer) logger() *log.Logger {
	if t == nil {
		return nil
	}
	return t.log
}

func (t *tracer) start() time.Time {
	if t == nil {
		return time.Time{}
	}
	return time.Now()
}

// end writes a call's line.
func (t *tracer) end(name string, start time.Time, rv ck.RV, err error) {
	if t == nil {
		return
	}
	took := ""
	if !start.IsZero() {
		took = fmt.Sprintf(" (%v)", time.Since(start).Round(time.Microsecond))
	}
	t.log.Printf("%s: %s%s", name, rv.Error(), took)
	if err != nil && err != rv {
		t.log.Printf("%s: %v", name, err)
	}
}

func (t *tracer) close() {
	if t != nil {
		t.file.Close()
	}
}
