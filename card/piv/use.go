package piv

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"cardbridge/apdu"
	"cardbridge/card"
)

// PrivateKey returns the key as crypto.Signer, crypto.MessageSigner,
// crypto.Decrypter and ECDH (GENERAL AUTHENTICATE, SP 800-73-4 part 2 section
// 3.2.4). Access condition: the key's PIN policy, a touch where its touch
// policy wants one. It sends nothing; ctx bounds the operations to come.
//
// An info with nothing but Ref is completed, in one more command, within the
// first operation's transaction; Public is nil until then. With o.PIN the PIN
// is verified right before each operation, where the policy does not say that
// none is needed; without it what Login verified counts.
//
// Results are checked against the public key where that is known: a wrong one
// is card.ErrInvalidAnswer, never a signature.
func (c *Card) PrivateKey(ctx context.Context, info card.KeyInfo, o UseOptions) card.PrivateKey {
	return &privateKey{c: c, ctx: ctx, known: info, o: o}
}

type privateKey struct {
	c   *Card
	ctx context.Context
	o   UseOptions

	mu    sync.Mutex
	known card.KeyInfo
}

var (
	_ card.PrivateKey      = (*privateKey)(nil)
	_ crypto.MessageSigner = (*privateKey)(nil)
)

// Info is what is known of the key so far.
func (k *privateKey) Info() card.KeyInfo {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known
}

func (k *privateKey) learn(info card.KeyInfo) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known = info
}

// Public is nil where the card cannot tell, or was not yet asked.
func (k *privateKey) Public() crypto.PublicKey { return k.Info().Public }

// A job is what goes into a private key, and what is made of what comes out.
type job struct {
	tag    Tag // challenge, or exponentiation
	input  []byte
	finish func(out []byte) ([]byte, error) // a copy of out, or what is inside it
}

// do has the key work on what prepare makes once the key is known.
func (k *privateKey) do(what string, prepare func(card.KeyInfo, AlgorithmRow) (job, error)) ([]byte, error) {
	known := k.Info()
	s, err := slotOf(known.Ref)
	if err != nil {
		return nil, err
	}
	type result struct {
		out  []byte
		info card.KeyInfo
	}
	n := need{what: what + " with key " + string(s.Ref), again: true}
	n.login = k.usesLogin(known)
	r, err := run(k.ctx, k.c, n, func(x *tx) (result, error) {
		info, err := known, error(nil)
		if info.Algorithm == "" {
			if info, err = x.key(s); err != nil {
				return result{}, err
			}
		}
		row, ok := algorithmRow(info.Algorithm)
		if info.Algorithm == "" {
			return result{}, fmt.Errorf("%w: the card does not tell of what kind key %s is", card.ErrUnsupported, s.Ref)
		}
		if !ok {
			return result{}, fmt.Errorf("%w: algorithm %q", card.ErrUnsupported, info.Algorithm)
		}
		j, err := prepare(info, row)
		if err != nil {
			return result{}, err
		}
		if err := k.unlock(x, info); err != nil {
			return result{}, err
		}
		out, err := x.use(s, info, row, j)
		if errors.Is(err, card.ErrLoginRequired) && x.ours && info.PINPolicy == card.PINNever {
			// Cards without metadata do not tell that key 9E wants the PIN too, as
			// that of Nitrokey 3 did before 1.8.2.
			if err := k.loginAnyway(x, err); err != nil {
				return result{}, err
			}
			out, err = x.use(s, info, row, j)
		}
		return result{out, info}, err
	})
	if err != nil {
		return nil, err
	}
	k.learn(r.info)
	return r.out, nil
}

// unlock has the PIN verified, the way that the options say, where the key wants
// one.
func (k *privateKey) unlock(x *tx, info card.KeyInfo) error {
	switch {
	case info.PINPolicy == card.PINNever:
		return nil
	case k.o.PIN != nil:
		return x.verify(k.o.PIN, k.o.SpendLastTry)
	case k.o.Pad:
		return x.verifyOnPad(k.o.SpendLastTry)
	case k.usesLogin(info):
		return x.relogin()
	default:
		return nil
	}
}

// loginAnyway verifies the PIN that there is for a key that should not want it
// and refused with err.
func (k *privateKey) loginAnyway(x *tx, err error) error {
	switch {
	case x.verified:
		return err
	case k.o.PIN != nil:
		return x.verify(k.o.PIN, k.o.SpendLastTry)
	case k.o.Pad:
		return x.verifyOnPad(k.o.SpendLastTry)
	case x.c.pin.held():
		x.c.state.verified = false
		return x.relogin()
	}
	return err
}

// usesLogin tells whether the PIN of Login may be verified again for the key:
// never for one that wants its PIN given for each operation.
func (k *privateKey) usesLogin(info card.KeyInfo) bool {
	switch info.PINPolicy {
	case card.PINAlways, card.MatchAlways, card.PINNever:
		return false
	}
	return k.o.PIN == nil && !k.o.Pad
}

// use sends GENERAL AUTHENTICATE with an empty response (82), which asks for
// the result, and the input (SP 800-73-4 part 2, table 7 and appendix A.4).
func (x *tx) use(s Slot, info card.KeyInfo, row AlgorithmRow, j job) ([]byte, error) {
	cmd := apdu.Command{
		INS: insAuthenticate, P2: s.Key, Le: apdu.MaxShortLe,
		Data: tlv(tagTemplate, tlv(tagResponse), tlv(j.tag, j.input)),
	}
	if row.Size() > apdu.MaxShortLe-16 {
		cmd.Le = apdu.LeMax
	}
	start := x.c.now()
	b, err := x.numbered(row.Algorithm, func(id byte) ([]byte, error) {
		cmd.P1 = id
		return x.sendTouched(info, cmd)
	})
	if err != nil {
		return nil, x.useRefused(s, info, row, j, err, start)
	}
	defer clear(b) // a deciphered key or a shared secret, which finish copies
	es, err := inside(b, tagTemplate)
	if err != nil {
		return nil, fmt.Errorf("GENERAL AUTHENTICATE: %w", err)
	}
	out, ok := es.find(tagResponse)
	if !ok || len(out) == 0 {
		return nil, malformed("GENERAL AUTHENTICATE: no result")
	}
	out, err = j.finish(out)
	if err == nil {
		x.ours = true
	}
	return out, err
}

// Sign signs a digest: RSA with PKCS #1 v1.5 or, with *rsa.PSSOptions, PSS;
// ECDSA, in ASN.1; Ed25519, whose digest is the message. crypto.Hash(0) with
// RSA pads the input as it is. rand is for the salt of PSS; nil is fine.
func (k *privateKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.do("sign", func(info card.KeyInfo, row AlgorithmRow) (job, error) {
		return signJob(info, row, rand, digest, opts)
	})
}

// SignMessage hashes the message with opts' hash, or without one - opts nil -
// with SHA-256, SHA-384 for P-384, and signs it as Sign does.
func (k *privateKey) SignMessage(rand io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.do("sign", func(info card.KeyInfo, row AlgorithmRow) (job, error) {
		if row.Algorithm == card.Ed25519 {
			return signJob(info, row, rand, message, crypto.Hash(0))
		}
		if opts == nil {
			opts = defaultHash(row)
		}
		h := opts.HashFunc()
		if h == 0 {
			return signJob(info, row, rand, message, opts)
		}
		if !h.Available() {
			return job{}, fmt.Errorf("%w: %v is not built in", card.ErrUnsupported, h)
		}
		hash := h.New()
		hash.Write(message)
		return signJob(info, row, rand, hash.Sum(nil), opts)
	})
}

// Decrypt deciphers with an RSA key: PKCS #1 v1.5 with nil or
// *rsa.PKCS1v15DecryptOptions, OAEP with *rsa.OAEPOptions. The padding is taken
// off here, in constant time; a bad one is rsa.ErrDecryption.
func (k *privateKey) Decrypt(rand io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	return k.do("decrypt", func(info card.KeyInfo, row AlgorithmRow) (job, error) {
		return decryptJob(info, row, rand, msg, opts)
	})
}

// ECDH is the shared secret with peer: the x coordinate on P-256 and P-384
// (SP 800-73-4 part 2, appendix A.4.2), RFC 7748's on X25519.
func (k *privateKey) ECDH(peer *ecdh.PublicKey) ([]byte, error) {
	return k.do("agree on a secret", func(_ card.KeyInfo, row AlgorithmRow) (job, error) {
		return agreeJob(row, peer)
	})
}

// RSA is the bare private-key operation on a block as long as the modulus.
func (k *privateKey) RSA(block []byte) ([]byte, error) {
	return k.do("use RSA", func(info card.KeyInfo, row AlgorithmRow) (job, error) {
		return rsaJob(info, row, block)
	})
}

// hashOnCard is PivApplet's algorithm number for P-256 with SHA-256 on the
// card, which JavaCards without bare ECDSA have in its place.
const hashOnCard = 0xF1

// useRefused gives a status word its meaning.
func (x *tx) useRefused(s Slot, info card.KeyInfo, row AlgorithmRow, j job, err error, start time.Time) error {
	status, answered := apdu.StatusOf(err)
	if !answered {
		return err
	}
	if x.untouched(info, err, start, x.verified || info.PINPolicy == card.PINNever) {
		return fmt.Errorf("%w: %w", card.ErrTouchTimeout, err)
	}
	switch {
	case status == apdu.ErrSecurityStatus && x.verified:
		return fmt.Errorf("key %s refused although the PIN is verified: %w", s.Ref, err)
	case status == apdu.ErrSecurityStatus:
		return fmt.Errorf("%w: %w", card.ErrLoginRequired, err)
	case !x.ours:
		return err
	case row.Algorithm == card.P256 && slices.Contains(x.c.facts.template.algorithms, hashOnCard):
		return fmt.Errorf("%w: this card's P-256 keys sign only what it hashes itself; they agree on secrets: %w", card.ErrUnsupported, err)
	case status == apdu.ErrIncorrectData && j.tag == tagExponentiation && info.Public != nil: // Pico Keys
		return fmt.Errorf("%w: this card does not agree on secrets with key %s: %w", card.ErrUnsupported, s.Ref, err)
	case status == apdu.ErrReferenceNotFound, status == apdu.ErrNotFound, status == apdu.ErrIncorrectP1P2, status == apdu.ErrIncorrectData && info.Public == nil:
		return fmt.Errorf("%w: slot %s has no %s key: %w", card.ErrNotFound, s.Ref, info.Algorithm, err)
	case status == apdu.ErrWrongLength:
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case errors.Is(err, apdu.ErrFunctionNotSupported), unsupported(err):
		return fmt.Errorf("%w: %w", card.ErrUnsupported, err)
	}
	return err
}
