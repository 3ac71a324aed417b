package piv

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"

	"cardbridge/apdu"
	"cardbridge/card"
)

// maxCertificate bounds what a compressed certificate may inflate to.
const maxCertificate = 1 << 20

// Tags of a certificate object (SP 800-73-4 part 1, table 10 and others).
const (
	tagCertificate Tag = 0x70
	tagCertInfo    Tag = 0x71
	tagLRC         Tag = 0xFE
	certCompressed     = 0x01
)

// A CertificateObject is what the data object of a certificate holds.
type CertificateObject struct {
	DER        []byte // inflated
	Compressed bool
	Info       byte   // CertInfo
	MSCUID     []byte // legacy, at most 38 bytes
}

// Encode is the object's value.
func (o CertificateObject) Encode() ([]byte, error) {
	der, info := o.DER, byte(0)
	if o.Compressed {
		var z bytes.Buffer
		w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(der); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		der, info = z.Bytes(), certCompressed
	}
	b := append(tlv(tagCertificate, der), tlv(tagCertInfo, []byte{info})...)
	if len(o.MSCUID) > 0 {
		b = append(b, tlv(0x72, o.MSCUID)...)
	}
	return append(b, tlv(tagLRC)...), nil
}

func decodeCertificateObject(b []byte) (*CertificateObject, error) {
	es, err := parsePadded(b)
	if err != nil {
		return nil, err
	}
	o := &CertificateObject{}
	o.MSCUID, _ = es.find(0x72)
	if info, ok := es.find(tagCertInfo); ok && len(info) > 0 {
		o.Info = info[0]
	}
	der, ok := es.find(tagCertificate)
	if !ok && len(es) == 1 && es[0].Tag == 0x30 { // Pico Keys: no more than the certificate
		der, ok = b, true
	}
	if !ok || len(der) == 0 {
		return nil, fmt.Errorf("%w: the object holds no certificate", card.ErrNotFound)
	}
	// Some cards have compressed certificates and do not say so: gzip says it.
	if o.Info&certCompressed == 0 && !bytes.HasPrefix(der, []byte{0x1F, 0x8B}) {
		o.DER = unpadded(der)
		return o, nil
	}
	o.Compressed = true
	z, err := inflater(der)
	if err != nil {
		return nil, malformed("compressed certificate: %v", err)
	}
	o.DER, err = io.ReadAll(io.LimitReader(z, maxCertificate+1))
	switch {
	case err != nil:
		return nil, malformed("compressed certificate: %v", err)
	case len(o.DER) > maxCertificate:
		return nil, malformed("compressed certificate of more than %d bytes", maxCertificate)
	}
	o.DER = unpadded(o.DER)
	return o, nil
}

// inflater reads gzip, which is the standard's, or the zlib that some issuers
// took for it (OpenSC, card-piv.c, COMPRESSION_AUTO). What follows it is padding.
func inflater(b []byte) (io.Reader, error) {
	if len(b) > 0 && b[0]&0x0F == 8 {
		return zlib.NewReader(bytes.NewReader(b))
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err == nil {
		z.Multistream(false)
	}
	return z, err
}

// unpadded is a certificate without what fills its place up.
func unpadded(der []byte) []byte {
	if _, rest, err := apdu.ReadTLV(der); err == nil && padding(rest) {
		return der[: len(der)-len(rest) : len(der)-len(rest)]
	}
	return der
}

// errBadCertificate: the object is there, and what is in it is no certificate.
var errBadCertificate = errors.New("no certificate that can be read")

// certificate reads a slot's certificate, once an epoch.
func (x *tx) certificate(s Slot) ([]byte, error) {
	if der, ok := x.c.content.certificates[s.Ref]; ok {
		if der == nil {
			return nil, fmt.Errorf("%w: slot %s has no certificate", card.ErrNotFound, s.Ref)
		}
		return der, nil
	}
	v, err := x.object(s.Object)
	if err == nil {
		o, derr := decodeCertificateObject(v)
		switch {
		case derr == nil:
			x.c.content.setCertificate(s.Ref, o.DER)
			return o.DER, nil
		case !errors.Is(derr, card.ErrNotFound):
			return nil, fmt.Errorf("%w in slot %s: %w", errBadCertificate, s.Ref, derr)
		}
		err = derr
	}
	if errors.Is(err, card.ErrNotFound) {
		if x.ours {
			x.c.content.setCertificate(s.Ref, nil)
		}
		return nil, fmt.Errorf("slot %s has no certificate: %w", s.Ref, err)
	}
	return nil, err
}

// Certificate returns the slot's certificate in DER, inflated where it is
// compressed (GET DATA, SP 800-73-4 part 2 section 3.1.2; part 1, table 10).
// Access condition: always. card.ErrNotFound where there is none.
func (c *Card) Certificate(ctx context.Context, ref card.KeyRef) ([]byte, error) {
	s, err := slotOf(ref)
	if err != nil {
		return nil, err
	}
	return run(ctx, c, need{what: "read the certificate of slot " + string(s.Ref), again: true}, func(x *tx) ([]byte, error) {
		der, err := x.certificate(s)
		return bytes.Clone(der), err
	})
}

// PutCertificate stores a certificate in DER (PUT DATA, SP 800-73-4 part 2
// section 3.3.2). Access condition: management key. One that the card has no
// room for is ErrTooLarge, before anything is written where the room is known.
// An interrupted write is read back, as with WriteObject.
func (c *Card) PutCertificate(ctx context.Context, ref card.KeyRef, der []byte, o PutCertificateOptions) error {
	s, err := slotOf(ref)
	if err != nil {
		return err
	}
	if len(der) == 0 {
		return errors.New("an empty certificate is not stored; delete the old one instead")
	}
	v, err := CertificateObject{DER: der, Compressed: o.Compress}.Encode()
	if err != nil {
		return err
	}
	return c.write(ctx, "write the certificate of slot "+string(s.Ref), s.Object, v)
}

// DeleteCertificate empties a slot's certificate object. Access condition:
// management key. The key stays.
func (c *Card) DeleteCertificate(ctx context.Context, ref card.KeyRef) error {
	s, err := slotOf(ref)
	if err != nil {
		return err
	}
	return c.write(ctx, "delete the certificate of slot "+string(s.Ref), s.Object, nil)
}
