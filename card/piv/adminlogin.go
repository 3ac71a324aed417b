package piv

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/internal/secret"
)

// LoginAdmin authenticates with the management key (GENERAL AUTHENTICATE with
// key 9B, mutually, SP 800-73-4 part 2 section 3.2.4 and appendix A.1; singly
// where the card does not know the mutual form) and keeps a copy in locked
// memory, as Login does with the PIN; after a reset by another program it is
// used again only where Identity or Login told which card this is. Its algorithm
// is what the card says, or what the length allows. nil takes the key that is
// stored on the card behind the PIN, or derived from the PIN, as ykman does: after
// Login. Access condition: always. A wrong key is a *card.WrongPIN; it has no
// tries to spend.
func (c *Card) LoginAdmin(ctx context.Context, key *secret.Secret) error {
	_, err := run(ctx, c, need{what: "authenticate with the management key", login: key == nil, again: true}, func(x *tx) (struct{}, error) {
		k := key
		if key == nil {
			var err error
			if k, err = x.protectedKey(); err != nil {
				return struct{}{}, err
			}
			defer k.Wipe()
		}
		if err := x.authenticate(k); err != nil {
			return struct{}{}, err
		}
		c.adminKey.keep(k, c.epoch)
		return struct{}{}, nil
	})
	return err
}

// FactoryManagementKey is the management key that cards of this kind are shipped
// with, as their quirk row has it; it is sent nowhere. Access condition: always.
func (c *Card) FactoryManagementKey(ctx context.Context) (*secret.Secret, error) {
	return run(ctx, c, need{what: "look which card it is", again: true}, func(x *tx) (*secret.Secret, error) {
		key := x.row().FactoryKey
		if key == "" {
			key = strings.Repeat("\x01\x02\x03\x04\x05\x06\x07\x08", 3)
		}
		return secret.New([]byte(key)), nil
	})
}

// LogoutAdmin forgets the management key, here and - by a SELECT, for want of
// another way - on the card; that drops a verified PIN too, which the next
// operation repairs. Without a login nothing is sent.
func (c *Card) LogoutAdmin(ctx context.Context) error {
	_, err := run(ctx, c, need{what: "log out", again: true, lazy: true}, func(x *tx) (struct{}, error) {
		c.adminKey.drop()
		if !c.state.admin {
			return struct{}{}, nil
		}
		return struct{}{}, x.selectApplet()
	})
	return err
}

// readmin authenticates again where that was lost.
func (x *tx) readmin() error {
	if x.c.state.admin {
		return nil
	}
	if !x.c.adminKey.held() {
		return card.ErrAdminRequired
	}
	if x.c.adminKey.epoch != x.c.epoch {
		if x.c.owner.source == notAsked {
			x.c.adminKey.drop()
			return fmt.Errorf("%w: the card was reset or exchanged since", card.ErrAdminRequired)
		}
		if err := x.sameCard(); err != nil {
			return err
		}
	}
	x.c.adminKey.epoch = x.c.epoch
	return x.authenticate(x.c.adminKey.Secret)
}

func (x *tx) authenticate(key *secret.Secret) error {
	candidates, err := x.adminCandidates(key.Len())
	if err != nil {
		return err
	}
	for i, k := range candidates {
		x.c.adminAs = k.row
		err = x.authenticateAs(k, key)
		if !errors.Is(err, errOtherAlgorithm) || i == len(candidates)-1 {
			break
		}
	}
	if err != nil {
		return err
	}
	x.c.state.admin, x.admin, x.c.unlocked.admin = true, true, true
	return nil
}

// errOtherAlgorithm: the card has no management key of the algorithm.
var errOtherAlgorithm = errors.New("the management key is of another kind")

func (x *tx) authenticateAs(k adminKeyInfo, key *secret.Secret) error {
	return key.Use(func(b []byte) error {
		block, err := k.row.cipher(b)
		if err != nil {
			return fmt.Errorf("%w: %w", card.ErrWrongSecretFormat, err)
		}
		err = x.authenticateMutually(k, block)
		if errors.Is(err, errOtherForm) {
			err = x.authenticateSingly(k, block)
		}
		return err
	})
}

// errOtherForm: the card does not know this form of authentication.
var errOtherForm = errors.New("not this form")

func (x *tx) adminExchange(k adminKeyInfo, secret bool, template []byte) ([]byte, error) {
	cmd := apdu.Command{INS: insAuthenticate, P1: k.row.id, P2: refAdminKey, Data: tlv(tagTemplate, template), Le: apdu.MaxShortLe, Secret: secret}
	if secret {
		return x.sendTouched(card.KeyInfo{Ref: "9b", Label: "Management Key", TouchPolicy: k.touch}, cmd)
	}
	return x.send(cmd)
}

// refusedForm gives the refusal of a first step its meaning.
func refusedForm(err error, form error) error {
	switch s, _ := apdu.StatusOf(err); s {
	case apdu.ErrIncorrectData, apdu.ErrIncorrectP1P2, apdu.ErrReferenceNotFound, apdu.ErrFunctionNotSupported, apdu.ErrConditionsNotSatisfied, apdu.ErrWrongP1P2:
		return fmt.Errorf("%w: %w", form, err)
	}
	return err
}

// authenticateMutually: the card's witness, deciphered, proves that we have the
// key, and its answer to our challenge that it has.
func (x *tx) authenticateMutually(k adminKeyInfo, block cipher.Block) error {
	b, err := x.adminExchange(k, false, tlv(tagWitness))
	if err != nil {
		if x.ours {
			err = refusedForm(err, errOtherForm)
			if isStatus(err, apdu.ErrSecurityStatus) { // OpenFIPS201, of a form that the key is not for
				err = fmt.Errorf("%w: %w", errOtherForm, err)
			}
		}
		return err
	}
	witness, err := step(b, tagWitness, block.BlockSize())
	if err != nil {
		return err
	}
	block.Decrypt(witness, witness)
	challenge := make([]byte, block.BlockSize())
	_, _ = rand.Read(challenge) // never fails
	start := x.c.now()
	b, err = x.adminExchange(k, true, append(tlv(tagWitness, witness), tlv(tagChallenge, challenge)...))
	if err != nil {
		return x.adminRefused(k, err, start)
	}
	response, err := step(b, tagResponse, block.BlockSize())
	if err != nil {
		var other error
		if response, other = step(b, tagWitness, block.BlockSize()); other != nil { // IDPrime PIV gives it another name
			return err
		}
	}
	block.Encrypt(challenge, challenge)
	if subtle.ConstantTimeCompare(challenge, response) != 1 {
		return malformed("the card accepted the management key and does not know it itself")
	}
	return nil
}

// authenticateSingly: we encipher the card's challenge.
func (x *tx) authenticateSingly(k adminKeyInfo, block cipher.Block) error {
	b, err := x.adminExchange(k, false, tlv(tagChallenge))
	if err != nil {
		return refusedForm(err, errOtherAlgorithm)
	}
	challenge, err := step(b, tagChallenge, block.BlockSize())
	if err != nil {
		return err
	}
	block.Encrypt(challenge, challenge)
	start := x.c.now()
	if _, err := x.adminExchange(k, true, tlv(tagResponse, challenge)); err != nil {
		return x.adminRefused(k, err, start)
	}
	return nil
}

// step reads one value of a dynamic authentication template.
func step(b []byte, tag Tag, size int) ([]byte, error) {
	es, err := inside(b, tagTemplate)
	if err != nil {
		return nil, err
	}
	v, ok := es.find(tag)
	if !ok || len(v) != size {
		return nil, malformed("authentication: %d bytes with tag %v, not %d", len(v), tag, size)
	}
	return append([]byte(nil), v...), nil
}
