// Package piv speaks to PIV cards: NIST SP 800-73-4 and -5, the Yubico
// extensions, and what other vendors made of both.
//
// A [Card] is one PIV applet behind a [card.Conn]. It sends nothing until it is
// asked something, reads what it needs and no more, and takes one transaction
// an operation, so that other programs may use the card in between: when they
// reset it or select another applet, the next operation notices, selects PIV
// again, verifies the PIN of [Card.Login] once more and goes on.
//
// What differs between slots, objects, algorithms and vendors is in tables:
// [Slots], [Objects], [Algorithms] and the quirk rows of docs/cards.md.
package piv
