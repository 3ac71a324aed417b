package softcard

const deleteKey = 0xFF // as the destination

// moveKey is MOVE KEY, Yubico: to the slot in P1 from the slot in P2; to FF is nowhere, which deletes.
func moveKey(r *request) ([]byte, uint16) {
	to, from := r.cmd.p1, r.cmd.p2
	if !r.personality().holdsKey(from) || to == from || to != deleteKey && (!isKeySlot(to) || from == slotAttest) {
		return nil, swBadP1P2
	}
	sw := swNoReference
	r.change(func(s *state) bool {
		key, ok := s.Keys[slotName(from)]
		if !ok {
			return false
		}
		delete(s.Keys, slotName(from))
		if to != deleteKey {
			s.Keys[slotName(to)] = key
		}
		sw = swOK
		return true
	})
	return nil, sw
}
