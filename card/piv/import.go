package piv

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"

	"cardbridge/apdu"
	"cardbridge/card"
)

// Tags of IMPORT's parts (Yubico).
const (
	tagPrime1      Tag = 0x01
	tagPrime2      Tag = 0x02
	tagExponent1   Tag = 0x03
	tagExponent2   Tag = 0x04
	tagCoefficient Tag = 0x05
	tagScalar      Tag = 0x06
	tagEd25519Seed Tag = 0x07
	tagX25519Key   Tag = 0x08
)

// Import puts a key on the card (IMPORT ASYMMETRIC KEY, Yubico), in the place
// of the one that the slot has: *rsa.PrivateKey of two primes with exponent
// 65537, *ecdsa.PrivateKey on P-256 or P-384, ed25519.PrivateKey, or
// *ecdh.PrivateKey on X25519. Access condition: management key. The caller's
// key stays as it is. After an interruption the error matches
// card.ErrInterruptedWrite, as with Generate.
func (c *Card) Import(ctx context.Context, ref card.KeyRef, key crypto.PrivateKey, o ImportOptions) (card.KeyInfo, error) {
	s, err := slotOf(ref)
	if err != nil {
		return card.KeyInfo{}, err
	}
	row, public, parts, err := importParts(key)
	if err != nil {
		return card.KeyInfo{}, err
	}
	defer clear(parts)
	if row.Weak && !o.AllowWeak {
		return card.KeyInfo{}, errWeak(row)
	}
	k, err := run(ctx, c, need{what: fmt.Sprintf("import a %s key into slot %s", row.Algorithm, s.Ref), admin: true}, func(x *tx) (card.KeyInfo, error) {
		if err := x.canHold(row, false); err != nil {
			return card.KeyInfo{}, err
		}
		if !x.row().HasImport {
			return card.KeyInfo{}, fmt.Errorf("%w: keys made elsewhere", card.ErrUnsupported)
		}
		policies, err := x.policyFields(o.PINPolicy, o.TouchPolicy)
		if err != nil {
			return card.KeyInfo{}, err
		}
		id, _ := x.row().algorithmID(row.Algorithm)
		data := join(parts, policies)
		defer clear(data)
		c.content.forgetKey(s.Ref)
		if _, err := x.send(apdu.Command{INS: insImport, P1: id, P2: s.Key, Data: data, Secret: true}); err != nil {
			return card.KeyInfo{}, x.notMade(row, err)
		}
		k := x.effective(s, o.PINPolicy, o.TouchPolicy)
		k.Algorithm, k.Origin, k.Public = row.Algorithm, card.OriginImported, public
		x.remember(k)
		return k, nil
	})
	if errors.Is(err, card.ErrInterruptedWrite) {
		err = c.lookAgain(ctx, s, err)
	}
	return k, err
}

// importParts are a key's numbers as IMPORT takes them, padded to their full
// length.
func importParts(key crypto.PrivateKey) (AlgorithmRow, crypto.PublicKey, []byte, error) {
	fail := func(format string, args ...any) (AlgorithmRow, crypto.PublicKey, []byte, error) {
		return AlgorithmRow{}, nil, nil, fmt.Errorf("%w: %s", card.ErrWrongKey, fmt.Sprintf(format, args...))
	}
	signer, ok := key.(interface{ Public() crypto.PublicKey })
	if !ok {
		return fail("%T cannot be imported", key)
	}
	public := signer.Public()
	if p, ok := public.(*ecdsa.PublicKey); ok && p == nil {
		return fail("an empty key")
	}
	row, ok := algorithmOfPublic(public)
	if !ok {
		return fail("PIV has no keys of this kind or size (%T)", key)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if len(k.Primes) != 2 || k.E != 65537 {
			return fail("RSA keys need two primes and the exponent 65537")
		}
		if err := k.Validate(); err != nil {
			return fail("%v", err)
		}
		k.Precompute()
		n := row.Size() / 2
		if k.Primes[0].BitLen() > n*8 || k.Primes[1].BitLen() > n*8 {
			return fail("the primes of the RSA key differ in size")
		}
		part := func(tag Tag, v *big.Int) []byte { return tlv(tag, v.FillBytes(make([]byte, n))) }
		return row, public, join(
			part(tagPrime1, k.Primes[0]), part(tagPrime2, k.Primes[1]),
			part(tagExponent1, k.Precomputed.Dp), part(tagExponent2, k.Precomputed.Dq), part(tagCoefficient, k.Precomputed.Qinv),
		), nil
	case *ecdsa.PrivateKey:
		b, err := k.Bytes()
		if err != nil {
			return fail("%v", err)
		}
		defer clear(b)
		return row, public, tlv(tagScalar, b), nil
	case ed25519.PrivateKey:
		return row, public, tlv(tagEd25519Seed, k.Seed()), nil
	case *ed25519.PrivateKey:
		return row, public, tlv(tagEd25519Seed, k.Seed()), nil
	case *ecdh.PrivateKey:
		return row, public, tlv(tagX25519Key, k.Bytes()), nil
	}
	return fail("%T cannot be imported", key)
}
