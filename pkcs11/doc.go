// Package pkcs11 is Cryptoki in Go: one method of [Module] for each C_
// function, one file for each section of the standard (PKCS #11 3.2,
// chapter 5).
//
// Sessions, logins, handles and access rules are package session's; keys on
// cards come in as a [Token]. What is in between is tables: a mechanism is one
// row of the registry (mechanism.go), an attribute one row of the attribute
// table (attribute_table.go).
//
// The package holds no C and no unsafe code. Whoever faces a program - the
// shared library in pkcs11/so, a remote protocol - copies arguments in and
// results out.
package pkcs11
