package piv

import (
	"context"
	"errors"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
)

// object reads a data object (GET DATA, SP 800-73-4 part 2 section 3.1.2): what
// is inside its tag 53, or inside 7E or 7F61. Objects with nothing inside are
// card.ErrNotFound, as are absent ones: cards without a way to delete have
// emptied ones.
func (x *tx) object(tag Tag) ([]byte, error) {
	o := objectOf(tag)
	b, err := x.send(apdu.Command{INS: insGetData, P1: 0x3F, P2: 0xFF, Data: tlv(0x5C, tag.Bytes()), Le: apdu.LeMax, Secret: o.holdsKey()})
	if err != nil {
		switch s, _ := apdu.StatusOf(err); {
		case absent(err), x.ours && (s == apdu.ErrIncorrectData || s == apdu.ErrFunctionNotSupported):
			// The latter of tags that the card does not know: the Gemalto CAC (ATR
			// 3B7A18...) of the Discovery object (OpenSC, pull request 1256).
			return nil, fmt.Errorf("%w: %w", card.ErrNotFound, err)
		case s == apdu.ErrSecurityStatus && o.PIN:
			return nil, fmt.Errorf("%w: %w", card.ErrLoginRequired, err)
		case x.ours && withheld(err):
			return nil, fmt.Errorf("%w: %w", card.ErrWithheld, err)
		default:
			return nil, err
		}
	}
	outer := Tag(0x53)
	if o.Bare {
		outer = tag
	}
	if len(b) == 0 {
		// Some cards answer so for objects that were made and not filled
		// (OpenFIPS201, PIV.java, OPTION_READ_EMPTY_DATA_OBJECT). Another applet
		// may do so for whatever it is asked.
		if !x.ours {
			return nil, malformed("%s: an answer without data", o.Label)
		}
		return nil, fmt.Errorf("%w: the object is empty", card.ErrNotFound)
	}
	v, err := leading(b, outer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Label, err)
	}
	x.ours = true
	if len(v) == 0 {
		return nil, fmt.Errorf("%w: the object is empty", card.ErrNotFound)
	}
	return v, nil
}

// putObject writes a data object (PUT DATA, part 2 section 3.3.2), nil to empty
// it, after the management key was authenticated.
func (x *tx) putObject(tag Tag, value []byte) error {
	o := objectOf(tag)
	if o.ReadOnly {
		return fmt.Errorf("%w: the %s is not written by this program", card.ErrUnsupported, o.Label)
	}
	row := x.row()
	if row.MaxObject > 0 && len(value) > row.MaxObject {
		return fmt.Errorf("%w: %d bytes, and an object on a %s holds %d; nothing was written", ErrTooLarge, len(value), row.Model, row.MaxObject)
	}
	x.c.content.forgetObject(o)
	_, err := x.send(apdu.Command{INS: insPutData, P1: 0x3F, P2: 0xFF, Data: append(tlv(0x5C, tag.Bytes()), tlv(0x53, value)...), Secret: o.holdsKey()})
	if tag == TagCHUID && x.c.owner.source != vendorSerial && (err == nil || !answered(err)) {
		x.renamed(value, err == nil)
	}
	return x.written(err, "the object is as it was")
}

// renamed: a card without a serial number has got another CHUID, and is still
// the same card.
func (x *tx) renamed(chuid []byte, certain bool) {
	x.c.owner, x.c.facts.serial, x.c.facts.serialAsked = fingerprint{}, fingerprint{}, false
	x.c.refused.by = fingerprint{}
	if certain {
		name := guidOf(chuid)
		x.c.owner, x.c.facts.serial, x.c.facts.serialAsked = name, name, true
	}
}

// ErrTooLarge: the card has no room for so much.
var ErrTooLarge = errors.New("too large for the card")

// written gives the error of a command that changes the card its meaning: one
// that the card refused changed nothing, and after one whose answer never came
// nobody knows.
func (x *tx) written(err error, refused string) error {
	if err == nil {
		return nil
	}
	s, answered := apdu.StatusOf(err)
	switch {
	case !answered:
		return fmt.Errorf("%w: %w", card.ErrInterruptedWrite, err)
	case s == apdu.ErrSecurityStatus && x.admin: // OpenFIPS201, of what its personaliser keeps for himself
		return fmt.Errorf("%w with this management key, which is authenticated: it wants another key, or a secure channel; %s: %w", card.ErrUnsupported, refused, err)
	case s == apdu.ErrSecurityStatus:
		return fmt.Errorf("%w; %s: %w", card.ErrAdminRequired, refused, err)
	case s == apdu.ErrNotEnoughMemory, s == apdu.ErrWrongLength:
		return fmt.Errorf("%w; %s: %w", ErrTooLarge, refused, err)
	case s == apdu.ErrMemoryFailure, s == apdu.ErrUnknown:
		return fmt.Errorf("%w: %w", card.ErrInterruptedWrite, err)
	case unsupported(err), absent(err):
		return fmt.Errorf("%w; %s: %w", card.ErrUnsupported, refused, err)
	default:
		return fmt.Errorf("%s: %w", refused, err)
	}
}

// ReadObject returns what is inside a data object's tag 53, or inside 7E or
// 7F61 (GET DATA, SP 800-73-4 part 2 section 3.1.2). Access condition: as the
// object's row says, PIN or always. card.ErrNotFound where there is none,
// card.ErrLoginRequired where the card wants the PIN first, card.ErrWithheld
// where it refuses what the standard has free.
func (c *Card) ReadObject(ctx context.Context, tag Tag) ([]byte, error) {
	o := objectOf(tag)
	return run(ctx, c, need{what: "read " + o.Label, login: o.PIN, again: true}, func(x *tx) ([]byte, error) {
		return x.object(tag)
	})
}

// WriteObject stores a data object: value is what goes inside tag 53 (PUT DATA,
// SP 800-73-4 part 2 section 3.3.2). Access condition: management key. When the
// write was interrupted the object is read back: nil says that all of value is
// there, card.ErrInterruptedWrite what is there instead.
func (c *Card) WriteObject(ctx context.Context, tag Tag, value []byte) error {
	o := objectOf(tag)
	return c.write(ctx, "write "+o.Label, tag, value)
}

// DeleteObject empties a data object, which is all that PIV knows of deleting.
// Access condition: management key. Deleting what is not there is no error.
func (c *Card) DeleteObject(ctx context.Context, tag Tag) error {
	return c.write(ctx, "delete "+objectOf(tag).Label, tag, nil)
}

func (c *Card) write(ctx context.Context, what string, tag Tag, value []byte) error {
	_, err := run(ctx, c, need{what: what, admin: true}, func(x *tx) (struct{}, error) {
		return struct{}{}, x.putObject(tag, value)
	})
	if !errors.Is(err, card.ErrInterruptedWrite) {
		return err
	}
	return c.readBack(ctx, err, tag, value)
}

// readBack finds out what an interrupted write left.
func (c *Card) readBack(ctx context.Context, cause error, tag Tag, value []byte) error {
	o := objectOf(tag)
	now, err := run(ctx, c, need{what: "read back", login: o.PIN, again: true}, func(x *tx) ([]byte, error) {
		return x.object(tag)
	})
	switch {
	case errors.Is(err, card.ErrNotFound) && len(value) == 0, err == nil && string(now) == string(value):
		return nil // it is all there: only the answer was lost
	case errors.Is(err, card.ErrNotFound):
		return fmt.Errorf("%w; the card now has no %s", cause, o.Label)
	case err != nil:
		return fmt.Errorf("%w; whether the %s is the old or the new one, or neither, is not known", cause, o.Label)
	default:
		return fmt.Errorf("%w; the card now has %d bytes as %s, not what was to be written", cause, len(now), o.Label)
	}
}
