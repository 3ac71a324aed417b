package card

// A SecretName names a secret that a person or program proves knowledge of.
type SecretName string

// The secrets of the applets.
const (
	PIN           SecretName = "PIN"            // the user's: PIV application PIN, OpenPGP PW1
	PUK           SecretName = "PUK"            // unblocks the PIN: PIV PUK, OpenPGP reset code
	ManagementKey SecretName = "management key" // PIV 9B
	AdminPIN      SecretName = "admin PIN"      // OpenPGP PW3
)

// A PINState is what a card tells of a secret without a try being spent.
type PINState struct {
	Name     SecretName
	Tries    int  // tries left, -1 where the card does not tell
	Max      int  // tries when fresh, -1 where the card does not tell
	Verified bool // known to the applet in this session; Tries may then be -1
	Default  bool // still the factory value, where the card tells
	Global   bool // the card's own rather than the applet's: the PUK does not unblock it
}

// Blocked tells whether no try is left.
func (s PINState) Blocked() bool { return s.Tries == 0 }
