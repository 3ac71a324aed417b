package sshsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

func keys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"rsa": r, "p256": p256, "p384": p384, "ed25519": ed}
}

// TestSSHKeygenVerifies lets OpenSSH judge, for every kind of key.
func TestSSHKeygenVerifies(t *testing.T) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("no ssh-keygen (package openssh-client)")
	}
	message := bytes.Repeat([]byte("a message "), 1000)
	for name, key := range keys(t) {
		t.Run(name, func(t *testing.T) {
			digest := digestOf(message)
			armoured, err := Sign(key, "file", digest)
			if err != nil {
				t.Fatal(err)
			}
			pub, err := ssh.NewPublicKey(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			sig, allowed := filepath.Join(dir, "m.sig"), filepath.Join(dir, "allowed")
			os.WriteFile(sig, armoured, 0o600)
			os.WriteFile(allowed, append([]byte("me "), ssh.MarshalAuthorizedKey(pub)...), 0o600)
			cmd := exec.Command(keygen, "-Y", "verify", "-f", allowed, "-I", "me", "-n", "file", "-s", sig)
			cmd.Stdin = bytes.NewReader(message)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("ssh-keygen: %v: %s", err, out)
			}
		})
	}
}

func digestOf(message []byte) []byte {
	h := NewHash()
	h.Write(message)
	return h.Sum(nil)
}

func TestVerify(t *testing.T) {
	all := keys(t)
	key := all["p256"]
	digest := digestOf([]byte("m"))
	armoured, err := Sign(key, "git", digest)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(armoured)
	if err != nil {
		t.Fatal(err)
	}
	pub, _ := ssh.NewPublicKey(key.Public())
	other, _ := ssh.NewPublicKey(all["ed25519"].Public())
	if err := s.Verify(pub, "git", digest); err != nil {
		t.Errorf("a good signature: %v", err)
	}
	if s.Verify(pub, "file", digest) == nil {
		t.Error("good for another namespace")
	}
	if s.Verify(other, "git", digest) == nil {
		t.Error("good for another key")
	}
	digest[0] ^= 1
	if s.Verify(pub, "git", digest) == nil {
		t.Error("good for another message")
	}
}

func FuzzParse(f *testing.F) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	armoured, err := Sign(key, "file", make([]byte, 64))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(armoured)
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := Parse(b); err == nil {
			s.Verify(s.Key, s.Namespace, make([]byte, 64))
		}
	})
}
