// Package session is the Sessions chapter of PKCS #11 v2.10 (section 6.6) as a library.
package session
