package softcard

// generate is GENERATE ASYMMETRIC KEY PAIR, §3.3.2: a control reference template (AC) with the algorithm (80), for the slot
// in P2. The answer is the public key (7F49).
func generate(r *request) ([]byte, uint16) {
	slot := r.cmd.p2
	if r.cmd.p1 != 0 || !r.personality().holdsKey(slot) {
		return nil, swBadP1P2
	}
	outer, ok := parseTLVs(r.cmd.data)
	if !ok || len(outer) != 1 || outer[0].tag != 0xAC {
		return nil, swBadData
	}
	list, ok := parseTLVs(outer[0].value)
	if !ok {
		return nil, swBadData
	}
	id, ok := find(list, 0x80)
	if !ok || len(id) != 1 || !r.personality().canMake(id[0]) {
		return nil, swBadData
	}
	algorithm, _ := keyAlgorithmByID(id[0])
	policy, ok := r.readPolicy(slot, list)
	if !ok {
		return nil, swBadData
	}
	key, err := algorithm.generate() // before the state is locked: a long RSA key takes its time
	if err != nil {
		return nil, swFailed
	}
	if sw := r.storeKey(slot, algorithm, key, policy, true); sw != swOK {
		return nil, sw
	}
	return makeTLV(0x7F49, encodePublic(publicOf(key))), swOK
}
