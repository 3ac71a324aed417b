// Package softcard is a PIV card in software: the other end of the wire from card/piv, with which it shares no encoder, so
// that a mistake on one side is not cancelled by the same mistake on the other.
//
// It protects nothing. The state file holds the PIN, the PUK, the management key and every private key in the clear, private
// key operations take no care to run in constant time, and the touch sensor is a function call. What it does keep is the
// conduct of a card: keys are real, counters count, access conditions hold, and SELECT and reset drop the security state as
// the personality in use says.
//
// A card is a state file (Create makes one) and, for each Card value, a power-up state: the selected application, what was
// verified, a command chain half sent, a response half read. Any number of Card values, in any number of processes, may use
// one file; each APDU that changes it does so under a lock.
//
// Transmit exchanges one APDU, Run puts the card behind pcscd by way of vsmartcard's vpcd driver, and a Plan makes chosen
// APDUs fail in chosen ways.
//
// Sections are cited from NIST SP 800-73-4 part 2 unless another document is named; the numbers are the same in SP 800-73-5.
package softcard
