package piv

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"errors"
	"fmt"

	"cardbridge/card"
)

// A ManagementAlgorithm is a kind of management key (SP 800-78-5 table 7).
type ManagementAlgorithm string

// The management key algorithms.
const (
	TripleDES ManagementAlgorithm = "3DES"
	AES128    ManagementAlgorithm = "AES-128"
	AES192    ManagementAlgorithm = "AES-192"
	AES256    ManagementAlgorithm = "AES-256"
)

type managementRow struct {
	algorithm ManagementAlgorithm
	id        byte
	size      int
	cipher    func([]byte) (cipher.Block, error)
}

var managementTable = []managementRow{
	{TripleDES, 0x03, 24, des.NewTripleDESCipher},
	{AES128, 0x08, 16, aes.NewCipher},
	{AES192, 0x0A, 24, aes.NewCipher},
	{AES256, 0x0C, 32, aes.NewCipher},
}

func managementByID(id byte) (managementRow, bool) {
	for _, r := range managementTable {
		if r.id == id || (id == 0 || id == 0xFF) && r.algorithm == TripleDES { // FF: YubiKey 5.3
			return r, true
		}
	}
	return managementRow{}, false
}

// KeyLength is the length in bytes of a key of the algorithm, 0 for none.
func (a ManagementAlgorithm) KeyLength() int {
	for _, r := range managementTable {
		if r.algorithm == a {
			return r.size
		}
	}
	return 0
}

// adminKeyInfo is what GET METADATA tells of the management key.
type adminKeyInfo struct {
	row     managementRow
	touch   card.TouchPolicy
	Default bool
}

func (x *tx) adminMetadata() (adminKeyInfo, error) {
	if x.c.content.admin != nil {
		return *x.c.content.admin, nil
	}
	es, err := x.metadata(refAdminKey)
	if err != nil {
		return adminKeyInfo{}, err
	}
	k := adminKeyInfo{touch: card.TouchNever}
	id, _ := es.byte(metaAlgorithm)
	var ok bool
	if k.row, ok = managementByID(id); !ok {
		// iShield Key 2 tells the algorithm of a key that was made last.
		return adminKeyInfo{}, fmt.Errorf("%w: management key of algorithm %02X", errNoMetadata, id)
	}
	if p, ok := es.find(metaPolicy); ok && len(p) == 2 && p[1] != 0 {
		k.touch = touchPolicies[p[1]]
	}
	if d, ok := es.byte(metaDefault); ok {
		k.Default = d != 0
	}
	x.c.content.admin = &k
	return k, nil
}

// adminCandidates are the kinds of key that one of n bytes may be.
func (x *tx) adminCandidates(n int) ([]adminKeyInfo, error) {
	if x.mayHaveMetadata() {
		k, err := x.adminMetadata()
		switch {
		case err == nil && k.row.size != n:
			return nil, fmt.Errorf("%w: the management key is %s, %d bytes; %d were given", card.ErrWrongSecretFormat, k.row.algorithm, k.row.size, n)
		case err == nil:
			return []adminKeyInfo{k}, nil
		case !errors.Is(err, errNoMetadata):
			return nil, err
		}
	}
	var all []adminKeyInfo
	for _, r := range managementTable {
		if r.size == n && (r.algorithm == TripleDES || x.row().AESManagement) {
			all = append(all, adminKeyInfo{row: r, touch: card.TouchUnknown})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: a management key has 24 bytes (3DES, AES-192), 16 (AES-128) or 32 (AES-256), not %d", card.ErrWrongSecretFormat, n)
	}
	return all, nil
}

// ManagementKeyInfo is what a card tells of its management key.
type ManagementKeyInfo struct {
	Algorithm   ManagementAlgorithm // "" where the card does not tell
	TouchPolicy card.TouchPolicy
	Default     bool // the factory's, where the card tells
	Protected   bool // stored on the card behind the PIN
	Derived     bool // from the PIN, with a salt on the card
	PUKBlocked  bool // on purpose, as Yubico's tools note
}

// ManagementKey tells what the card tells of its management key: GET METADATA
// of key 9B, and what Yubico's tools noted in object 5FFF00. Access condition:
// always.
func (c *Card) ManagementKey(ctx context.Context) (ManagementKeyInfo, error) {
	return run(ctx, c, need{what: "look at the management key", again: true}, func(x *tx) (ManagementKeyInfo, error) {
		var info ManagementKeyInfo
		if x.hasMetadata() != no {
			k, err := x.adminMetadata()
			if err != nil && !errors.Is(err, errNoMetadata) {
				return info, err
			}
			info.Algorithm, info.TouchPolicy, info.Default = k.row.algorithm, k.touch, k.Default
		}
		a, err := x.adminData()
		if err != nil {
			return info, err
		}
		if a != nil {
			info.Protected, info.Derived, info.PUKBlocked = a.KeyStored, len(a.Salt) > 0, a.PUKBlocked
		}
		return info, nil
	})
}
