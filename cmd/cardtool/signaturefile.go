package main

import (
	"bufio"
	"bytes"
	"encoding/asn1"
	"fmt"
	"io"
	"math"
	"os"
)

// A signatureFile is a signature of any form.
type signatureFile struct {
	io.ReaderAt
	size int64
}

// openSignature opens a file; what can be read only once is read.
func (a *app) openSignature(name string) (*signatureFile, error) {
	size, err := a.inputSize(name)
	if err != nil {
		return nil, err
	}
	s := &signatureFile{size: size}
	if size < 0 {
		b, err := a.readSignature(name)
		if err != nil {
			return nil, err
		}
		s.ReaderAt, s.size = bytes.NewReader(b), int64(len(b))
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, inputError{err}
		}
		a.atEnd(func() { f.Close() })
		s.ReaderAt = f
	}
	if s.size == 0 {
		return nil, inputf("%s is empty", inputName(name))
	}
	return s, nil
}

// readSignature reads what can be read only once. CMS may have its content
// inside, which is of any size; no other signature is large.
func (a *app) readSignature(name string) (b []byte, err error) {
	err = interruptible(a.ctx, func() error {
		r, _, err := a.openInput(name)
		if err != nil {
			return err
		}
		defer r.Close()
		in := bufio.NewReader(r)
		max := int64(maxSmallInput)
		if first, err := in.Peek(1); err == nil && (first[0] == '-' || first[0] == asn1.TagSequence|0x20) {
			max = math.MaxInt64
		}
		if b, err = io.ReadAll(io.LimitReader(in, max)); err != nil {
			return inputError{fmt.Errorf("%s: %w", inputName(name), err)}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (s *signatureFile) read() ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(s, 0, s.size))
}
