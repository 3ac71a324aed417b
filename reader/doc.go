// Package reader is PC/SC, and the only package that knows it: which readers
// there are, what happens in them, and transactions with the cards in them.
//
//	System  the machine's PC/SC service; List looks once
//	Monitor ordered events: reader added or removed, card inserted or removed
//	Conn    one card: shared, lazily connected, transactions as functions
//	ATR     what a card says of itself before the first command
//
// # What pcsc-lite demands of its callers
//
// In libpcsclite a call holds its context's mutex while it waits, and every
// other call takes a mutex of the whole process before it waits for its
// context's. One call made on a context that is busy therefore stops every
// PC/SC call in the process until the first one is done - a touch, a key
// generation, forever in SCardGetStatusChange. Hence the rule that all of this
// package keeps: a context of its own for each Conn, each Monitor and each
// look, one call at a time on each, and SCardCancel as the only exception.
package reader
