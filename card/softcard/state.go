package softcard

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

const (
	stateFormat  = "cardbridge software card"
	stateVersion = 1
	stateWarning = "This file protects nothing. It holds the PIN, the PUK, the management key and all private keys of a software " +
		"smart card in the clear; whoever reads it has them. It is for trying things out and for tests."
)

// state is the card's memory: what outlives power. It is the state file, field by field.
type state struct {
	Warning     string                 `json:"WARNING"`
	Format      string                 `json:"format"`
	Version     int                    `json:"version"`
	Personality string                 `json:"personality"`
	Created     time.Time              `json:"created"`
	Serial      uint32                 `json:"serial"`
	PIN         reference              `json:"pin"`
	PUK         reference              `json:"puk"`
	GlobalPIN   *reference             `json:"globalPIN,omitempty"`
	Admin       adminKey               `json:"managementKey"`
	Keys        map[slotName]storedKey `json:"keys"`
	Objects     map[objectTag]hexBytes `json:"objects"`
}

// A reference is reference data with a retry counter, SP 800-73-4 part 2 §2.4.
type reference struct {
	Value hexBytes `json:"value"` // eight bytes, padded with FF
	Tries int      `json:"tries"`
	Max   int      `json:"maxTries"`
}

func newReference(value string, tries int) reference {
	return reference{Value: pad(value), Tries: tries, Max: tries}
}

func pad(value string) []byte {
	return append([]byte(value), bytes.Repeat([]byte{0xFF}, referenceLength-len(value))...)
}

// An adminKey is the card management key, key reference 9B.
type adminKey struct {
	Algorithm byte     `json:"algorithm"`
	Key       hexBytes `json:"key"`
	Touch     byte     `json:"touchPolicy"`
}

// A storedKey is an asymmetric key in a slot.
type storedKey struct {
	Algorithm string   `json:"algorithm"`
	PKCS8     hexBytes `json:"pkcs8"`
	PIN       byte     `json:"pinPolicy"`
	Touch     byte     `json:"touchPolicy"`
	Generated bool     `json:"generated"`
}

// hexBytes are bytes that a person can read in the file.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// A slotName is a slot as two hexadecimal digits.
type slotName byte

func (s slotName) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%02x", byte(s)), nil }

func (s *slotName) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 8)
	*s = slotName(n)
	return err
}

// An objectTag is the tag of a data object in hexadecimal.
type objectTag uint32

func (o objectTag) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%02x", uint32(o)), nil }

func (o *objectTag) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 32)
	*o = objectTag(n)
	return err
}

// newState is a card fresh from the factory.
func newState(p *personality) (*state, error) {
	var serial [4]byte
	if _, err := rand.Read(serial[:]); err != nil {
		return nil, err
	}
	s := &state{
		Warning: stateWarning, Format: stateFormat, Version: stateVersion, Personality: p.Name,
		Created: time.Now().UTC().Truncate(time.Second),
		Serial:  10_000_000 + binary.BigEndian.Uint32(serial[:])%20_000_000,
	}
	s.factoryReset(p)
	if p.hasGlobalPIN() {
		global := newReference(defaultPIN, p.pinTries)
		s.GlobalPIN = &global
	}
	if p.issued {
		s.issue()
	}
	if p.has(featAttest) {
		if err := s.makeAttestationKey(p); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// factoryReset makes all as it was, but for the attestation key and its certificate.
func (s *state) factoryReset(p *personality) {
	s.PIN = newReference(defaultPIN, p.pinTries)
	s.PUK = newReference(defaultPUK, p.pukTries)
	s.Admin = adminKey{Algorithm: p.adminDefault, Key: bytes.Clone(defaultAdminKey), Touch: touchNever}
	attestation, hasKey := s.Keys[slotAttest]
	certificate, hasCertificate := s.Objects[objAttestation]
	s.Keys, s.Objects = map[slotName]storedKey{}, map[objectTag]hexBytes{}
	if hasKey {
		s.Keys[slotAttest] = attestation
	}
	if hasCertificate {
		s.Objects[objAttestation] = certificate
	}
	if p.globalPIN != 0 {
		s.Objects[objDiscovery] = p.discovery()
	}
}

// reference is the reference data behind a key reference, nil where the card has none.
func (s *state) reference(ref byte) *reference {
	switch ref {
	case refPIN:
		return &s.PIN
	case refPUK:
		return &s.PUK
	case refGlobalPIN:
		return s.GlobalPIN
	}
	return nil
}

// setKey puts a private key in a slot.
func (s *state) setKey(slot byte, algorithm *keyAlgorithm, key crypto.PrivateKey, policy keyPolicy, generated bool) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	s.Keys[slotName(slot)] = storedKey{algorithm.name, der, policy.pin, policy.touch, generated}
	return nil
}

// encode is the state file.
func (s *state) encode() ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// decodeState reads a state file and refuses what it cannot keep safe: another format, a newer version, values that no card
// could have written.
func decodeState(b []byte) (*state, *personality, error) {
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, nil, fmt.Errorf("it is damaged or no software card (%w)", err)
	}
	if head.Format != stateFormat {
		return nil, nil, errors.New("it is not a software card")
	}
	if head.Version != stateVersion {
		return nil, nil, fmt.Errorf("it has version %d and this program knows version %d", head.Version, stateVersion)
	}
	s := new(state)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, nil, fmt.Errorf("it is damaged (%w)", err)
	}
	p, ok := personalityByName(s.Personality)
	if !ok {
		return nil, nil, fmt.Errorf("its personality %q is unknown to this program", s.Personality)
	}
	if err := s.check(p); err != nil {
		return nil, nil, fmt.Errorf("it is damaged (%w)", err)
	}
	return s, p, nil
}

func (s *state) check(p *personality) error {
	if p.hasGlobalPIN() != (s.GlobalPIN != nil) {
		return errors.New("a global PIN is missing or too many")
	}
	for _, ref := range []byte{refPIN, refPUK, refGlobalPIN} {
		r := s.reference(ref)
		if r != nil && (len(r.Value) != referenceLength || r.Max < 1 || r.Max > 255 || r.Tries < 0 || r.Tries > r.Max) {
			return fmt.Errorf("reference data %02x", ref)
		}
	}
	if _, ok := adminCipher(s.Admin.Algorithm, s.Admin.Key); !ok {
		return errors.New("management key")
	}
	for slot, k := range s.Keys {
		if _, ok := keyAlgorithmByName(k.Algorithm); !ok {
			return fmt.Errorf("key %02x", byte(slot))
		}
	}
	if s.Keys == nil || s.Objects == nil {
		return errors.New("no keys or no objects")
	}
	return nil
}
