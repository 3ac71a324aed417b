// Package card says what a card is to everyone else: who it is, which keys,
// certificates and PINs it has, and which errors tell a user what to do next.
// The applets are below it: card/piv speaks to them, card/softcard is one.
//
// Nothing here knows PC/SC: a [Conn] is whatever gives transactions.
package card
