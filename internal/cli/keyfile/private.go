package keyfile

import (
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
	"software.sslmate.com/src/go-pkcs12"
)

// ErrPassphrase says that a file's passphrase was wrong.
var ErrPassphrase = errors.New("wrong passphrase")

// A Private is a private key, with the certificates that came with it.
type Private struct {
	Key          crypto.PrivateKey   // *rsa, *ecdsa, ed25519 or *ecdh (X25519)
	Certificates []*x509.Certificate // the key's own first; none but in PKCS #12 and PEM bundles
}

// A Passphrase asks for a file's passphrase, at most once a file. The caller
// of ReadPrivate wipes it.
type Passphrase func() ([]byte, error)

// ReadPrivate reads a private key: PKCS #8, PKCS #1, SEC 1 or OpenSSH's form in
// PEM or, but for the last, DER; PKCS #12. Where it is encrypted, ask is called.
func ReadPrivate(data []byte, ask Passphrase) (*Private, error) {
	if !looksPEM(data) {
		return privateDER(data, ask)
	}
	var out Private
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case block.Type == "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("malformed certificate: %w", err)
			}
			out.Certificates = append(out.Certificates, c)
		case block.Type == "EC PARAMETERS":
			// openssl ecparam -genkey writes them before the key that repeats them.
		case out.Key != nil:
			return nil, errors.New("more than one private key in it")
		default:
			key, err := privateBlock(block, ask)
			clear(block.Bytes)
			if err != nil {
				return nil, err
			}
			out.Key = key
		}
	}
	if out.Key == nil {
		if len(out.Certificates) == 0 {
			return nil, errMalformedPEM
		}
		return nil, errors.New("certificates, but no private key in it")
	}
	return &out, nil
}

func privateBlock(block *pem.Block, ask Passphrase) (crypto.PrivateKey, error) {
	switch block.Type {
	case "PRIVATE KEY":
		return parsed(x509.ParsePKCS8PrivateKey(block.Bytes))
	case "ENCRYPTED PRIVATE KEY":
		return encryptedPKCS8(block.Bytes, ask)
	case "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY":
		// These three, and the old encryption of the first two, are what
		// OpenSSH knows.
		b := pem.EncodeToMemory(block)
		defer clear(b)
		key, err := ssh.ParseRawPrivateKey(b)
		var missing *ssh.PassphraseMissingError
		if !errors.As(err, &missing) {
			return parsed(key, err)
		}
		pass, err := ask()
		if err != nil {
			return nil, err
		}
		key, err = ssh.ParseRawPrivateKeyWithPassphrase(b, pass)
		if errors.Is(err, x509.IncorrectPasswordError) {
			return nil, ErrPassphrase
		}
		return parsed(key, err)
	}
	return nil, fmt.Errorf("PEM of type %q is not a private key", block.Type)
}

// parsed gives all parsers' keys the types that cards take.
func parsed(key any, err error) (crypto.PrivateKey, error) {
	if err != nil {
		return nil, fmt.Errorf("malformed private key: %w", err)
	}
	if k, ok := key.(*ed25519.PrivateKey); ok {
		return *k, nil
	}
	return key, nil
}

func encryptedPKCS8(der []byte, ask Passphrase) (crypto.PrivateKey, error) {
	pass, err := ask()
	if err != nil {
		return nil, err
	}
	plain, err := decryptPKCS8(der, pass)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		// The format has no check of its own: a wrong passphrase may give garbage.
		return nil, ErrPassphrase
	}
	return parsed(key, nil)
}

func privateDER(data []byte, ask Passphrase) (*Private, error) {
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(b []byte) (any, error) { return x509.ParsePKCS1PrivateKey(b) },
		func(b []byte) (any, error) { return x509.ParseECPrivateKey(b) },
	} {
		if key, err := parse(data); err == nil {
			k, err := parsed(key, nil)
			return &Private{Key: k}, err
		}
	}
	switch derKind(data) {
	case kindPKCS12:
		return fromPKCS12(data, ask)
	case kindEncryptedPKCS8:
		key, err := encryptedPKCS8(data, ask)
		if err != nil {
			return nil, err
		}
		return &Private{Key: key}, nil
	}
	return nil, errors.New("not a private key: neither PKCS #8, PKCS #1, SEC 1, PKCS #12 nor OpenSSH")
}

type kind int

const (
	kindUnknown kind = iota
	kindPKCS12
	kindEncryptedPKCS8
)

// derKind tells apart what begins a SEQUENCE, so that a passphrase is asked
// for only where there is something to decrypt.
func derKind(data []byte) kind {
	var outer asn1.RawValue
	if rest, err := asn1.Unmarshal(data, &outer); err != nil || len(rest) > 0 || outer.Tag != asn1.TagSequence {
		return kindUnknown
	}
	var first asn1.RawValue
	rest, err := asn1.Unmarshal(outer.Bytes, &first)
	if err != nil {
		return kindUnknown
	}
	switch {
	case first.Tag == asn1.TagInteger && len(first.Bytes) == 1 && first.Bytes[0] == 3:
		return kindPKCS12
	case first.Tag == asn1.TagSequence:
		var second asn1.RawValue
		if rest, err = asn1.Unmarshal(rest, &second); err == nil && len(rest) == 0 && second.Tag == asn1.TagOctetString {
			return kindEncryptedPKCS8
		}
	}
	return kindUnknown
}

// IsPKCS12 tells whether a file looks like PKCS #12.
func IsPKCS12(data []byte) bool { return derKind(data) == kindPKCS12 }

func fromPKCS12(data []byte, ask Passphrase) (*Private, error) {
	decode := func(pass string) (*Private, error) {
		key, cert, chain, err := pkcs12.DecodeChain(data, pass)
		if err != nil && !errors.Is(err, pkcs12.ErrIncorrectPassword) {
			// DecodeChain wants a certificate; a file need not have one.
			if p, kerr := keyAlone(data, pass); kerr == nil {
				return p, nil
			}
		}
		if err != nil {
			return nil, err
		}
		k, err := parsed(key, nil)
		if err != nil {
			return nil, err
		}
		return &Private{Key: k, Certificates: append([]*x509.Certificate{cert}, chain...)}, nil
	}
	// Many files have the empty passphrase; nothing but time is lost by trying.
	p, err := decode("")
	if !errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return p, wrapPKCS12(err)
	}
	pass, err := ask()
	if err != nil {
		return nil, err
	}
	p, err = decode(string(pass))
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return nil, ErrPassphrase
	}
	return p, wrapPKCS12(err)
}

// The parts of RFC 7292 section 4 that lead to a shrouded key.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	safeBag struct {
		ID         asn1.ObjectIdentifier
		Value      asn1.RawValue `asn1:"tag:0,explicit"`
		Attributes asn1.RawValue `asn1:"set,optional"`
	}
)

var (
	oidPKCS7Data   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidShroudedKey = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
)

// keyAlone reads a PKCS #12 file that has a key and no certificate, whose
// integrity DecodeChain has checked.
func keyAlone(data []byte, pass string) (*Private, error) {
	var pfx struct {
		Version int
		Safe    contentInfo
		MAC     asn1.RawValue `asn1:"optional"`
	}
	var safes []contentInfo
	if err := unmarshal(data, &pfx); err != nil {
		return nil, err
	}
	if err := unmarshalData(pfx.Safe, &safes); err != nil {
		return nil, err
	}
	for _, safe := range safes {
		var bags []safeBag
		if !safe.Type.Equal(oidPKCS7Data) || unmarshalData(safe, &bags) != nil {
			continue
		}
		for _, bag := range bags {
			if bag.ID.Equal(oidShroudedKey) {
				key, err := encryptedPKCS8(bag.Value.Bytes, func() ([]byte, error) { return []byte(pass), nil })
				if err != nil {
					return nil, err
				}
				return &Private{Key: key}, nil
			}
		}
	}
	return nil, errors.New("no private key in it")
}

// unmarshalData reads what is inside the octet string of a "data" content.
func unmarshalData(c contentInfo, v any) error {
	var inner []byte
	if err := unmarshal(c.Content.Bytes, &inner); err != nil {
		return err
	}
	return unmarshal(inner, v)
}

func unmarshal(der []byte, v any) error {
	rest, err := asn1.Unmarshal(der, v)
	if err == nil && len(rest) > 0 {
		err = errors.New("trailing bytes")
	}
	return err
}

func wrapPKCS12(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("PKCS #12 file: %w", err)
}
