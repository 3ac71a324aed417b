package piv

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"

	"cardbridge/card"
	"cardbridge/internal/secret"
)

// refusals remembers which PINs the card refused, so that none is sent twice:
// as hashes under a key of this process alone, which is no help to anyone.
type refusals struct {
	key    []byte
	hashes map[card.SecretName]map[[sha256.Size]byte]bool
	// tries left after the latest refusal, -1 where that is not known: more of
	// them later mean that somebody had the right PIN in the meantime, or set a
	// new one.
	tries map[card.SecretName]int
	by    fingerprint // the card, as far as it is known
}

// mostTold is what 63Cx tells of fifteen tries, and of all there are above.
const mostTold = 15

func (r *refusals) init() {
	r.key = make([]byte, sha256.Size)
	_, _ = rand.Read(r.key) // never fails
	r.forget(card.PIN, card.PUK, card.ManagementKey)
}

func (r *refusals) hash(s *secret.Secret) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, r.key)
	_ = s.Use(func(b []byte) error {
		h.Write(b)
		return nil
	})
	h.Sum(sum[:0])
	return sum
}

func (r *refusals) add(name card.SecretName, s *secret.Secret, tries int) {
	if tries >= mostTold {
		tries = -1
	}
	r.hashes[name][r.hash(s)] = true
	r.tries[name] = tries
}

func (r *refusals) has(name card.SecretName, s *secret.Secret) bool {
	return r.hashes[name][r.hash(s)]
}

// seen takes note of the tries left.
func (r *refusals) seen(name card.SecretName, tries int) {
	switch left := r.tries[name]; {
	case left < 0:
		r.tries[name] = tries
	case tries > left:
		r.forget(name)
	}
}

// about takes note of which card it is. What another one refused is not held
// against the secrets of this one; one without a name may be the same.
func (r *refusals) about(c fingerprint) {
	if r.by.named() && c.named() && r.by != c {
		r.forget(card.PIN, card.PUK)
	}
	r.by = c
}

func (r *refusals) forget(names ...card.SecretName) {
	if r.hashes == nil {
		r.hashes = map[card.SecretName]map[[sha256.Size]byte]bool{}
		r.tries = map[card.SecretName]int{}
	}
	for _, n := range names {
		r.hashes[n] = map[[sha256.Size]byte]bool{}
		r.tries[n] = 0
	}
}
