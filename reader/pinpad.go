package reader

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"cardbridge/apdu"
)

// PINPad tells whether the reader takes a PIN on its own keys
// (FEATURE_VERIFY_PIN_DIRECT, PC/SC part 10 section 2.3), with a card in it or
// without.
func (c *Conn) PINPad(ctx context.Context) (bool, error) {
	var pad bool
	t, err := c.begin(ctx)
	switch {
	case err == nil:
		defer t.end()
		err = t.turn.call(ctx, func() error {
			pad = readerFeatures(c.h).pinPad()
			return nil
		}, c.clean)
		return err == nil && pad, err
	case !errors.Is(err, apdu.ErrRemoved) && !errors.Is(err, apdu.ErrNoAnswer):
		return false, err
	}
	turn, err := c.turn(ctx)
	if err != nil {
		return false, err
	}
	defer turn.end()
	if c.ses == nil {
		return false, ErrClosed
	}
	err = turn.call(ctx, func() error {
		h, err := c.ses.Connect(c.name, shareDirect, protocolNone)
		if err != nil {
			return err
		}
		pad = readerFeatures(h).pinPad()
		return h.Disconnect()
	}, c.clean)
	if err != nil {
		return false, c.failed(err)
	}
	return pad, nil
}

// TransmitPIN has the reader take a PIN on its own keys and send it to the card
// (FEATURE_VERIFY_PIN_DIRECT, or the START and FINISH of older drivers, PC/SC
// part 10 section 2.5). apdu.ErrNoPINPad where the reader has none.
func (t *transaction) TransmitPIN(e apdu.PINEntry) ([]byte, error) {
	switch {
	case t.ended.Load():
		return nil, fmt.Errorf("reader %q: the transaction has ended", t.conn.name)
	case t.err != nil:
		return nil, t.err
	}
	var resp []byte
	absent := false
	err := t.turn.call(t.ctx, func() (err error) {
		f := readerFeatures(t.conn.h)
		if absent = !f.pinPad(); absent {
			return nil
		}
		if code, direct := f[featureVerifyDirect]; direct {
			resp, err = t.conn.h.Control(code, verifyStructure(e))
			return err
		}
		if _, err = t.conn.h.Control(f[featureVerifyStart], verifyStructure(e)); err == nil {
			resp, err = t.conn.h.Control(f[featureVerifyFinish], nil)
		}
		return err
	}, t.conn.clean)
	switch {
	case t.turn.over:
		t.err = err
		return nil, err
	case absent:
		return nil, apdu.ErrNoPINPad
	case err == nil && len(resp) < 2:
		err = NotTransacted
	}
	if err != nil {
		t.err = t.explain(err)
		return nil, t.err
	}
	return resp, nil
}

// verifyStructure is PIN_VERIFY_STRUCTURE (PC/SC part 10 section 2.5.2), whose
// numbers are little endian. The reader's own limits of time apply.
func verifyStructure(e apdu.PINEntry) []byte {
	const header = 5 // CLA INS P1 P2 Lc
	b := []byte{
		0, 0, // bTimeOut, bTimeOut2: the reader's
		0x82,                          // bmFormatString: in bytes, at the start of the data, left justified, ASCII
		byte(len(e.Command) - header), // bmPINBlockString: that many bytes, no length in it
		0,                             // bmPINLengthFormat: no length in the APDU
		byte(e.Greatest), byte(e.Least),
		2,                // bEntryValidationCondition: the enter key
		1, 0x09, 0x04, 0, // bNumberMessage, wLangId, bMsgIndex: "enter the PIN" in English
		0, 0, 0, // bTeoPrologue: T=1 is the driver's
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Command)))
	return append(b, e.Command...)
}
