package reader

// What differs on Windows.
const (
	// pinSeparator is empty: names with a NUL are refused here.
	pinSeparator = ""
	// sharingFlags are the flags that a wait leaves out so as not to be woken by
	// other programs that connect. Windows compares all of them.
	sharingFlags stateFlag = 0
)

// ioctl is SCARD_CTL_CODE: FILE_DEVICE_SMARTCARD, METHOD_BUFFERED.
func ioctl(n uint32) uint32 { return 0x31<<16 | n<<2 }
