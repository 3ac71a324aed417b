package softcard

import "bytes"

const (
	defaultPIN = "123456"
	defaultPUK = "12345678"
)

// changeReference is CHANGE REFERENCE DATA, §3.2.2: the present value and the new one, eight bytes each.
func changeReference(r *request) ([]byte, uint16) {
	ref := r.cmd.p2
	if r.cmd.p1 != 0 {
		return nil, swBadP1P2
	}
	if r.state().reference(ref) == nil {
		return nil, swNoReference
	}
	if len(r.cmd.data) != 2*referenceLength {
		return nil, swBadData
	}
	now, next := r.cmd.data[:referenceLength], r.cmd.data[referenceLength:]
	return nil, r.replaceReference(ref, now, ref, next)
}

// resetRetryCounter is RESET RETRY COUNTER, §3.2.3: the PUK and a new PIN.
func resetRetryCounter(r *request) ([]byte, uint16) {
	if r.cmd.p1 != 0 {
		return nil, swBadP1P2
	}
	if r.cmd.p2 != refPIN {
		return nil, swNoReference
	}
	if len(r.cmd.data) != 2*referenceLength {
		return nil, swBadData
	}
	puk, next := r.cmd.data[:referenceLength], r.cmd.data[referenceLength:]
	verified := r.power().pin
	sw := r.replaceReference(refPUK, puk, refPIN, next)
	// The security status of the PIN stays as it was, but for a PUK that was wrong.
	r.power().pin = verified && sw&0xFFF0 != swTriesLeft && sw != swBlocked
	return nil, sw
}

// replaceReference gives one reference a new value if another (or the same) was presented. What is not acceptable as a value
// is refused before a try is counted where the card is strict, and after the comparison where it is not: a YubiKey counts
// down on anything.
func (r *request) replaceReference(present byte, given []byte, ref byte, next []byte) uint16 {
	if r.personality().strictPIN && !r.acceptable(ref, next) {
		return swBadData
	}
	if sw := r.present(present, given); sw != swOK {
		return sw
	}
	if !r.acceptable(ref, next) {
		return swBadData
	}
	r.change(func(s *state) bool {
		to := s.reference(ref)
		to.Value, to.Tries = bytes.Clone(next), to.Max
		return true
	})
	return swOK
}

// setRetries is SET PIN RETRIES, Yubico: P1 tries for the PIN, P2 for the PUK. Both get their default values again.
func setRetries(r *request) ([]byte, uint16) {
	pin, puk := int(r.cmd.p1), int(r.cmd.p2)
	if pin == 0 || puk == 0 {
		return nil, swBadP1P2
	}
	r.change(func(s *state) bool {
		s.PIN, s.PUK = newReference(defaultPIN, pin), newReference(defaultPUK, puk)
		return true
	})
	r.power().pin = false
	return nil, swOK
}

// reset is RESET, Yubico: back to the factory, if neither PIN nor PUK can be tried any more.
func reset(r *request) ([]byte, uint16) {
	if r.cmd.p1 != 0 || r.cmd.p2 != 0 {
		return nil, swBadP1P2
	}
	sw := swConditions
	r.change(func(s *state) bool {
		if s.PIN.Tries != 0 || s.PUK.Tries != 0 {
			return false
		}
		s.factoryReset(r.personality())
		sw = swOK
		return true
	})
	if sw == swOK {
		app := r.power().app
		r.power().deselect()
		r.power().app = app
	}
	return nil, sw
}
