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

// TransmitPIN has the reader take PINs on its own keys and send them to the card
// (FEATURE_VERIFY_PIN_DIRECT and FEATURE_MODIFY_PIN_DIRECT, or the START and
// FINISH of older drivers, PC/SC part 10 section 2.5). apdu.ErrNoPINPad where the
// reader has none, or cannot do this.
func (t *transaction) TransmitPIN(e apdu.PINEntry) ([]byte, error) {
	switch {
	case t.ended.Load():
		return nil, fmt.Errorf("reader %q: the transaction has ended", t.conn.name)
	case t.err != nil:
		return nil, t.err
	}
	feature, structure := padVerify, verifyStructure(e)
	if e.Typed != apdu.TypedPIN {
		feature, structure = padModify, modifyStructure(e)
	}
	var resp []byte
	absent := false
	err := t.turn.call(t.ctx, func() (err error) {
		defer clear(structure) // a PUK may be in it
		codes := feature.codes(readerFeatures(t.conn.h))
		absent = len(codes) == 0
		in := structure
		for _, code := range codes {
			if resp, err = t.conn.h.Control(code, in); err != nil {
				return err
			}
			in = nil
		}
		return nil
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

const (
	commandHeader = 5    // CLA INS P1 P2 Lc
	asciiBytes    = 0x82 // bmFormatString: in bytes, at the start of the data, left justified, ASCII
	enterKey      = 2    // bEntryValidationCondition
)

// Both structures' numbers are little endian; the reader's own limits of time
// apply, and T=1's prologue is the driver's.

// verifyStructure is PIN_VERIFY_STRUCTURE (PC/SC part 10 section 2.5.2).
func verifyStructure(e apdu.PINEntry) []byte {
	return withCommand([]byte{
		0, 0, // bTimeOut, bTimeOut2: the reader's
		asciiBytes,
		byte(len(e.Command) - commandHeader), // bmPINBlockString: that many bytes, no length in it
		0,                                    // bmPINLengthFormat: no length in the APDU
		byte(e.Greatest), byte(e.Least),
		enterKey,
		1, 0x09, 0x04, 0, // bNumberMessage, wLangId, bMsgIndex: "enter the PIN" in English
		0, 0, 0, // bTeoPrologue
	}, e.Command)
}

// modifyStructure is PIN_MODIFY_STRUCTURE (PC/SC part 10 section 2.5.3).
func modifyStructure(e apdu.PINEntry) []byte {
	block := byte(len(e.Command)-commandHeader) / 2
	const typeTwice, typeOld = 1, 2
	confirm, messages, first := byte(typeTwice|typeOld), byte(3), byte(0)
	if e.Typed == apdu.TypedNew {
		confirm, messages, first = typeTwice, 2, 1
	}
	return withCommand([]byte{
		0, 0, // bTimeOut, bTimeOut2: the reader's
		asciiBytes,
		block,    // bmPINBlockString: of each PIN
		0,        // bmPINLengthFormat: no length in the APDU
		0, block, // bInsertionOffsetOld, bInsertionOffsetNew
		byte(e.Greatest), byte(e.Least),
		confirm, // bConfirmPIN
		enterKey,
		messages, 0x09, 0x04, // bNumberMessage, wLangId: English
		first, first + 1, (first + 2) % 3, // bMsgIndex1 to 3: "enter the PIN", "enter the new PIN", "confirm it"
		0, 0, 0, // bTeoPrologue
	}, e.Command)
}

// withCommand ends a structure: ulDataLength and abData.
func withCommand(b, command []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(command)))
	return append(b, command...)
}
