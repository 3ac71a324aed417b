package card

import "fmt"

// An Applet is a card application that this project can speak to.
type Applet string

// The applets.
const (
	PIV     Applet = "PIV"
	OpenPGP Applet = "OpenPGP"
)

// A Version is a firmware or applet version.
type Version struct{ Major, Minor, Patch byte }

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Known tells whether the card gave a version at all.
func (v Version) Known() bool { return v != Version{} }

// AtLeast tells whether v is major.minor.patch or later.
func (v Version) AtLeast(major, minor, patch byte) bool {
	if v.Major != major {
		return v.Major > major
	}
	if v.Minor != minor {
		return v.Minor > minor
	}
	return v.Patch >= patch
}

// An Identity tells one applet on one card from all others.
type Identity struct {
	Applet       Applet
	Manufacturer string // "Yubico", "" where the card does not tell
	Model        string // "YubiKey 5", "PIV card"
	// Serial is what --serial takes and what is printed on the card: decimal
	// where the vendor has a serial number, else the CHUID's GUID in hex, or the
	// number in its FASC-N; empty where the card has none of them.
	Serial  string
	Version Version // firmware; zero where the card does not tell
}
