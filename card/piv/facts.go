package piv

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"cardbridge/apdu"
	"cardbridge/card"
)

// facts are what was learned of the card itself, in one epoch: asked when
// wanted, and once.
type facts struct {
	atr      []byte
	template template

	version        card.Version
	versionAsked   bool
	serial         fingerprint
	serialAsked    bool
	metadata       tri
	noAttest       bool // it has no ATTEST
	oldIDs         bool // algorithm identifiers are those of older firmware
	discovery      *Discovery
	discoveryAsked bool
}

// A tri is a thing that is known to be so, known not to be, or not yet known.
type tri byte

const (
	unknown tri = iota
	yes
	no
)

// A fingerprint tells one card from another: its serial number, or the GUID of
// its CHUID.
type fingerprint struct {
	source fingerprintSource
	value  string
}

type fingerprintSource byte

const (
	notAsked fingerprintSource = iota
	nameless                   // it has neither
	vendorSerial
	chuidGUID
)

// named tells whether the card has a name at all.
func (f fingerprint) named() bool { return f.source == vendorSerial || f.source == chuidGUID }

// tooOldForMetadata tells of YubiKeys that the ATR shows to be older than GET
// METADATA (firmware 5.3): it costs no command to know. The historical bytes
// of the NEO and of the 4 are their names; those of the 5 are of all its
// firmwares (OpenSC, card-piv.c, piv_supported_atr).
func tooOldForMetadata(atr []byte) bool {
	return bytes.Contains(atr, []byte("Yubikey4")) || bytes.Contains(atr, []byte("YubikeyNEO"))
}

// atrOf is the card's answer to reset, nil where the connection does not tell.
func atrOf(conn card.Conn) []byte {
	if c, ok := conn.(interface{ ATR() []byte }); ok {
		return c.ATR()
	}
	return nil
}

// nothingKnown are the facts of a card that was asked nothing yet.
func nothingKnown(conn card.Conn) facts {
	f := facts{atr: atrOf(conn)}
	if tooOldForMetadata(f.atr) {
		f.metadata = no
	}
	return f
}

// row is the card's quirk row, from what is known so far.
func (x *tx) row() *CardRow {
	f := &x.c.facts
	t := f.template
	if r := rowOf(t, f.version, f.atr); !f.versionAsked || f.version.Known() || !r.HasVersion || !r.yubico {
		return r
	}
	t.aid = nil // Yubico's all tell it: this card only answers SELECT as shortly
	return rowOf(t, f.version, f.atr)
}

// version asks for the firmware version (Yubico's GET VERSION) where the card's
// row says that it tells one.
func (x *tx) version() (card.Version, error) {
	f := &x.c.facts
	if f.versionAsked {
		return f.version, nil
	}
	if !x.row().HasVersion {
		f.versionAsked = true
		return f.version, nil
	}
	b, err := x.send(apdu.Command{INS: insVersion, Le: apdu.MaxShortLe})
	switch {
	case err == nil && len(b) == 3:
		f.version, f.versionAsked = card.Version{Major: b[0], Minor: b[1], Patch: b[2]}, true
	case err == nil:
		return card.Version{}, malformed("GET VERSION: %d bytes", len(b))
	case x.ours && unsupported(err):
		f.versionAsked = true
	default:
		return card.Version{}, err
	}
	return f.version, nil
}

// serial asks for what tells this card from others. A card that has neither a
// serial number nor a GUID is nameless: all such are taken for one.
func (x *tx) serial() (fingerprint, error) {
	f := &x.c.facts
	if f.serialAsked {
		return f.serial, nil
	}
	s, err := x.askSerial()
	if err != nil {
		return fingerprint{}, err
	}
	f.serial, f.serialAsked = s, true
	x.c.refused.about(s)
	if x.c.owner.source == notAsked {
		x.c.owner = s
	}
	return s, nil
}

func (x *tx) askSerial() (fingerprint, error) {
	if x.row().HasSerial && x.c.owner.source != chuidGUID {
		b, err := x.send(apdu.Command{INS: insSerial, Le: apdu.MaxShortLe})
		switch {
		case err == nil && len(b) == 4:
			if x.row().SerialBCD {
				return fingerprint{vendorSerial, fmt.Sprintf("%x", b)}, nil
			}
			n := uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
			return fingerprint{vendorSerial, strconv.FormatUint(n, 10)}, nil
		case err == nil:
			return fingerprint{}, malformed("GET SERIAL: %d bytes", len(b))
		case !x.ours || !unsupported(err):
			return fingerprint{}, err
		}
	}
	return x.askGUID()
}

func (x *tx) askGUID() (fingerprint, error) {
	v, err := x.object(TagCHUID)
	if errors.Is(err, card.ErrNotFound) && x.ours {
		return fingerprint{source: nameless}, nil
	}
	if err != nil {
		return fingerprint{}, err
	}
	return guidOf(v), nil
}

// guidOf is the name that a CHUID gives to a card: its GUID, or the number in the
// FASC-N of government cards from before there were GUIDs, whose place holds
// zeros (SP 800-73-4 part 1, section 3.1.2). The FASC-N of cards that no agency
// issued is that of many.
func guidOf(v []byte) fingerprint {
	chuid, err := decodeCHUID(v)
	switch {
	case err != nil:
		return fingerprint{source: nameless}
	case chuid.GUID != [16]byte{}:
		return fingerprint{chuidGUID, fmt.Sprintf("%x", chuid.GUID)}
	}
	if number, ok := credentialNumber(chuid.FASCN); ok {
		return fingerprint{chuidGUID, number}
	}
	return fingerprint{source: nameless}
}

// unsupported tells whether a status word says that the card has no such
// command.
func unsupported(err error) bool {
	switch s, _ := apdu.StatusOf(err); s {
	case apdu.ErrInstruction, apdu.ErrClass, apdu.ErrFunctionNotSupported, apdu.ErrCommandNotAllowed, apdu.ErrIncorrectP1P2, apdu.ErrWrongP1P2, apdu.ErrWrongLength:
		return true
	}
	return false
}

// absent tells whether a status word says that the thing asked for is not
// there.
func absent(err error) bool {
	switch s, _ := apdu.StatusOf(err); s {
	case apdu.ErrNotFound, apdu.ErrReferenceNotFound, apdu.ErrRecordNotFound:
		return true
	}
	return false
}

func isStatus(err error, s apdu.Status) bool {
	got, ok := apdu.StatusOf(err)
	return ok && got == s
}
