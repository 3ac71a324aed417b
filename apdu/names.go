package apdu

import "fmt"

// insNames are instruction names: ISO 7816-4 section 5.4.2, SP 800-73-4 part 2
// section 3, the OpenPGP card specification 3.4.1 section 7.2, and Yubico's
// PIV extensions for the codes from F2 up.
var insNames = map[byte]string{
	0x04: "DEACTIVATE FILE",
	0x0E: "ERASE BINARY",
	0x20: "VERIFY",
	0x21: "VERIFY",
	0x22: "MANAGE SECURITY ENVIRONMENT",
	0x24: "CHANGE REFERENCE DATA",
	0x25: "CHANGE REFERENCE DATA",
	0x2A: "PERFORM SECURITY OPERATION",
	0x2C: "RESET RETRY COUNTER",
	0x2D: "RESET RETRY COUNTER",
	0x44: "ACTIVATE FILE",
	0x46: "GENERATE ASYMMETRIC KEY PAIR",
	0x47: "GENERATE ASYMMETRIC KEY PAIR",
	0x70: "MANAGE CHANNEL",
	0x82: "EXTERNAL AUTHENTICATE",
	0x84: "GET CHALLENGE",
	0x86: "GENERAL AUTHENTICATE",
	0x87: "GENERAL AUTHENTICATE",
	0x88: "INTERNAL AUTHENTICATE",
	0xA4: "SELECT",
	0xA5: "SELECT DATA",
	0xB0: "READ BINARY",
	0xB1: "READ BINARY",
	0xB2: "READ RECORD",
	0xC0: "GET RESPONSE",
	0xCA: "GET DATA",
	0xCB: "GET DATA",
	0xCC: "GET NEXT DATA",
	0xD6: "UPDATE BINARY",
	0xD8: "PUT KEY",
	0xDA: "PUT DATA",
	0xDB: "PUT DATA",
	0xE6: "TERMINATE DF",
	0xF1: "GET VERSION", // OpenPGP, Yubico
	0xF2: "SET PIN RETRIES",
	0xF6: "MOVE KEY",
	0xF7: "GET METADATA",
	0xF8: "GET SERIAL NUMBER",
	0xF9: "ATTEST",
	0xFA: "SET PIN RETRIES",
	0xFB: "RESET",
	0xFD: "GET VERSION",
	0xFE: "IMPORT KEY",
	0xFF: "SET MANAGEMENT KEY",
}

// proprietaryNames are instructions whose code means something else under a
// proprietary class byte (80 and above).
var proprietaryNames = map[byte]string{
	0x50: "INITIALIZE UPDATE", // GlobalPlatform
	0xCA: "GET DATA",
	0xE2: "STORE DATA",
	0xFB: "ATTEST", // OpenPGP, Yubico
}

// Name is the instruction's name in ISO 7816-4, SP 800-73-4, the OpenPGP card
// specification or Yubico's extensions, else its hex.
func Name(ins byte) string {
	if name, ok := insNames[ins]; ok {
		return name
	}
	return fmt.Sprintf("INS %02X", ins)
}

// instruction names an instruction by class and code.
func instruction(cla, ins byte) string {
	if name, ok := proprietaryNames[ins]; ok && cla >= 0x80 {
		return name
	}
	return Name(ins)
}
