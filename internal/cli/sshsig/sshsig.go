// Package sshsig makes and checks the signatures of files that ssh-keygen -Y
// and git know: OpenSSH's PROTOCOL.sshsig. It takes digests: libraries such as
// github.com/hiddeco/sshsig read the message while they hold the key, which with
// a card is a transaction that waits for a file.
package sshsig

import (
	"bytes"
	"crypto"
	"crypto/rand"
	_ "crypto/sha256" // the two hashes the format allows
	_ "crypto/sha512"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/crypto/ssh"
)

const (
	magic   = "SSHSIG"
	version = 1
	// PEMType is the word between the dashes.
	PEMType = "SSH SIGNATURE"
)

// hashes are the message digests the format allows.
var hashes = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha512": crypto.SHA512}

// madeWith is the digest that signatures made here use, as ssh-keygen's do.
const madeWith = "sha512"

// NewHash is what [Sign] wants a message's digest made with.
func NewHash() hash.Hash { return hashes[madeWith].New() }

// NewHash is what [Signature.Verify] wants the message's digest made with.
func (s *Signature) NewHash() hash.Hash { return hashes[s.Hash].New() }

// ErrWrongKey says that a signature was made with another key than the one it
// should be checked with.
var ErrWrongKey = errors.New("signed with another key")

// wrapped is the outer blob, without its magic preamble.
type wrapped struct {
	Version       uint32
	PublicKey     []byte
	Namespace     string
	Reserved      string
	HashAlgorithm string
	Signature     []byte
}

// toBeSigned is what the key signs, without its magic preamble.
type toBeSigned struct {
	Namespace     string
	Reserved      string
	HashAlgorithm string
	Digest        []byte
}

func signedBytes(namespace, algorithm string, digest []byte) []byte {
	return append([]byte(magic), ssh.Marshal(toBeSigned{namespace, "", algorithm, digest})...)
}

// Sign signs the digest, made with [NewHash], of a message for a namespace ("file", "git",
// "email") and returns the armoured signature. RSA keys sign with
// rsa-sha2-512, as the format demands SHA-2.
func Sign(key crypto.Signer, namespace string, digest []byte) ([]byte, error) {
	if namespace == "" {
		return nil, errors.New("an SSH signature needs a namespace")
	}
	signer, err := ssh.NewSignerFromSigner(key)
	if err != nil {
		return nil, err
	}
	algorithm := signer.PublicKey().Type()
	if algorithm == ssh.KeyAlgoRSA {
		algorithm = ssh.KeyAlgoRSASHA512
	}
	as, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return nil, fmt.Errorf("a %s key cannot make SSH signatures", algorithm)
	}
	sig, err := as.SignWithAlgorithm(rand.Reader, signedBytes(namespace, madeWith, digest), algorithm)
	if err != nil {
		return nil, err
	}
	blob := append([]byte(magic), ssh.Marshal(wrapped{
		Version:       version,
		PublicKey:     signer.PublicKey().Marshal(),
		Namespace:     namespace,
		HashAlgorithm: madeWith,
		Signature:     ssh.Marshal(sig),
	})...)
	return pem.EncodeToMemory(&pem.Block{Type: PEMType, Bytes: blob}), nil
}

// A Signature was read from a file and is not checked yet.
type Signature struct {
	Key       ssh.PublicKey // that it claims to be made with
	Namespace string
	Hash      string
	sig       *ssh.Signature
}

// Parse reads an armoured signature.
func Parse(armoured []byte) (*Signature, error) {
	block, _ := pem.Decode(armoured)
	if block == nil || block.Type != PEMType {
		return nil, errors.New("not an SSH signature")
	}
	body, ok := bytes.CutPrefix(block.Bytes, []byte(magic))
	if !ok {
		return nil, errors.New("an SSH signature without its magic preamble")
	}
	var w wrapped
	if err := ssh.Unmarshal(body, &w); err != nil {
		return nil, fmt.Errorf("malformed SSH signature: %w", err)
	}
	if w.Version != version {
		return nil, fmt.Errorf("SSH signature of version %d; only 1 is known", w.Version)
	}
	if _, ok := hashes[w.HashAlgorithm]; !ok {
		return nil, fmt.Errorf("SSH signature with hash %q", w.HashAlgorithm)
	}
	key, err := ssh.ParsePublicKey(w.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("malformed key in an SSH signature: %w", err)
	}
	s := &Signature{Key: key, Namespace: w.Namespace, Hash: w.HashAlgorithm, sig: new(ssh.Signature)}
	if err := ssh.Unmarshal(w.Signature, s.sig); err != nil {
		return nil, fmt.Errorf("malformed SSH signature: %w", err)
	}
	if s.sig.Format == ssh.KeyAlgoRSA {
		return nil, errors.New("SSH signature with SHA-1, which the format forbids")
	}
	return s, nil
}

// Verify checks the signature of a message, given as the digest that
// NewHash makes, for a namespace, made with key.
func (s *Signature) Verify(key ssh.PublicKey, namespace string, digest []byte) error {
	if s.Namespace != namespace {
		return fmt.Errorf("signed for namespace %q, not %q", s.Namespace, namespace)
	}
	if !bytes.Equal(s.Key.Marshal(), key.Marshal()) {
		return ErrWrongKey
	}
	return key.Verify(signedBytes(namespace, s.Hash, digest), s.sig)
}
