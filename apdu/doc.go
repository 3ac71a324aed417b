// Package apdu speaks ISO 7816-4: commands and responses, chaining, status
// words, BER-TLV, and decorators of the one-method transport underneath.
//
// It depends on the standard library only and knows neither readers nor
// applets. A command travels
//
//	Command → Channel (short or extended, chaining, 61xx, 6Cxx) → Transmitter
//
// and a [Transmitter] is whatever moves bytes: a PC/SC transaction, a card in
// software, a recording. Tracing, counting, recording, replaying and fault
// injection are Transmitters around a Transmitter.
package apdu
