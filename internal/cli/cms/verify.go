package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	ber "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	// ErrMalformed says that a file is no CMS signature in DER.
	ErrMalformed = errors.New("malformed CMS signature")
	// ErrSignature says that a signature does not fit the content.
	ErrSignature = errors.New("the signature does not fit the content")
	// ErrNoContent says that a detached signature came without its content.
	ErrNoContent = errors.New("the signature is detached: it needs the file that was signed")
)

// A SignedData was read and is not checked yet.
type SignedData struct {
	content      *io.SectionReader // nil when detached
	Certificates []*x509.Certificate
	signers      []signer
}

type signer struct {
	issuer, subjectKeyID []byte // one of the two
	serial               *big.Int
	hash                 *digest
	attributes           []byte // as signed: with the SET tag; nil for none
	messageDigest        []byte
	time                 time.Time
	signatureAlgorithm   asn1.ObjectIdentifier
	signature            []byte
}

// Detached tells whether the content is elsewhere.
func (s *SignedData) Detached() bool { return s.content == nil }

var (
	context0          = ber.Tag(0).ContextSpecific().Constructed()
	context1          = ber.Tag(1).ContextSpecific().Constructed()
	context0Primitive = ber.Tag(0).ContextSpecific()
)

// Parse reads a ContentInfo with a SignedData, in DER.
func Parse(der []byte) (*SignedData, error) {
	in := cryptobyte.String(der)
	var info, explicit, sd, digestAlgs, encap cryptobyte.String
	var kind asn1.ObjectIdentifier
	var version int
	if !in.ReadASN1(&info, ber.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&kind) {
		return nil, ErrMalformed
	}
	if !kind.Equal(oidSignedData) {
		return nil, fmt.Errorf("%w: content type %v is not signed data", ErrMalformed, kind)
	}
	if !info.ReadASN1(&explicit, context0) || !explicit.ReadASN1(&sd, ber.SEQUENCE) ||
		!sd.ReadASN1Integer(&version) || !sd.ReadASN1(&digestAlgs, ber.SET) || !sd.ReadASN1(&encap, ber.SEQUENCE) {
		return nil, ErrMalformed
	}
	s := new(SignedData)
	if err := s.parseContent(encap); err != nil {
		return nil, err
	}
	return s, s.parseTail(sd)
}

// parseTail reads what comes after the content.
func (s *SignedData) parseTail(sd cryptobyte.String) error {
	var certs cryptobyte.String
	var present bool
	if !sd.ReadOptionalASN1(&certs, &present, context0) {
		return ErrMalformed
	}
	for !certs.Empty() {
		var one cryptobyte.String
		var tag ber.Tag
		if !certs.ReadAnyASN1Element(&one, &tag) {
			return ErrMalformed
		}
		if tag != ber.SEQUENCE {
			continue // attribute certificates and the like
		}
		c, err := x509.ParseCertificate(one)
		if err != nil {
			return fmt.Errorf("certificate in a CMS signature: %w", err)
		}
		s.Certificates = append(s.Certificates, c)
	}
	var signers cryptobyte.String
	if !sd.SkipOptionalASN1(context1) || !sd.ReadASN1(&signers, ber.SET) {
		return ErrMalformed
	}
	for !signers.Empty() {
		var one cryptobyte.String
		if !signers.ReadASN1(&one, ber.SEQUENCE) {
			return ErrMalformed
		}
		si, err := parseSigner(one)
		if err != nil {
			return err
		}
		s.signers = append(s.signers, *si)
	}
	return nil
}

func (s *SignedData) parseContent(encap cryptobyte.String) error {
	var kind asn1.ObjectIdentifier
	var explicit, octets cryptobyte.String
	var present bool
	if !encap.ReadASN1ObjectIdentifier(&kind) || !encap.ReadOptionalASN1(&explicit, &present, context0) {
		return ErrMalformed
	}
	if !present {
		return nil
	}
	if !explicit.ReadASN1(&octets, ber.OCTET_STRING) {
		return ErrMalformed
	}
	s.content = io.NewSectionReader(bytes.NewReader(octets), 0, int64(len(octets)))
	return nil
}

func parseSigner(in cryptobyte.String) (*signer, error) {
	si := new(signer)
	var version int
	if !in.ReadASN1Integer(&version) {
		return nil, ErrMalformed
	}
	if in.PeekASN1Tag(context0Primitive) {
		var id cryptobyte.String
		in.ReadASN1(&id, context0Primitive)
		si.subjectKeyID = id
	} else {
		var id, issuer cryptobyte.String
		si.serial = new(big.Int)
		if !in.ReadASN1(&id, ber.SEQUENCE) || !id.ReadASN1Element(&issuer, ber.SEQUENCE) || !id.ReadASN1Integer(si.serial) {
			return nil, ErrMalformed
		}
		si.issuer = issuer
	}
	hash, err := readAlgorithm(&in)
	if err != nil {
		return nil, err
	}
	if si.hash = row(func(d digest) bool { return d.oid.Equal(hash) }); si.hash == nil {
		return nil, fmt.Errorf("CMS signature with digest %v, which is not accepted here", hash)
	}
	if in.PeekASN1Tag(context0) {
		var element cryptobyte.String
		if !in.ReadASN1Element(&element, context0) {
			return nil, ErrMalformed
		}
		// The SET tag is what was signed (section 5.4).
		si.attributes = append([]byte{tagSet}, element[1:]...)
		if err := si.parseAttributes(); err != nil {
			return nil, err
		}
	}
	if si.signatureAlgorithm, err = readAlgorithm(&in); err != nil {
		return nil, err
	}
	var signature cryptobyte.String
	if !in.ReadASN1(&signature, ber.OCTET_STRING) {
		return nil, ErrMalformed
	}
	si.signature = signature
	return si, nil
}

func readAlgorithm(in *cryptobyte.String) (asn1.ObjectIdentifier, error) {
	var alg cryptobyte.String
	var o asn1.ObjectIdentifier
	if !in.ReadASN1(&alg, ber.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&o) {
		return nil, ErrMalformed
	}
	return o, nil
}

func (si *signer) parseAttributes() error {
	all := cryptobyte.String(si.attributes)
	var set cryptobyte.String
	if !all.ReadASN1(&set, ber.SET) {
		return ErrMalformed
	}
	for !set.Empty() {
		var attr, values cryptobyte.String
		var o asn1.ObjectIdentifier
		if !set.ReadASN1(&attr, ber.SEQUENCE) || !attr.ReadASN1ObjectIdentifier(&o) || !attr.ReadASN1(&values, ber.SET) {
			return ErrMalformed
		}
		switch {
		case o.Equal(oidMessageDigest):
			var v cryptobyte.String
			if si.messageDigest != nil || !values.ReadASN1(&v, ber.OCTET_STRING) || !values.Empty() {
				return ErrMalformed
			}
			si.messageDigest = v
		case o.Equal(oidSigningTime):
			if values.PeekASN1Tag(ber.UTCTime) {
				values.ReadASN1UTCTime(&si.time)
			} else {
				values.ReadASN1GeneralizedTime(&si.time)
			}
		}
	}
	if si.messageDigest == nil {
		return fmt.Errorf("%w: no message digest among the signed attributes", ErrMalformed)
	}
	return nil
}

// A Verified is a signature that fits the content. Whether its certificate
// is to be trusted is the caller's to find out.
type Verified struct {
	Certificate *x509.Certificate
	Time        time.Time // claimed; zero for none
}

// Verify checks every signer's signature; content is what a detached signature is about, nil
// where it is inside.
func (s *SignedData) Verify(content io.Reader) ([]Verified, error) {
	if len(s.signers) == 0 {
		return nil, errors.New("nobody signed this: it only holds certificates")
	}
	switch {
	case !s.Detached() && content == nil:
		content = io.NewSectionReader(s.content, 0, s.content.Size())
	case content == nil:
		return nil, ErrNoContent
	}
	sums := map[crypto.Hash]io.Writer{}
	var all []io.Writer
	for _, si := range s.signers {
		if sums[si.hash.hash] == nil {
			h := si.hash.hash.New()
			sums[si.hash.hash] = h
			all = append(all, h)
		}
	}
	if _, err := io.Copy(io.MultiWriter(all...), content); err != nil {
		return nil, err
	}
	var out []Verified
	for _, si := range s.signers {
		sum := sums[si.hash.hash].(interface{ Sum([]byte) []byte }).Sum(nil)
		c, err := s.find(si)
		if err != nil {
			return nil, err
		}
		if err := si.verify(c, sum); err != nil {
			return nil, err
		}
		out = append(out, Verified{c, si.time})
	}
	return out, nil
}

func (s *SignedData) find(si signer) (*x509.Certificate, error) {
	for _, c := range s.Certificates {
		if si.serial != nil && c.SerialNumber.Cmp(si.serial) == 0 && bytes.Equal(c.RawIssuer, si.issuer) ||
			si.subjectKeyID != nil && bytes.Equal(c.SubjectKeyId, si.subjectKeyID) {
			return c, nil
		}
	}
	return nil, errors.New("the signer's certificate is not in the CMS signature")
}

func (si *signer) verify(c *x509.Certificate, contentDigest []byte) error {
	if si.attributes == nil {
		return si.verifyDigest(c, contentDigest)
	}
	if !bytes.Equal(si.messageDigest, contentDigest) {
		return ErrSignature
	}
	var alg x509.SignatureAlgorithm
	switch c.PublicKey.(type) {
	case *rsa.PublicKey:
		if si.signatureAlgorithm.Equal(oidPSS) {
			// Any salt length, which x509 does not allow.
			h := si.hash.hash.New()
			h.Write(si.attributes)
			return si.verifyDigest(c, h.Sum(nil))
		}
		alg = si.hash.rsaAlg
		if !si.signatureAlgorithm.Equal(si.hash.rsa) && !si.signatureAlgorithm.Equal(oidRSA) {
			return si.unknown()
		}
	case *ecdsa.PublicKey:
		alg = si.hash.ecdsaAlg
		if !si.signatureAlgorithm.Equal(si.hash.ecdsa) {
			return si.unknown()
		}
	case ed25519.PublicKey:
		alg = x509.PureEd25519
		if !si.signatureAlgorithm.Equal(oidEd25519) {
			return si.unknown()
		}
	default:
		return si.unknown()
	}
	if c.CheckSignature(alg, si.attributes, si.signature) != nil {
		return ErrSignature
	}
	return nil
}

// verifyDigest checks a signature over the content itself, without attributes.
func (si *signer) verifyDigest(c *x509.Certificate, sum []byte) error {
	ok := false
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if si.signatureAlgorithm.Equal(oidPSS) {
			ok = rsa.VerifyPSS(k, si.hash.hash, sum, si.signature, nil) == nil
		} else {
			ok = rsa.VerifyPKCS1v15(k, si.hash.hash, sum, si.signature) == nil
		}
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(k, sum, si.signature)
	default:
		return si.unknown()
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

func (si *signer) unknown() error {
	return fmt.Errorf("CMS signature with algorithm %v and %v, which is not accepted here", si.signatureAlgorithm, si.hash.hash)
}
