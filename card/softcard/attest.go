package softcard

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Yubico's extensions in an attestation: their arc 1.3.6.1.4.1.41482.3.
var (
	oidFirmware   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 3}
	oidSerial     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 7}
	oidPolicy     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 8}
	oidFormFactor = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 9}
)

// makeAttestationKey fills slot F9 as the factory does. The certificate is its own root: this card's word is nobody's but its
// own, and the name says so.
func (s *state) makeAttestationKey(p *personality) error {
	algorithm, _ := keyAlgorithmByID(algP256)
	key, err := algorithm.generate()
	if err != nil {
		return err
	}
	name := pkix.Name{CommonName: "cardbridge software card PIV Attestation (protects nothing)"}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetUint64(uint64(s.Serial)),
		Subject:      name, Issuer: name,
		NotBefore:             time.Date(2016, 3, 14, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2052, 4, 17, 0, 0, 0, 0, time.UTC),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
		ExtraExtensions:       []pkix.Extension{{Id: oidFirmware, Value: p.firmware[:]}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, publicOf(key), key)
	if err != nil {
		return err
	}
	s.Objects[objAttestation] = certificateObject(der)
	return s.setKey(slotAttest, algorithm, key, keyPolicy{pinNever, touchNever}, true)
}

// certificateObject is the content of a certificate's data object, part 1 table 10: certificate, not compressed, no error
// detection code.
func certificateObject(der []byte) []byte {
	b := appendTLV(nil, 0x70, der)
	b = appendTLV(b, 0x71, []byte{0})
	return appendTLV(b, 0xFE, nil)
}

// attest is ATTEST, Yubico: a certificate by slot F9 that says that the key in P1's slot was made on this card.
func attest(r *request) ([]byte, uint16) {
	slot := r.cmd.p1
	if r.cmd.p2 != 0 || !isKeySlot(slot) {
		return nil, swBadP1P2
	}
	stored, ok := r.state().Keys[slotName(slot)]
	if !ok {
		return nil, swNoReference
	}
	if !stored.Generated {
		return nil, swBadData
	}
	der, err := r.attestation(slot, stored)
	if err != nil {
		return nil, swFailed
	}
	return der, swOK
}

func (r *request) attestation(slot byte, stored storedKey) ([]byte, error) {
	key, err := r.card.keyCache.key(stored)
	if err != nil {
		return nil, err
	}
	attestor, ok := r.state().Keys[slotAttest]
	if !ok {
		return nil, errors.New("no attestation key")
	}
	signer, err := r.card.keyCache.key(attestor)
	if err != nil {
		return nil, err
	}
	list, ok := parseTLVs(r.state().Objects[objAttestation])
	if !ok {
		return nil, errors.New("no attestation certificate")
	}
	issuerDER, _ := find(list, 0x70)
	issuer, err := x509.ParseCertificate(issuerDER)
	if err != nil {
		return nil, err
	}
	number, err := asn1.Marshal(new(big.Int).SetUint64(uint64(r.state().Serial)))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:       new(big.Int).SetBytes(randomBytes(16)),
		Subject:            pkix.Name{CommonName: fmt.Sprintf("YubiKey PIV Attestation %02x", slot)},
		NotBefore:          issuer.NotBefore,
		SignatureAlgorithm: attestationSignature(signer),
		NotAfter:           issuer.NotAfter,
		ExtraExtensions: []pkix.Extension{
			{Id: oidFirmware, Value: r.personality().firmware[:]},
			{Id: oidSerial, Value: number},
			{Id: oidPolicy, Value: []byte{stored.PIN, stored.Touch}},
			{Id: oidFormFactor, Value: []byte{formKeychainUSB}},
		},
	}
	if public, ok := publicOf(key).(*ecdh.PublicKey); ok {
		return certifyX25519(template, issuer, public, signer)
	}
	return x509.CreateCertificate(rand.Reader, template, issuer, publicOf(key), signer)
}

// attestationSignature is SHA-256 whatever the attestation key; Ed25519 brings its own.
func attestationSignature(signer crypto.PrivateKey) x509.SignatureAlgorithm {
	switch signer.(type) {
	case *rsa.PrivateKey:
		return x509.SHA256WithRSA
	case *ecdsa.PrivateKey:
		return x509.ECDSAWithSHA256
	}
	return x509.PureEd25519
}

// certifyX25519 is x509.CreateCertificate for the one kind of key that it refuses. It has the certificate made for an Ed25519
// key of the same bytes, changes the algorithm (RFC 8410 §3: 1.3.101.112 to 1.3.101.110) and signs again.
func certifyX25519(template, issuer *x509.Certificate, key *ecdh.PublicKey, signer crypto.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, ed25519.PublicKey(key.Bytes()), signer)
	if err != nil {
		return nil, err
	}
	var certificate struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &certificate); err != nil {
		return nil, err
	}
	ed, x := []byte{0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00}, []byte{0x06, 0x03, 0x2B, 0x65, 0x6E, 0x03, 0x21, 0x00}
	tbs := bytes.Replace(certificate.TBS.FullBytes, append(ed, key.Bytes()...), append(x, key.Bytes()...), 1)
	certificate.TBS = asn1.RawValue{FullBytes: tbs}
	s, ok := signer.(crypto.Signer)
	if !ok {
		return nil, errors.New("the attestation key cannot sign")
	}
	var options crypto.SignerOpts = crypto.Hash(0)
	input := tbs
	if template.SignatureAlgorithm != x509.PureEd25519 {
		digest := sha256.Sum256(tbs)
		input, options = digest[:], crypto.SHA256
	}
	signature, err := s.Sign(rand.Reader, input, options)
	if err != nil {
		return nil, err
	}
	certificate.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	return asn1.Marshal(certificate)
}
