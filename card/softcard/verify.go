package softcard

import (
	"bytes"
	"crypto/subtle"
)

const referenceLength = 8

// pinVerified tells whether the condition "PIN" is met: by the application's PIN, or by the card's global one where the
// discovery object says that it counts (part 1 §3.3.2).
func (r *request) pinVerified() bool {
	return r.power().pin || r.power().globalPIN && r.personality().hasGlobalPIN()
}

// setVerified sets the security status of a PIN.
func (r *request) setVerified(ref byte, to bool) {
	switch ref {
	case refPIN:
		r.power().pin = to
	case refGlobalPIN:
		r.power().globalPIN = to
	}
}

func (r *request) verifiedNow(ref byte) bool {
	return ref == refPIN && r.power().pin || ref == refGlobalPIN && r.power().globalPIN
}

// verify is VERIFY, §3.2.1.
func verify(r *request) ([]byte, uint16) {
	ref := r.cmd.p2
	if ref == refPUK || r.state().reference(ref) == nil {
		return nil, swNoReference
	}
	switch {
	case r.cmd.p1 == 0xFF && len(r.cmd.data) == 0:
		r.setVerified(ref, false)
		return nil, swOK
	case r.cmd.p1 == 0xFF:
		return nil, swBadData
	case r.cmd.p1 != 0:
		return nil, swBadP1P2
	case len(r.cmd.data) == 0:
		return nil, r.verifyStatus(ref)
	case len(r.cmd.data) != referenceLength:
		return nil, swBadData
	}
	sw := r.present(ref, r.cmd.data)
	if sw == swOK {
		r.power().fresh = true
	}
	return nil, sw
}

// verifyStatus answers the VERIFY without data.
func (r *request) verifyStatus(ref byte) uint16 {
	have := r.state().reference(ref)
	switch {
	case r.verifiedNow(ref):
		return swOK
	case have.Tries == 0:
		return swBlocked
	}
	return triesStatus(have.Tries)
}

// present compares reference data given with that of the card, and counts. A PIN that is right makes its security status
// TRUE and the tries full again; one that is wrong makes it FALSE and costs a try. The counter is on the disk before the
// answer is out.
func (r *request) present(ref byte, given []byte) uint16 {
	if r.personality().strictPIN && !wellFormed(ref, given) {
		return swBadData
	}
	sw := swOK
	r.change(func(s *state) bool {
		have := s.reference(ref)
		switch {
		case have.Tries == 0:
			sw = swBlocked
			r.setVerified(ref, false)
			return false
		case subtle.ConstantTimeCompare(given, have.Value) != 1:
			have.Tries--
			sw = triesStatus(have.Tries)
			r.setVerified(ref, false)
			return true
		}
		changed := have.Tries != have.Max
		have.Tries = have.Max
		r.setVerified(ref, true)
		return changed
	})
	return sw
}

// wellFormed is §2.4.3: a PIN is six to eight digits padded with FF, the PUK any eight bytes.
func wellFormed(ref byte, value []byte) bool {
	if len(value) != referenceLength {
		return false
	}
	if ref == refPUK {
		return true
	}
	digits := bytes.TrimRight(value, "\xFF")
	for _, d := range digits {
		if d < '0' || d > '9' {
			return false
		}
	}
	return len(digits) >= 6
}

// acceptable tells whether a new value may be set. A card that is not strict takes any characters, six at least.
func (r *request) acceptable(ref byte, value []byte) bool {
	if r.personality().strictPIN {
		return wellFormed(ref, value)
	}
	return len(bytes.TrimRight(value, "\xFF")) >= 6
}
