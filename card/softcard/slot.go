package softcard

// Key references: SP 800-73-4 part 1 table 4b; F9 is Yubico's attestation key.
const (
	refGlobalPIN = 0x00
	refPIN       = 0x80
	refPUK       = 0x81
	refAdmin     = 0x9B
	slotAttest   = 0xF9
	firstRetired = 0x82
	lastRetired  = 0x95
)

// PIN and touch policies, as Yubico numbers them.
const (
	policyDefault = 0
	pinNever      = 1
	pinOnce       = 2
	pinAlways     = 3
	touchNever    = 1
	touchAlways   = 2
	touchCached   = 3
)

// defaultPINPolicy is part 1 table 4b, the column of security conditions for use: the card authentication key wants no PIN,
// the digital signature key wants it each time.
var defaultPINPolicy = map[byte]byte{0x9A: pinOnce, 0x9C: pinAlways, 0x9D: pinOnce, 0x9E: pinNever}

// isKeySlot tells whether the reference can hold a key that GENERAL AUTHENTICATE uses.
func isKeySlot(slot byte) bool {
	return slot >= firstRetired && slot <= lastRetired || slot >= 0x9A && slot <= 0x9E && slot != refAdmin
}

// holdsKey also counts the attestation key, where the personality has one.
func (p *personality) holdsKey(slot byte) bool {
	return isKeySlot(slot) || slot == slotAttest && p.has(featAttest)
}

// slotPINPolicy is what the policy 0 means for a slot on this card.
func (p *personality) slotPINPolicy(slot byte) byte {
	if policy, ok := p.pinPolicy[slot]; ok {
		return policy
	}
	if policy, ok := defaultPINPolicy[slot]; ok {
		return policy
	}
	return pinOnce // retired keys: table 4b gives them the condition of the key management key they were
}
