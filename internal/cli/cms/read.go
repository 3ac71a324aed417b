package cms

import (
	"bytes"
	"fmt"
	"io"
)

// maxTail bounds what a signature has beside its content: certificates and
// signatures.
const maxTail = 64 << 20

// Read reads a SignedData of size bytes. Its content, where it is inside, stays in r:
// it may be larger than memory. BER with indefinite lengths is read whole.
func Read(r io.ReaderAt, size int64) (*SignedData, error) {
	w := &walker{r: r, end: size}
	definite, content, err := w.find()
	if err != nil {
		return nil, err
	}
	if !definite || content == nil {
		whole := make([]byte, size)
		if definite && size > maxTail {
			return nil, fmt.Errorf("%w: too large for a signature without content", ErrMalformed)
		}
		if _, err := r.ReadAt(whole, 0); err != nil && err != io.EOF {
			return nil, err
		}
		if !definite {
			if whole, err = toDER(whole); err != nil {
				return nil, err
			}
		}
		return Parse(whole)
	}
	if w.end-w.at > maxTail {
		return nil, fmt.Errorf("%w: %d bytes after the content", ErrMalformed, w.end-w.at)
	}
	tail := make([]byte, w.end-w.at)
	if _, err := r.ReadAt(tail, w.at); err != nil && err != io.EOF {
		return nil, err
	}
	s := &SignedData{content: content}
	return s, s.parseTail(tail)
}

// A walker goes through headers at the start of a SignedData.
type walker struct {
	r       io.ReaderAt
	at, end int64
	err     error
}

// header reads the header of a value with that tag and stops behind it.
func (w *walker) header(tag byte) berHeader {
	var b [10]byte
	n, err := w.r.ReadAt(b[:], w.at)
	if err != nil && err != io.EOF && w.err == nil {
		w.err = err
	}
	h, ok := parseHeader(b[:n])
	if w.err == nil && (!ok || h.tag != tag || h.length > w.end-w.at-int64(h.size)) {
		w.err = ErrMalformed
	}
	w.at += int64(h.size)
	return h
}

// skip goes past a value with that tag.
func (w *walker) skip(tag byte) {
	w.at += w.header(tag).length
}

// is tells whether the next value has that tag.
func (w *walker) is(tag byte) bool {
	var b [1]byte
	_, err := w.r.ReadAt(b[:], w.at)
	return err == nil && b[0] == tag
}

// find leaves w behind the EncapsulatedContentInfo. definite is false where a
// length on the way is not said.
func (w *walker) find() (definite bool, content *io.SectionReader, err error) {
	outer := w.header(tagSequence)
	if !outer.indefinite {
		w.end = min(w.end, w.at+outer.length)
	}
	kind := w.at
	w.skip(tagOID)
	explicit := w.header(tagContext0)
	signed := w.header(tagSequence)
	if w.err != nil {
		return false, nil, w.err
	}
	oidBytes := make([]byte, len(oid(oidSignedData)))
	if _, err := w.r.ReadAt(oidBytes, kind); err != nil || !bytes.Equal(oidBytes, oid(oidSignedData)) {
		return false, nil, ErrMalformed
	}
	if outer.indefinite || explicit.indefinite || signed.indefinite {
		return false, nil, nil
	}
	w.skip(tagInteger)
	w.skip(tagSet)
	encap := w.header(tagSequence)
	after := w.at + encap.length
	if w.err != nil || encap.indefinite {
		return false, nil, w.err
	}
	w.skip(tagOID)
	if w.err != nil || w.at == after {
		return true, nil, w.err
	}
	inner := w.header(tagContext0)
	if inner.indefinite || !w.is(tagOctetString) {
		return false, nil, w.err
	}
	octets := w.header(tagOctetString)
	if w.err != nil || w.at+octets.length != after {
		return false, nil, ErrMalformed
	}
	content = io.NewSectionReader(w.r, w.at, octets.length)
	w.at = after
	return true, content, nil
}
