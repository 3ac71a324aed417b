package piv_test

import (
	"crypto"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"cardbridge/hwtest"
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

// ssh-keygen signs a certificate with a key that cardtool made, by way of
// ykcs11.
func TestSSHCertificate(t *testing.T) {
	hwtest.Program(t, "ssh-keygen", "openssh-client")
	r := hwtest.Start(t, hwtest.Config{})
	c := newCardtool(t, r)
	c.run(t, flags([]string{"key", "generate", "9a", "-o", "ca.pem"}, withKey)...)
	c.run(t, flags([]string{"cert", "self-sign", "9a", "--subject", "CN=SSH CA"}, withKey, withPIN)...)
	authority := parsePublic(t, r.Read("ca.pem"))
	r.File("ca.pub", []byte(authorizedKey(t, authority)+"\n"))
	r.Run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "user")
	askpass := r.File("askpass", []byte("#!/bin/sh\necho \"$PIN\"\n"))
	if err := os.Chmod(askpass, 0o700); err != nil {
		t.Fatal(err)
	}
	r.Do(t, hwtest.Command{
		Args: []string{"ssh-keygen", "-D", ykcs11Module, "-s", "ca.pub", "-I", "somebody", "-n", "user", "user.pub"},
		Env:  []string{"SSH_ASKPASS=" + askpass, "SSH_ASKPASS_REQUIRE=force", "PIN=" + factoryPIN},
	})
	parsed, _, _, _, err := ssh.ParseAuthorizedKey(r.Read("user-cert.pub"))
	if err != nil {
		t.Fatal(err)
	}
	checker := ssh.CertChecker{IsUserAuthority: func(k ssh.PublicKey) bool {
		return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k))) == authorizedKey(t, authority)
	}}
	cert, ok := parsed.(*ssh.Certificate)
	if !ok || !checker.IsUserAuthority(cert.SignatureKey) {
		t.Fatalf("not a certificate of ours: %v", parsed)
	}
	if err := checker.CheckCert("user", cert); err != nil {
		t.Error(err)
	}
}
