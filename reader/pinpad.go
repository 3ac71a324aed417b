package reader

import (
	"encoding/binary"
	"fmt"

	"cardbridge/apdu"
)

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
