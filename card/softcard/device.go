package softcard

import (
	"encoding/binary"
	"fmt"
)

// The applications beside PIV that tell Yubico's tools what they have before them. Only what those tools ask for is here.

const (
	insReadConfig = 0x1D
	insOTPRequest = 0x01
	otpSerial     = 0x10

	capabilityPIV   = 0x10
	formKeychainUSB = 0x03 // USB-C keychain
)

// managementVersion is the answer to SELECT: text with the firmware version in it.
func managementVersion(r *request) []byte {
	v := r.personality().firmware
	return fmt.Appendf(nil, "Virtual mgr - FW version %d.%d.%d", v[0], v[1], v[2])
}

// runManagement answers READ CONFIG with the device information: a length byte and data objects.
func runManagement(r *request) ([]byte, uint16) {
	if r.cmd.ins != insReadConfig {
		return nil, swNoInstruction
	}
	if r.cmd.p1 != 0 || r.cmd.p2 != 0 {
		return nil, swBadP1P2
	}
	v := r.personality().firmware
	serial := binary.BigEndian.AppendUint32(nil, r.state().Serial)
	var b []byte
	if v[0] < 5 {
		b = appendTLV(b, 0x01, []byte{capabilityPIV})
		b = appendTLV(b, 0x02, serial)
	} else {
		b = appendTLV(b, 0x01, []byte{0, capabilityPIV}) // supported over USB
		b = appendTLV(b, 0x02, serial)
		b = appendTLV(b, 0x04, []byte{formKeychainUSB})
		b = appendTLV(b, 0x05, v[:])
		b = appendTLV(b, 0x03, []byte{0, capabilityPIV}) // enabled over USB
		b = appendTLV(b, 0x06, []byte{0, 0})             // eject time-out
		b = appendTLV(b, 0x07, []byte{15})               // challenge-response time-out
		b = appendTLV(b, 0x08, []byte{0})                // device flags
		b = appendTLV(b, 0x0A, []byte{0})                // configuration not locked
	}
	return append([]byte{byte(len(b))}, b...), swOK
}

// otpStatus is the answer to SELECT of the OTP application: version, programming sequence, and no slot configured.
func otpStatus(r *request) []byte {
	v := r.personality().firmware
	return []byte{v[0], v[1], v[2], 0, 0, 0}
}

// runOTP tells the serial number, which PIV itself does not before firmware 5.
func runOTP(r *request) ([]byte, uint16) {
	if r.cmd.ins != insOTPRequest || r.cmd.p1 != otpSerial {
		return nil, swNoInstruction
	}
	return binary.BigEndian.AppendUint32(nil, r.state().Serial), swOK
}
