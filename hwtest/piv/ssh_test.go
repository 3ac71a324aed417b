package piv_test

import (
	"crypto"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// authorizedKey is a public key as OpenSSH writes it, without a comment.
func authorizedKey(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}
