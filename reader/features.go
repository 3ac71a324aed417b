package reader

import (
	"encoding/binary"

	"cardbridge/apdu"
)

// features are the control codes of what a reader can do beside exchanging
// APDUs, by feature tag (PC/SC part 10 section 2.3).
type features map[byte]uint32

// Feature tags, and the tag of one property, of PC/SC part 10 sections 2.3 and
// 2.6.
const (
	featureVerifyStart   = 0x01
	featureVerifyFinish  = 0x02
	featureModifyStart   = 0x03
	featureModifyFinish  = 0x04
	featureVerifyDirect  = 0x06
	featureModifyDirect  = 0x07
	featureTLVProperties = 0x12
	propertyMaxAPDUData  = 0x0A
)

// readerFeatures asks the reader's driver; one that has none to tell of may
// refuse, which is the same.
func readerFeatures(h handle) features {
	b, err := h.Control(ioctl(3400), nil) // CM_IOCTL_GET_FEATURE_REQUEST
	if err != nil {
		return nil
	}
	return parseFeatures(b)
}

// parseFeatures reads the list: a tag, the length 4 and a control code, big
// endian, each. It stops at what makes no sense.
func parseFeatures(b []byte) features {
	f := features{}
	for len(b) >= 6 && b[1] == 4 {
		f[b[0]] = binary.BigEndian.Uint32(b[2:6])
		b = b[6:]
	}
	return f
}

// A padFeature is how a reader takes PINs on its own keys: in one call, or in the
// two of older drivers.
type padFeature struct{ direct, start, finish byte }

// The features for one PIN to be verified, and for one to be replaced.
var (
	padVerify = padFeature{featureVerifyDirect, featureVerifyStart, featureVerifyFinish}
	padModify = padFeature{featureModifyDirect, featureModifyStart, featureModifyFinish}
)

// codes are the control codes of the calls to make, in order; none where the
// reader cannot.
func (p padFeature) codes(f features) []uint32 {
	if code, ok := f[p.direct]; ok {
		return []uint32{code}
	}
	start, ok1 := f[p.start]
	finish, ok2 := f[p.finish]
	if ok1 && ok2 {
		return []uint32{start, finish}
	}
	return nil
}

// pinPad tells whether the reader takes a PIN on its own keys.
func (f features) pinPad() bool { return len(padVerify.codes(f)) > 0 }

// carriesExtended tells whether the reader passes extended-length APDUs on. One
// that does not tell is taken to; CCID readers with short-APDU exchange tell of
// a limit of 0.
func (f features) carriesExtended(h handle) bool {
	code, ok := f[featureTLVProperties]
	if !ok {
		return true
	}
	b, err := h.Control(code, nil)
	if err != nil {
		return true
	}
	for len(b) >= 2 && len(b) >= 2+int(b[1]) {
		v := b[2 : 2+int(b[1])]
		if b[0] == propertyMaxAPDUData && len(v) == 4 {
			return binary.LittleEndian.Uint32(v) > apdu.MaxShortLe
		}
		b = b[2+len(v):]
	}
	return true
}
