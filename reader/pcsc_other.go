//go:build !windows

package reader

// What pcsc-lite and its kin have in common, and Windows has not.
const (
	// pinSeparator ends a reader's name for C but not for Go, see pinned.
	pinSeparator = "\x00"
	// sharingFlags are the flags that a wait leaves out so as not to be woken by
	// other programs that connect: pcsc-lite compares those that are set.
	sharingFlags = stateInUse | stateExclusive
)

// ioctl is SCARD_CTL_CODE of reader.h.
func ioctl(n uint32) uint32 { return 0x42000000 + n }
