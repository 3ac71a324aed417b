// Package keyfile reads keys and certificates in the forms in which people
// have them: PEM and DER, PKCS #1, #8 and #12, SEC 1, OpenSSH.
package keyfile

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"

	"cardbridge/internal/cli/cms"
)

// A Public is a public key, with the certificate it came in, if it did.
type Public struct {
	Key         crypto.PublicKey // *rsa, *ecdsa, ed25519 or *ecdh (X25519)
	Certificate *x509.Certificate
}

// ReadPublic reads a certificate or public key: PEM, DER, or a line of an
// OpenSSH public key file.
func ReadPublic(data []byte) (Public, error) {
	if block, _ := pem.Decode(data); block != nil {
		return publicBlock(block.Type, block.Bytes)
	}
	if looksPEM(data) {
		return Public{}, errMalformedPEM
	}
	for _, kind := range []string{"CERTIFICATE", "PUBLIC KEY", "RSA PUBLIC KEY"} {
		if p, err := publicBlock(kind, data); err == nil {
			return p, nil
		}
	}
	if key, _, _, _, err := ssh.ParseAuthorizedKey(data); err == nil {
		if ck, ok := key.(ssh.CryptoPublicKey); ok {
			return Public{Key: ck.CryptoPublicKey()}, nil
		}
		return Public{}, fmt.Errorf("an OpenSSH key of type %s is not one of a card", key.Type())
	}
	return Public{}, errors.New("neither a public key nor a certificate, in PEM, DER or OpenSSH's form")
}

var errMalformedPEM = errors.New("malformed PEM")

func looksPEM(data []byte) bool { return bytes.Contains(data, []byte("-----BEGIN ")) }

// publicParsers are the PEM types that hold a public key.
var publicParsers = map[string]func([]byte) (Public, error){
	"CERTIFICATE": func(der []byte) (Public, error) {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return Public{}, err
		}
		return Public{c.PublicKey, c}, nil
	},
	"PUBLIC KEY": func(der []byte) (Public, error) {
		k, err := x509.ParsePKIXPublicKey(der)
		return Public{Key: k}, err
	},
	"RSA PUBLIC KEY": func(der []byte) (Public, error) {
		k, err := x509.ParsePKCS1PublicKey(der)
		return Public{Key: k}, err
	},
}

func publicBlock(kind string, der []byte) (Public, error) {
	parse := publicParsers[kind]
	if parse == nil {
		return Public{}, fmt.Errorf("PEM of type %q is neither a public key nor a certificate", kind)
	}
	p, err := parse(der)
	if err != nil {
		return Public{}, fmt.Errorf("malformed %s: %w", kind, err)
	}
	return p, nil
}

// ReadCertificates reads one or more certificates: in PEM (whatever else is
// between them), in DER, or in PKCS #7 in either.
func ReadCertificates(data []byte) ([]*x509.Certificate, error) {
	if !looksPEM(data) {
		c, err := x509.ParseCertificates(data)
		if err != nil {
			if bundle, berr := readBundle(data); berr == nil {
				return bundle, nil
			}
			return nil, fmt.Errorf("neither a certificate nor PKCS #7, in PEM or DER: %w", err)
		}
		if len(c) == 0 {
			return nil, errors.New("empty: no certificate in it")
		}
		return c, nil
	}
	var out []*x509.Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("malformed certificate: %w", err)
			}
			out = append(out, c)
		case "PKCS7", "CMS":
			bundle, err := readBundle(block.Bytes)
			if err != nil {
				return nil, err
			}
			out = append(out, bundle...)
		}
	}
	if len(out) == 0 {
		if block, _ := pem.Decode(data); block == nil {
			return nil, errMalformedPEM
		}
		return nil, errors.New("no certificate in it")
	}
	return out, nil
}

// readBundle reads the certificates of PKCS #7.
func readBundle(data []byte) ([]*x509.Certificate, error) {
	sd, err := cms.Read(bytes.NewReader(data), int64(len(data)))
	if err == nil && len(sd.Certificates) == 0 {
		err = errors.New("PKCS #7 without a certificate")
	}
	if err != nil {
		return nil, err
	}
	return sd.Certificates, nil
}

// Leaf is the one of several certificates that issued none of the others, nil
// where that is not one alone. The order of bundles tells nothing: some begin
// with the CA.
func Leaf(certs []*x509.Certificate) *x509.Certificate {
	var leaf *x509.Certificate
	for _, c := range certs {
		issuer := slices.ContainsFunc(certs, func(other *x509.Certificate) bool { return !other.Equal(c) && issued(c, other) })
		switch {
		case issuer, leaf != nil && leaf.Equal(c):
		case leaf != nil:
			return nil
		default:
			leaf = c
		}
	}
	return leaf
}

// issued tells whether one certificate names the other as its issuer; bundles
// are for sorting out, not to be trusted.
func issued(by, c *x509.Certificate) bool {
	return bytes.Equal(by.RawSubject, c.RawIssuer) &&
		(len(c.AuthorityKeyId) == 0 || len(by.SubjectKeyId) == 0 || bytes.Equal(by.SubjectKeyId, c.AuthorityKeyId))
}

// MarshalPublic is a key's SubjectPublicKeyInfo, in DER. X25519 keys are
// written as RFC 8410 says.
func MarshalPublic(key crypto.PublicKey) ([]byte, error) {
	if k, ok := key.(*ecdh.PublicKey); ok && k.Curve() != ecdh.X25519() {
		return nil, fmt.Errorf("public key of type %T", key)
	}
	return x509.MarshalPKIXPublicKey(key)
}

// PublicPEM is a public key in PEM.
func PublicPEM(key crypto.PublicKey) ([]byte, error) {
	der, err := MarshalPublic(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// CertificatePEM is a certificate in PEM.
func CertificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Equal tells whether two public keys are the same.
func Equal(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
