package piv

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
)

// Tags of GET METADATA's answer (Yubico).
const (
	metaAlgorithm Tag = 0x01
	metaPolicy    Tag = 0x02
	metaOrigin    Tag = 0x03
	metaPublic    Tag = 0x04
	metaDefault   Tag = 0x05
	metaRetries   Tag = 0x06
)

var (
	pinPolicies   = map[byte]card.PINPolicy{1: card.PINNever, 2: card.PINOnce, 3: card.PINAlways, 4: card.MatchOnce, 5: card.MatchAlways}
	touchPolicies = map[byte]card.TouchPolicy{1: card.TouchNever, 2: card.TouchAlways, 3: card.TouchCached}
	origins       = map[byte]card.Origin{1: card.OriginGenerated, 2: card.OriginImported}
)

// Key returns one key: what GET METADATA says of it (Yubico), else what its
// certificate and the standard do, else its attestation. Access condition:
// always. card.ErrNotFound where there is none, or - on a card without metadata
// - where nothing tells of it: a key without a certificate can still be used
// through a KeyInfo whose Algorithm is set.
//
// A key of a kind that is not known here, or whose certificate cannot be read,
// has an empty Algorithm. With a certificate alone, Origin and TouchPolicy are unknown and PINPolicy is
// the standard's default for the slot (SP 800-73-4 part 1, table 4b).
func (c *Card) Key(ctx context.Context, ref card.KeyRef) (card.KeyInfo, error) {
	s, err := slotOf(ref)
	if err != nil {
		return card.KeyInfo{}, err
	}
	return run(ctx, c, need{what: "look at key " + string(s.Ref), again: true}, func(x *tx) (card.KeyInfo, error) {
		return x.key(s)
	})
}

// Keys returns all keys that can be found in the slots of the standard, the
// attestation slot left out. With GET METADATA (Yubico) these are all there
// are, at one command a slot. Other cards do not tell: keys with a certificate
// are found there, whatever a Key History object says or does not say, and of
// keys without one those that the card attests to. A certificate that the card
// withholds, as over its contactless interface, hides no other. Access
// condition: always.
func (c *Card) Keys(ctx context.Context) ([]card.KeyInfo, error) {
	return run(ctx, c, need{what: "look for keys", again: true}, func(x *tx) ([]card.KeyInfo, error) {
		if !x.row().HasMetadata { // where it has, each slot is asked for its own
			if err := x.tryMetadata(); err != nil {
				return nil, err
			}
		}
		var all []card.KeyInfo
		for _, s := range slotTable {
			if k, known := x.c.content.keys[s.Ref]; s.Attestation || known && k == nil {
				continue
			}
			k, err := x.key(s)
			if x.ours && (errors.Is(err, card.ErrNotFound) || errors.Is(err, card.ErrWithheld)) {
				continue
			}
			if err != nil {
				return nil, err
			}
			all = append(all, k)
		}
		return all, nil
	})
}

// withheld tells whether the card refuses what is free to read: over its
// contactless interface, where only key 9E is for everyone (SP 800-73-4 part 1,
// table 2).
func withheld(err error) bool {
	s, _ := apdu.StatusOf(err)
	return s == apdu.ErrSecurityStatus || s == apdu.ErrConditionsNotSatisfied
}

// key looks at a slot, once an epoch.
func (x *tx) key(s Slot) (card.KeyInfo, error) {
	if k, ok := x.c.content.keys[s.Ref]; ok {
		if k == nil {
			return card.KeyInfo{}, fmt.Errorf("%w: slot %s has no key", card.ErrNotFound, s.Ref)
		}
		return *k, nil
	}
	k, err := x.lookAt(s)
	switch {
	case err == nil && k.Algorithm != "":
		x.c.content.setKey(s.Ref, &k)
	case errors.Is(err, card.ErrNotFound) && x.ours:
		x.c.content.setKey(s.Ref, nil)
	}
	return k, err
}

func (x *tx) lookAt(s Slot) (card.KeyInfo, error) {
	if x.mayHaveMetadata() {
		k, err := x.metadataOf(s)
		if !errors.Is(err, errNoMetadata) {
			return k, err
		}
	}
	k, err := x.keyByCertificate(s)
	if !errors.Is(err, card.ErrNotFound) || answered(err) && !x.ours {
		return k, err
	}
	if x.hasMetadata() == unknown {
		k, merr := x.metadataOf(s)
		if !errors.Is(merr, errNoMetadata) {
			return k, merr
		}
	}
	if x.row().HasAttest && !s.Attestation {
		if k, aerr := x.keyByAttestation(s); aerr == nil || !errors.Is(aerr, card.ErrNotFound) {
			return k, aerr
		}
	}
	return card.KeyInfo{}, err
}

// hasMetadata is what is known of GET METADATA: by trying, else by a version
// that is too old for it.
func (x *tx) hasMetadata() tri {
	f := &x.c.facts
	if f.metadata == unknown && f.version.Known() && !x.row().HasMetadata {
		return no
	}
	return f.metadata
}

// mayHaveMetadata: the card has GET METADATA, or is of a kind that may.
func (x *tx) mayHaveMetadata() bool {
	return x.hasMetadata() == yes || x.hasMetadata() == unknown && x.row().HasMetadata
}

// tryMetadata finds out whether there is GET METADATA where that is not known,
// by asking for the PIN's.
func (x *tx) tryMetadata() error {
	if x.hasMetadata() != unknown {
		return nil
	}
	_, err := x.metadata(refPIN)
	if errors.Is(err, errNoMetadata) || errors.Is(err, card.ErrNotFound) {
		return nil
	}
	return err
}

// errNoMetadata: the card has no GET METADATA.
var errNoMetadata = errors.New("no GET METADATA")

// metadata sends GET METADATA (Yubico, firmware 5.3): access condition always.
func (x *tx) metadata(ref byte) (elements, error) {
	b, err := x.send(apdu.Command{INS: insMetadata, P2: ref, Le: apdu.LeMax})
	if err != nil {
		switch {
		case x.ours && absent(err) && !x.metadataThere() && always(ref):
			x.c.facts.metadata = no
			return nil, fmt.Errorf("%w: %w", errNoMetadata, err)
		case absent(err) && x.c.facts.metadata != no:
			// Of all commands of its kind only one that is there looks for a key; but
			// a card that is not known may say so to commands that it has not.
			if x.ours && x.row().HasMetadata {
				x.c.facts.metadata = yes
			}
			return nil, fmt.Errorf("%w: %w", card.ErrNotFound, err)
		case x.ours && x.metadataThere() && (isStatus(err, apdu.ErrIncorrectP1P2) || isStatus(err, apdu.ErrMemoryFailure)):
			// PivApplet, of the slots that it has not: F9 and those from 8D on. Older
			// Pico Keys, of slots without a key.
			return nil, fmt.Errorf("%w: %w", card.ErrNotFound, err)
		case x.ours && (unsupported(err) || !x.metadataThere() && answered(err)):
			// What is only tried is not there, however a card says it: 6F00, 6881.
			x.c.facts.metadata = no
			return nil, fmt.Errorf("%w: %w", errNoMetadata, err)
		default:
			return nil, err
		}
	}
	if len(b) == 0 && x.ours {
		if x.metadataThere() { // PivApplet, of a slot that a reset has emptied
			return nil, fmt.Errorf("%w: GET METADATA tells nothing", card.ErrNotFound)
		}
		x.c.facts.metadata = no // Nitrokey 3
		return nil, errNoMetadata
	}
	es, err := parse(b)
	if err != nil {
		if x.ours && !x.row().yubico { // older Pico Keys: a public key without a length
			x.c.facts.metadata = no
			return nil, fmt.Errorf("%w: %w", errNoMetadata, err)
		}
		return nil, fmt.Errorf("GET METADATA: %w", err)
	}
	if !es.metadata(ref) {
		return nil, malformed("GET METADATA without an algorithm")
	}
	x.ours = true
	x.c.facts.metadata = yes
	return es, nil
}

// always tells whether every card has this PIN or key: where it is not found it
// is the command that is not there.
func always(ref byte) bool { return ref == refPIN || ref == refPUK || ref == refAdminKey }

// metadataThere: the card is known to have the command.
func (x *tx) metadataThere() bool { return x.row().HasMetadata || x.c.facts.metadata == yes }

// metadata tells whether these can be the metadata of a key or a PIN. PivApplet
// leaves the algorithm out where there is no key, and with PIN and PUK.
func (es elements) metadata(ref byte) bool {
	for _, tag := range []Tag{metaAlgorithm, metaPolicy, metaRetries} {
		if _, ok := es.find(tag); ok {
			return tag != metaPolicy || ref != refAdminKey
		}
	}
	return false
}

func (x *tx) metadataOf(s Slot) (card.KeyInfo, error) {
	es, err := x.metadata(s.Key)
	if err != nil {
		return card.KeyInfo{}, err
	}
	id, ok := es.byte(metaAlgorithm)
	if !ok {
		return card.KeyInfo{}, fmt.Errorf("%w: slot %s has no key", card.ErrNotFound, s.Ref)
	}
	k := s.info()
	if p, ok := es.find(metaPolicy); ok && len(p) == 2 {
		if policy, ok := pinPolicies[p[0]]; ok { // 0: the slot's default
			k.PINPolicy = policy
		}
		k.TouchPolicy = card.TouchNever
		if p[1] != 0 {
			k.TouchPolicy = touchPolicies[p[1]]
		}
	}
	if o, ok := es.byte(metaOrigin); ok {
		if x.row().OriginFrom0 {
			o++
		}
		k.Origin = origins[o]
	}
	row, ok := x.row().algorithmOf(id)
	if !ok {
		return k, nil // a key of a kind that is not known here
	}
	k.Algorithm = row.Algorithm
	pub, ok := es.find(metaPublic)
	if !ok { // iShield Key 2, for slots without a key too: nothing that it tells is so
		x.c.facts.metadata = no
		return card.KeyInfo{}, errNoMetadata
	}
	if k.Public, err = decodePublic(row, pub); err != nil {
		return card.KeyInfo{}, err
	}
	return k, nil
}

// keyByCertificate: a certificate that cannot be read tells no more than that
// there may be a key. One bad certificate does not hide the other keys.
func (x *tx) keyByCertificate(s Slot) (card.KeyInfo, error) {
	k := s.info()
	der, err := x.certificate(s)
	switch {
	case errors.Is(err, errBadCertificate):
		return k, nil
	case err != nil:
		return card.KeyInfo{}, err
	}
	if pub, algorithm, err := publicOfCertificate(der); err == nil {
		k.Public, k.Algorithm = pub, algorithm
	}
	return k, nil
}

// publicOfCertificate reads no more of a certificate than its key: cards hold
// certificates that a strict parser refuses, and their keys work.
func publicOfCertificate(der []byte) (crypto.PublicKey, card.Algorithm, error) {
	pub, err := certificateKey(der)
	if err != nil {
		return nil, "", malformed("%v", err)
	}
	row, ok := algorithmOfPublic(pub)
	if !ok {
		return nil, "", fmt.Errorf("%w: a key of a kind that PIV does not have", card.ErrUnsupported)
	}
	return pub, row.Algorithm, nil
}

func certificateKey(der []byte) (crypto.PublicKey, error) {
	spki, err := subjectPublicKeyInfo(der)
	if err != nil {
		return nil, err
	}
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, err
	}
	if k, ok := pub.(*ecdh.PublicKey); ok && k.Curve() != ecdh.X25519() {
		return nil, errors.New("unknown curve")
	}
	return pub, nil
}

// subjectPublicKeyInfo finds the key in a certificate (RFC 5280 section 4.1).
func subjectPublicKeyInfo(der []byte) ([]byte, error) {
	var certificate struct {
		TBS struct {
			Version      int `asn1:"optional,explicit,default:0,tag:0"`
			SerialNumber asn1.RawValue
			Signature    asn1.RawValue
			Issuer       asn1.RawValue
			Validity     asn1.RawValue
			Subject      asn1.RawValue
			Key          asn1.RawValue
			Unique       asn1.RawValue   `asn1:"optional,tag:1"`
			UniqueToo    asn1.RawValue   `asn1:"optional,tag:2"`
			Extensions   []asn1.RawValue `asn1:"optional,explicit,tag:3"`
		}
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &certificate); err != nil {
		return nil, err
	}
	return certificate.TBS.Key.FullBytes, nil
}
