package softcard

// Status words: ISO 7816-4 §5.6 and the command sections of SP 800-73-4 part 2.
const (
	swOK             uint16 = 0x9000
	swMoreData       uint16 = 0x6100 // + bytes left, 00 for 256 and more
	swTriesLeft      uint16 = 0x63C0 // + tries, at most 15
	swFailed         uint16 = 0x6400
	swLength         uint16 = 0x6700
	swNoChannel      uint16 = 0x6881
	swNoSecureMsg    uint16 = 0x6882
	swSecurity       uint16 = 0x6982
	swBlocked        uint16 = 0x6983
	swConditions     uint16 = 0x6985
	swBadData        uint16 = 0x6A80
	swNotSupported   uint16 = 0x6A81
	swNotFound       uint16 = 0x6A82
	swNoSpace        uint16 = 0x6A84
	swBadP1P2        uint16 = 0x6A86
	swNoReference    uint16 = 0x6A88
	swWrongLe        uint16 = 0x6C00 // + the right Le
	swNoInstruction  uint16 = 0x6D00
	swNoClass        uint16 = 0x6E00
	maxTriesInStatus        = 15
)

// triesStatus is 63CX, which can say no more than fifteen.
func triesStatus(left int) uint16 {
	return swTriesLeft | uint16(min(max(left, 0), maxTriesInStatus))
}
