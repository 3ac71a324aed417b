package piv

// Instructions of SP 800-73-4 part 2, table 2.
const (
	insVerify          = 0x20
	insChangeReference = 0x24
	insResetRetry      = 0x2C
	insGenerate        = 0x47
	insAuthenticate    = 0x87
	insSelect          = 0xA4
	insGetData         = 0xCB
	insPutData         = 0xDB
)

// Yubico's own (developers.yubico.com, PIV, Yubico extensions).
const (
	insMoveKey     = 0xF6
	insMetadata    = 0xF7
	insSerial      = 0xF8
	insAttest      = 0xF9
	insSetRetries  = 0xFA
	insReset       = 0xFB
	insVersion     = 0xFD
	insImport      = 0xFE
	insSetAdminKey = 0xFF
)

// Key references that are not slots (SP 800-73-4 part 1, table 4a and 4b).
const (
	refGlobalPIN = 0x00
	refPIN       = 0x80
	refPUK       = 0x81
	refAdminKey  = 0x9B
)

// Tags of the dynamic authentication template (part 2, table 7).
const (
	tagTemplate       Tag = 0x7C
	tagWitness        Tag = 0x80
	tagChallenge      Tag = 0x81
	tagResponse       Tag = 0x82
	tagExponentiation Tag = 0x85
)
