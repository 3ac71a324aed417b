package piv

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	_ "embed"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"cardbridge/apdu"
	"cardbridge/card"
)

// Attest returns the card's certificate, in DER, that the key was made on it
// (ATTEST, Yubico firmware 4.3), signed by the key in slot F9. Access
// condition: always. card.ErrNotFound where there is no key,
// card.ErrUnsupported where it was imported.
func (c *Card) Attest(ctx context.Context, ref card.KeyRef) ([]byte, error) {
	s, err := slotOf(ref)
	if err != nil {
		return nil, err
	}
	return run(ctx, c, need{what: "attest key " + string(s.Ref), again: true}, func(x *tx) ([]byte, error) {
		return x.attest(s)
	})
}

func (x *tx) attest(s Slot) ([]byte, error) {
	if x.c.facts.noAttest {
		return nil, fmt.Errorf("%w: attestation", card.ErrUnsupported)
	}
	b, err := x.send(apdu.Command{INS: insAttest, P1: s.Key, Le: apdu.LeMax})
	switch status, _ := apdu.StatusOf(err); {
	case err == nil:
	case !x.ours:
		return nil, err
	case absent(err):
		return nil, fmt.Errorf("%w: slot %s has no key: %w", card.ErrNotFound, s.Ref, err)
	case status == apdu.ErrIncorrectData, status == apdu.ErrConditionsNotSatisfied:
		return nil, fmt.Errorf("%w: key %s was not made on the card, or is not there: %w", card.ErrUnsupported, s.Ref, err)
	case status == apdu.ErrInstruction:
		x.c.facts.noAttest = true
		return nil, fmt.Errorf("%w: attestation: %w", card.ErrUnsupported, err)
	case unsupported(err), !x.row().HasAttest && answered(err), status == apdu.ErrExecution: // the latter: F9 has no key of Yubico's any more
		return nil, fmt.Errorf("%w: attestation: %w", card.ErrUnsupported, err)
	default:
		return nil, err
	}
	if _, err := only(b, 0x30); err != nil {
		return nil, fmt.Errorf("attestation: %w", err)
	}
	if _, err := certificateKey(b); err != nil && x.row().AttestsAll {
		return nil, fmt.Errorf("%w: slot %s has no key: the attestation has none", card.ErrNotFound, s.Ref)
	}
	return bytes.Clone(b), nil
}

// AttestedKey returns the key that is in a slot as the card attests it (ATTEST,
// Yubico firmware 4.3), whatever certificate the slot has: on a card without
// metadata Key knows a key by its certificate, and that may be of the key that
// was there before. Access condition: always. card.ErrNotFound where there is
// no key, or one that was imported; card.ErrUnsupported where the card attests
// nothing. What it tells is remembered, and Key tells it from then on.
func (c *Card) AttestedKey(ctx context.Context, ref card.KeyRef) (card.KeyInfo, error) {
	s, err := slotOf(ref)
	if err != nil {
		return card.KeyInfo{}, err
	}
	return run(ctx, c, need{what: "look at key " + string(s.Ref), again: true}, func(x *tx) (card.KeyInfo, error) {
		if !x.row().HasAttest || s.Attestation {
			return card.KeyInfo{}, fmt.Errorf("%w: attestation", card.ErrUnsupported)
		}
		k, err := x.keyByAttestation(s)
		if err == nil {
			x.c.content.setKey(s.Ref, &k)
		}
		return k, err
	})
}

// keyByAttestation learns of a key that was made on a card without metadata.
func (x *tx) keyByAttestation(s Slot) (card.KeyInfo, error) {
	der, err := x.attest(s)
	if err != nil {
		if (x.ours || x.c.facts.noAttest) && errors.Is(err, card.ErrUnsupported) {
			err = fmt.Errorf("%w: %w", card.ErrNotFound, err)
		}
		return card.KeyInfo{}, err
	}
	k := s.info()
	if k.Public, k.Algorithm, err = publicOfCertificate(der); err != nil {
		return card.KeyInfo{}, fmt.Errorf("attestation of key %s: %w", s.Ref, err)
	}
	if k.Origin = card.OriginGenerated; x.row().AttestsAll {
		k.Origin = card.OriginUnknown
	}
	if cert, err := x509.ParseCertificate(der); err == nil {
		var a Attestation
		if a.readExtensions(cert) == nil && a.PINPolicy != card.PINUnknown {
			k.PINPolicy, k.TouchPolicy = a.PINPolicy, a.TouchPolicy
		}
	}
	x.ours = true
	return k, nil
}

// An Attestation is what a verified attestation certificate says.
type Attestation struct {
	Ref         card.KeyRef
	Public      crypto.PublicKey
	Algorithm   card.Algorithm
	Serial      string // decimal; "" where the attestation does not tell
	Version     card.Version
	PINPolicy   card.PINPolicy
	TouchPolicy card.TouchPolicy
	FormFactor  string
	FIPS, CSPN  bool
	// Chain is the attestation, the card's certificate, intermediates, root.
	Chain []*x509.Certificate
}

// Yubico's arc for PIV attestation, 1.3.6.1.4.1.41482.3 (docs.yubico.com, PIV
// attestation OID arc).
var (
	oidFirmware   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 3}
	oidSerial     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 7}
	oidPolicy     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 8}
	oidFormFactor = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 9}
	oidFIPS       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 10}
	oidCSPN       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 11}
)

var formFactors = map[byte]string{
	1: "USB-A keychain", 2: "USB-A nano", 3: "USB-C keychain", 4: "USB-C nano", 5: "USB-C and Lightning",
	6: "USB-A keychain with fingerprint", 7: "USB-C keychain with fingerprint",
}

// attestationSubject is in the common name, after the vendor's name and before
// the slot's.
const attestationSubject = " PIV Attestation "

func (a *Attestation) readExtensions(c *x509.Certificate) error {
	for _, e := range c.Extensions {
		v := e.Value
		switch {
		case e.Id.Equal(oidFirmware) && len(v) == 3:
			a.Version = card.Version{Major: v[0], Minor: v[1], Patch: v[2]}
		case e.Id.Equal(oidSerial):
			n := new(big.Int)
			if rest, err := asn1.Unmarshal(v, &n); err != nil || len(rest) > 0 || n.Sign() < 0 {
				return malformed("serial number in the attestation")
			}
			a.Serial = n.String()
		case e.Id.Equal(oidPolicy) && len(v) == 2:
			a.PINPolicy, a.TouchPolicy = pinPolicies[v[0]], touchPolicies[v[1]]
		case e.Id.Equal(oidFormFactor) && len(v) == 1:
			a.FormFactor = formFactors[v[0]&0x0F]
			a.FIPS = a.FIPS || v[0]&0x80 != 0
		case e.Id.Equal(oidFIPS):
			a.FIPS = true
		case e.Id.Equal(oidCSPN):
			a.CSPN = true
		case e.Id.Equal(oidFirmware), e.Id.Equal(oidPolicy), e.Id.Equal(oidFormFactor):
			return malformed("extension %v in the attestation", e.Id)
		}
	}
	return nil
}

//go:embed yubico.pem
var yubicoPEM []byte

// YubicoRoots are the certificates that Yubico's attestations end in: the PIV
// root of 2016, the U2F root that signed some YubiKey 4, and the attestation
// root of 2024 with its intermediates (developers.yubico.com, PKI and PIV
// attestation).
func YubicoRoots() (roots, intermediates []*x509.Certificate, err error) {
	for rest := yubicoPEM; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return roots, intermediates, nil
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, nil, err
		}
		if bytes.Equal(c.RawSubject, c.RawIssuer) {
			roots = append(roots, c)
		} else {
			intermediates = append(intermediates, c)
		}
	}
}

// VerifyAttestation checks a key's attestation and the card's own attestation
// certificate (slot F9), both in DER: signatures up to one of Yubico's roots or
// of the others given, and what the attestation says. Validity periods are not
// looked at, as a card has no clock and Yubico writes what it likes there.
func VerifyAttestation(attestation, device []byte, others ...*x509.Certificate) (*Attestation, error) {
	leaf, err := x509.ParseCertificate(attestation)
	if err != nil {
		return nil, fmt.Errorf("attestation: %w", err)
	}
	card9, err := x509.ParseCertificate(device)
	if err != nil {
		return nil, fmt.Errorf("attestation certificate of the card: %w", err)
	}
	roots, intermediates, err := YubicoRoots()
	if err != nil {
		return nil, err
	}
	chain, err := attestationChain(leaf, card9, append(roots, others...), intermediates)
	if err != nil {
		return nil, err
	}
	a := &Attestation{Public: leaf.PublicKey, Chain: chain}
	_, name, ok := strings.Cut(leaf.Subject.CommonName, attestationSubject)
	slot, known := SlotByName(name)
	if !ok || !known {
		return nil, fmt.Errorf("the certificate of %q is not the attestation of a key", leaf.Subject.CommonName)
	}
	row, ok := algorithmOfPublic(leaf.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: attested key", card.ErrUnsupported)
	}
	a.Ref, a.Algorithm = slot.Ref, row.Algorithm
	return a, a.readExtensions(leaf)
}

// attestationChain follows the issuers. It is not the standard library's:
// YubiKey 4 have attestation certificates without basic constraints, and the
// U2F root that signed some has a path length that allows none.
func attestationChain(leaf, device *x509.Certificate, roots, intermediates []*x509.Certificate) ([]*x509.Certificate, error) {
	if device.BasicConstraintsValid && !device.IsCA {
		return nil, errors.New("the card's attestation certificate is not one that may sign")
	}
	chain := []*x509.Certificate{leaf}
	if err := signedBy(leaf, device); err != nil {
		return nil, fmt.Errorf("the attestation is not signed by the card's attestation key: %w", err)
	}
	chain = append(chain, device)
	for at := device; len(chain) < 8; {
		for _, r := range roots {
			if at.Equal(r) {
				return chain, nil
			}
			if signedBy(at, r) == nil {
				return append(chain, r), nil
			}
		}
		next := at
		for _, i := range intermediates {
			if !at.Equal(i) && signedBy(at, i) == nil {
				next = i
				break
			}
		}
		if next == at {
			break
		}
		at = next
		chain = append(chain, at)
	}
	return nil, fmt.Errorf("the card's attestation certificate (issuer %q) does not come from Yubico, nor from a root that was given", device.Issuer.CommonName)
}

func signedBy(c, issuer *x509.Certificate) error {
	if !bytes.Equal(c.RawIssuer, issuer.RawSubject) {
		return errors.New("another issuer")
	}
	return issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
}
