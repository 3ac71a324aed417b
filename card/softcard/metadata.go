package softcard

import (
	"bytes"
	"encoding/binary"
)

// getVersion is GET VERSION, Yubico.
func getVersion(r *request) ([]byte, uint16) {
	v := r.personality().firmware
	return v[:], swOK
}

// getSerial is GET SERIAL, Yubico, firmware 5.
func getSerial(r *request) ([]byte, uint16) {
	return binary.BigEndian.AppendUint32(nil, r.state().Serial), swOK
}

// Tags and values of GET METADATA.
const (
	metaAlgorithm = 0x01
	metaPolicy    = 0x02
	metaOrigin    = 0x03
	metaPublic    = 0x04
	metaDefault   = 0x05
	metaRetries   = 0x06

	metaNoAlgorithm = 0xFF // PIN and PUK
	originGenerated = 1
	originImported  = 2
)

// getMetadata is GET METADATA, Yubico, firmware 5.3: what there is to know of the key or reference in P2.
func getMetadata(r *request) ([]byte, uint16) {
	if r.cmd.p1 != 0 {
		return nil, swBadP1P2
	}
	s := r.state()
	switch ref := r.cmd.p2; ref {
	case refPIN:
		return referenceMetadata(&s.PIN, defaultPIN), swOK
	case refPUK:
		return referenceMetadata(&s.PUK, defaultPUK), swOK
	case refAdmin:
		b := appendTLV(nil, metaAlgorithm, []byte{s.Admin.Algorithm})
		b = appendTLV(b, metaPolicy, []byte{0, s.Admin.Touch})
		return appendTLV(b, metaDefault, flag(bytes.Equal(s.Admin.Key, defaultAdminKey))), swOK
	default:
		return r.keyMetadata(ref)
	}
}

func referenceMetadata(have *reference, factory string) []byte {
	b := appendTLV(nil, metaAlgorithm, []byte{metaNoAlgorithm})
	b = appendTLV(b, metaDefault, flag(bytes.Equal(have.Value, pad(factory))))
	return appendTLV(b, metaRetries, []byte{byte(have.Max), byte(have.Tries)})
}

func (r *request) keyMetadata(slot byte) ([]byte, uint16) {
	stored, ok := r.state().Keys[slotName(slot)]
	if !ok {
		return nil, swNoReference
	}
	key, err := r.card.keyCache.key(stored)
	if err != nil {
		return nil, swFailed
	}
	algorithm, _ := keyAlgorithmByName(stored.Algorithm)
	origin := byte(originImported)
	if stored.Generated {
		origin = originGenerated
	}
	b := appendTLV(nil, metaAlgorithm, []byte{algorithm.id})
	b = appendTLV(b, metaPolicy, []byte{stored.PIN, stored.Touch})
	b = appendTLV(b, metaOrigin, []byte{origin})
	return appendTLV(b, metaPublic, encodePublic(publicOf(key))), swOK
}

func flag(b bool) []byte {
	if b {
		return []byte{1}
	}
	return []byte{0}
}
