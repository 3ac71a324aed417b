// Package cms makes and checks CMS signatures (RFC 5652 SignedData), detached
// or with the content inside, without having the content in memory.
//
// That is why it is no library: those there are (github.com/smallstep/pkcs7,
// github.com/digitorus/pkcs7) want the whole content in memory to sign and to
// verify, and know no RSA-PSS; the former knows no Ed25519 either.
package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the digests of the tables
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"io"
	"time"
)

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}

	oidRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidPSS     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}
)

// A digest is a row of what RFC 5754 says of one hash.
type digest struct {
	hash  crypto.Hash
	oid   asn1.ObjectIdentifier
	rsa   asn1.ObjectIdentifier // sha…WithRSAEncryption
	ecdsa asn1.ObjectIdentifier // ecdsa-with-SHA…

	rsaAlg, ecdsaAlg x509.SignatureAlgorithm
}

var digests = []digest{
	{
		crypto.SHA256,
		asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1},
		asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11},
		asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2},
		x509.SHA256WithRSA, x509.ECDSAWithSHA256,
	},
	{
		crypto.SHA384,
		asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2},
		asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12},
		asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3},
		x509.SHA384WithRSA, x509.ECDSAWithSHA384,
	},
	{
		crypto.SHA512,
		asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3},
		asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13},
		asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4},
		x509.SHA512WithRSA, x509.ECDSAWithSHA512,
	},
}

// A Signer makes one signature.
type Signer struct {
	Certificate *x509.Certificate   // whose key signs
	Chain       []*x509.Certificate // others to put in
	Key         crypto.Signer
	Hash        crypto.Hash // of HashFor
	Time        time.Time   // the signing time that is claimed
}

// HashFor is the digest to use with a key when wanted is what the user asked
// for, 0 for nothing: Ed25519 takes SHA-512 and no other (RFC 8419 section 2.3).
func HashFor(public crypto.PublicKey, wanted crypto.Hash) (crypto.Hash, error) {
	if _, ok := public.(ed25519.PublicKey); ok {
		if wanted != 0 && wanted != crypto.SHA512 {
			return 0, fmt.Errorf("a CMS signature with Ed25519 takes SHA-512, not %v", wanted)
		}
		return crypto.SHA512, nil
	}
	if wanted == 0 {
		return crypto.SHA256, nil
	}
	if row(func(d digest) bool { return d.hash == wanted }) == nil {
		return 0, fmt.Errorf("a CMS signature with %v is not made here", wanted)
	}
	return wanted, nil
}

func row(is func(digest) bool) *digest {
	for i := range digests {
		if is(digests[i]) {
			return &digests[i]
		}
	}
	return nil
}

func oid(o asn1.ObjectIdentifier) []byte {
	b, err := asn1.Marshal(o)
	if err != nil {
		panic(err) // a constant of this package
	}
	return b
}

func algorithm(o asn1.ObjectIdentifier, null bool) []byte {
	if null {
		return tlv(tagSequence, oid(o), []byte{5, 0})
	}
	return tlv(tagSequence, oid(o))
}

func (d digest) signatureAlgorithm(public crypto.PublicKey) ([]byte, error) {
	switch public.(type) {
	case *rsa.PublicKey:
		return algorithm(d.rsa, true), nil
	case *ecdsa.PublicKey:
		return algorithm(d.ecdsa, false), nil
	case ed25519.PublicKey:
		return algorithm(oidEd25519, false), nil
	}
	return nil, fmt.Errorf("a key of type %T cannot sign", public)
}

// A Message is a signature, still without the content it is about.
type Message struct{ version, digests, certificates, signers []byte }

// Detached returns the signature alone.
func (m *Message) Detached() []byte {
	head, tail := m.around(tlv(tagSequence, oid(oidData)), 0)
	return append(head, tail...)
}

// Attach writes the signature with the content inside, which must be the size
// bytes whose digest was signed.
func (m *Message) Attach(w io.Writer, content io.Reader, size int64) error {
	octets := header(tagOctetString, size)
	explicit := header(tagContext0, int64(len(octets))+size)
	inner := append(append(oid(oidData), explicit...), octets...)
	encap := header(tagSequence, int64(len(inner))+size)
	head, tail := m.around(append(encap, inner...), size)
	if _, err := w.Write(head); err != nil {
		return err
	}
	n, err := io.Copy(w, content)
	if err != nil {
		return err
	}
	if n != size {
		return fmt.Errorf("the input changed its size while it was signed: %d bytes, then %d", size, n)
	}
	_, err = w.Write(tail)
	return err
}

// around returns what goes before and after further bytes that end the
// EncapsulatedContentInfo which encap begins.
func (m *Message) around(encap []byte, further int64) (head, tail []byte) {
	tail = append(append([]byte(nil), m.certificates...), m.signers...)
	body := append(append(append([]byte(nil), m.version...), m.digests...), encap...)
	n := int64(len(body)) + further + int64(len(tail))
	body = append(header(tagSequence, n), body...)
	n = int64(len(body)) + further + int64(len(tail))
	body = append(header(tagContext0, n), body...)
	body = append(oid(oidSignedData), body...)
	n = int64(len(body)) + further + int64(len(tail))
	return append(header(tagSequence, n), body...), tail
}

// Sign signs a content, given as its digest.
func (s *Signer) Sign(contentDigest []byte) (*Message, error) {
	d := row(func(d digest) bool { return d.hash == s.Hash })
	if d == nil || len(contentDigest) != s.Hash.Size() {
		return nil, fmt.Errorf("cms: digest of %d bytes does not fit %v", len(contentDigest), s.Hash)
	}
	sigAlg, err := d.signatureAlgorithm(s.Certificate.PublicKey)
	if err != nil {
		return nil, err
	}
	when, err := asn1.Marshal(s.Time.UTC())
	if err != nil {
		return nil, err
	}
	attribute := func(o asn1.ObjectIdentifier, value []byte) []byte {
		return tlv(tagSequence, oid(o), tlv(tagSet, value))
	}
	attributes := [][]byte{
		attribute(oidContentType, oid(oidData)),
		attribute(oidSigningTime, when),
		attribute(oidMessageDigest, tlv(tagOctetString, contentDigest)),
	}
	// Signed is the SET itself, sent is the same under [0] (section 5.4).
	signed, sent := setOf(tagSet, attributes...), setOf(tagContext0, attributes...)
	opts, input := crypto.SignerOpts(s.Hash), signed
	if _, ok := s.Certificate.PublicKey.(ed25519.PublicKey); ok {
		opts = crypto.Hash(0)
	} else {
		h := s.Hash.New()
		h.Write(signed)
		input = h.Sum(nil)
	}
	signature, err := s.Key.Sign(rand.Reader, input, opts)
	if err != nil {
		return nil, err
	}
	number, err := asn1.Marshal(s.Certificate.SerialNumber)
	if err != nil {
		return nil, err
	}
	certificates := [][]byte{s.Certificate.Raw}
	for _, c := range s.Chain {
		certificates = append(certificates, c.Raw)
	}
	one := tlv(tagInteger, []byte{1})
	digestAlg := algorithm(d.oid, false)
	return &Message{
		version:      one,
		digests:      tlv(tagSet, digestAlg),
		certificates: setOf(tagContext0, certificates...),
		signers: tlv(tagSet, tlv(tagSequence,
			one,
			tlv(tagSequence, s.Certificate.RawIssuer, number),
			digestAlg,
			sent,
			sigAlg,
			tlv(tagOctetString, signature),
		)),
	}, nil
}

// Bundle returns certificates alone, in a SignedData without signers: what
// PKCS #7 files (.p7b) of chains are.
func Bundle(chain []*x509.Certificate) []byte {
	var certificates [][]byte
	for _, c := range chain {
		certificates = append(certificates, c.Raw)
	}
	m := &Message{
		version:      tlv(tagInteger, []byte{1}),
		digests:      tlv(tagSet),
		certificates: setOf(tagContext0, certificates...),
		signers:      tlv(tagSet),
	}
	return m.Detached()
}
