package softcard

import "bytes"

// Tags of data objects that the code itself speaks of.
const (
	objDiscovery     objectTag = 0x7E
	objBiometricInfo objectTag = 0x7F61
	objCHUID         objectTag = 0x5FC102
	objCCC           objectTag = 0x5FC107
	objAttestation   objectTag = 0x5FFF01
)

// An objectRule is a data object of part 1, table 3 and table 6: its tag and whether reading it over contacts needs the PIN.
type objectRule struct {
	tag     objectTag
	name    string
	needPIN bool
}

var objectRules = append([]objectRule{
	{objDiscovery, "Discovery Object", false},
	{objBiometricInfo, "Biometric Information Templates Group Template", false},
	{0x5FC101, "X.509 Certificate for Card Authentication", false},
	{objCHUID, "Card Holder Unique Identifier", false},
	{0x5FC103, "Cardholder Fingerprints", true},
	{0x5FC105, "X.509 Certificate for PIV Authentication", false},
	{0x5FC106, "Security Object", false},
	{objCCC, "Card Capability Container", false},
	{0x5FC108, "Cardholder Facial Image", true},
	{0x5FC109, "Printed Information", true},
	{0x5FC10A, "X.509 Certificate for Digital Signature", false},
	{0x5FC10B, "X.509 Certificate for Key Management", false},
	{0x5FC10C, "Key History Object", false},
	{0x5FC121, "Cardholder Iris Images", true},
	{0x5FC122, "Secure Messaging Certificate Signer", false},
	{0x5FC123, "Pairing Code Reference Data Container", true},
}, retiredCertificates()...)

func retiredCertificates() []objectRule {
	var out []objectRule
	for tag := objectTag(0x5FC10D); tag <= 0x5FC120; tag++ {
		out = append(out, objectRule{tag, "Retired X.509 Certificate for Key Management", false})
	}
	return out
}

func ruleOf(tag objectTag) (objectRule, bool) {
	for _, rule := range objectRules {
		if rule.tag == tag {
			return rule, true
		}
	}
	return objectRule{}, false
}

// bare tells whether an object stands for itself, not inside a 53: the two that ISO 7816-6 and ISO 7816-11 name.
func bare(tag objectTag) bool { return tag == objDiscovery || tag == objBiometricInfo }

// getData is GET DATA, §3.1.2: a tag list (5C) with one tag.
func getData(r *request) ([]byte, uint16) {
	if r.cmd.p1 != 0x3F || r.cmd.p2 != 0xFF {
		return nil, swBadP1P2
	}
	list, ok := parseTLVs(r.cmd.data)
	if !ok || len(list) != 1 || list[0].tag != 0x5C {
		return nil, swBadData
	}
	tag, ok := tagOf(list[0].value)
	if !ok {
		return nil, swBadData
	}
	rule, _ := ruleOf(tag)
	content, there := r.state().Objects[tag]
	locked := rule.needPIN && !r.pinVerified()
	if locked && (there || r.personality().hideAbsent) {
		return nil, swSecurity
	}
	if !there {
		return nil, swNotFound
	}
	if bare(tag) {
		return makeTLV(uint32(tag), content), swOK
	}
	return makeTLV(0x53, content), swOK
}

// tagOf reads the one tag of a tag list.
func tagOf(b []byte) (objectTag, bool) {
	if len(b) == 0 || len(b) > 3 {
		return 0, false
	}
	var tag objectTag
	for _, v := range b {
		tag = tag<<8 | objectTag(v)
	}
	return tag, true
}

// putData is PUT DATA, §3.3.1: a tag list (5C) and the content (53), or one of the objects that stand for themselves. No
// content takes the object away.
func putData(r *request) ([]byte, uint16) {
	if r.cmd.p1 != 0x3F || r.cmd.p2 != 0xFF {
		return nil, swBadP1P2
	}
	list, ok := parseTLVs(r.cmd.data)
	if !ok || len(list) == 0 {
		return nil, swBadData
	}
	tag, content := objectTag(list[0].tag), list[0].value
	if !bare(tag) || len(list) != 1 {
		if len(list) != 2 || list[0].tag != 0x5C || list[1].tag != 0x53 {
			return nil, swBadData
		}
		if tag, ok = tagOf(list[0].value); !ok {
			return nil, swBadData
		}
		content = list[1].value
	}
	if _, known := ruleOf(tag); !known && (!r.personality().anyObject || tag>>16 != 0x5F) {
		return nil, swNotSupported
	}
	return nil, r.putObject(tag, content)
}

func (r *request) putObject(tag objectTag, content []byte) uint16 {
	if len(content) > r.personality().maxObject {
		return swNoSpace
	}
	sw := swOK
	r.change(func(s *state) bool {
		if len(content) == 0 {
			_, there := s.Objects[tag]
			delete(s.Objects, tag)
			return there
		}
		if s.used()-len(s.Objects[tag])+len(content) > memory {
			sw = swNoSpace
			return false
		}
		s.Objects[tag] = bytes.Clone(content)
		return true
	})
	return sw
}

// memory is what all data objects together may take.
const memory = 64 * 1024

func (s *state) used() int {
	n := 0
	for _, o := range s.Objects {
		n += len(o)
	}
	return n
}
