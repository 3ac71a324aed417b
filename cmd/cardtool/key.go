package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/cli/keyfile"
)

func (a *app) keyCommand() *cobra.Command {
	return group("key", "Make, import, move, attest and delete keys",
		a.keyGenerateCommand(),
		a.keyImportCommand(),
		a.keyExportCommand(),
		a.keyMoveCommand(),
		a.keyAttestCommand(),
		a.keyDeleteCommand(),
	)
}

// algorithms are what --algorithm takes; any other spelling of the same
// letters and digits is taken too.
var algorithms = []card.Algorithm{card.P256, card.P384, card.Ed25519, card.X25519, card.RSA2048, card.RSA3072, card.RSA4096, card.RSA1024}

func algorithmNames() []string {
	var out []string
	for _, alg := range algorithms {
		out = append(out, strings.ToLower(string(alg)))
	}
	return out
}

func parseAlgorithm(s string) (card.Algorithm, error) {
	// ECCP256 is how Yubico's tools call P-256.
	plain := func(s string) string {
		return strings.TrimPrefix(strings.ReplaceAll(strings.ToLower(s), "-", ""), "ecc")
	}
	for _, alg := range algorithms {
		if plain(s) == plain(string(alg)) {
			return alg, nil
		}
	}
	return "", usagef("unknown algorithm %q; there are %s", s, strings.Join(algorithmNames(), ", "))
}

// keyPolicies are the flags that say when a new key wants the PIN or a touch.
type keyPolicies struct{ pin, touch string }

var (
	pinPolicies   = []string{string(card.PINNever), string(card.PINOnce), string(card.PINAlways)}
	touchPolicies = []string{string(card.TouchNever), string(card.TouchAlways), string(card.TouchCached)}
)

func (a *app) policyFlags(cmd *cobra.Command, p *keyPolicies) {
	cmd.Flags().StringVar(&p.pin, "pin-policy", "", "when the key wants the PIN: `never, once or always` (default: the slot's)")
	cmd.Flags().StringVar(&p.touch, "touch-policy", "", "when the key wants a touch: `never, always or cached` for 15 s (default: the card's)")
	a.completeWords(cmd, "pin-policy", pinPolicies...)
	a.completeWords(cmd, "touch-policy", touchPolicies...)
}

func (p keyPolicies) parse() (card.PINPolicy, card.TouchPolicy, error) {
	pin, err := oneOf("PIN policy", p.pin, pinPolicies)
	if err != nil {
		return "", "", err
	}
	touch, err := oneOf("touch policy", p.touch, touchPolicies)
	return card.PINPolicy(pin), card.TouchPolicy(touch), err
}

// oneOf accepts a word of a list, or none.
func oneOf(what, s string, words []string) (string, error) {
	if s == "" {
		return "", nil
	}
	for _, w := range words {
		if strings.EqualFold(s, w) {
			return w, nil
		}
	}
	return "", usagef("unknown %s %q; there are %s", what, s, strings.Join(words, ", "))
}

func (a *app) keyGenerateCommand() *cobra.Command {
	var (
		algorithm string
		policies  keyPolicies
		login     adminLogin
		out       output
		weak      bool
	)
	cmd := &cobra.Command{
		Use:   "generate SLOT",
		Short: "Make a key on the card",
		Long: `Make a key on the card, where it never leaves, and print its public key in PEM.
A key that is in the slot already is lost: that is asked about first.`,
		Example: `  cardtool key generate 9a --algorithm p-256 -o public.pem
  cardtool key generate 9d --algorithm rsa-2048 --touch-policy cached --admin-key-file key.hex`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeSlots,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			slot, err := slotArg(argv[0])
			if err != nil {
				return err
			}
			o := piv.GenerateOptions{AllowWeak: weak}
			if o.Algorithm, err = parseAlgorithm(algorithm); err != nil {
				return err
			}
			if o.Algorithm == card.RSA1024 && !weak {
				return usagef("RSA-1024 keys are broken by those with means; --weak makes one nevertheless")
			}
			if o.PINPolicy, o.TouchPolicy, err = policies.parse(); err != nil {
				return err
			}
			if err := out.open(false); err != nil {
				return err
			}
			return a.withCard(ctx, func(c *pivCard) error {
				return c.putKey(ctx, slot, login, &out, newKey{
					doing: fmt.Sprintf("Making an %s key on the card", o.Algorithm), done: "made",
					put: func() (card.KeyInfo, error) { return c.Generate(ctx, slot.Ref, o) },
				})
			})
		},
	}
	cmd.Flags().StringVarP(&algorithm, "algorithm", "a", "p-256", "`kind` of key: "+strings.Join(algorithmNames(), ", "))
	a.completeWords(cmd, "algorithm", algorithmNames()...)
	cmd.Flags().BoolVar(&weak, "weak", false, "allow RSA-1024")
	a.policyFlags(cmd, &policies)
	a.adminFlags(cmd, &login)
	a.outputFlags(cmd, &out, "public key")
	a.yesFlag(cmd)
	return cmd
}

// A newKey is how a key comes into a slot.
type newKey struct {
	doing, done string
	put         func() (card.KeyInfo, error)
	certified   bool // put stores a certificate of it too
}

// putKey replaces what is in a slot by a new key, and prints that.
func (c *pivCard) putKey(ctx context.Context, slot piv.Slot, login adminLogin, out *output, k newKey) error {
	certified, err := c.mayReplaceKey(ctx, slot)
	if err != nil {
		return err
	}
	if err := c.login(ctx, login); err != nil {
		return err
	}
	var info card.KeyInfo
	err = c.app.busy(k.doing, func() (err error) {
		info, err = k.put()
		return err
	})
	if err != nil {
		return err
	}
	if certified && !k.certified {
		defer c.app.staleCertificate(slot)
	}
	return c.app.printKey(out, info, k.done)
}

func (a *app) yesFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.global.yes, "yes", "y", false, "do not ask before something is lost")
}

// mayReplaceKey asks before a key that is known to be in a slot is lost, and
// tells whether a certificate of it stays behind. --yes does not even look.
func (c *pivCard) mayReplaceKey(ctx context.Context, slot piv.Slot) (certified bool, err error) {
	if c.app.global.yes {
		return false, nil
	}
	old, err := c.Key(ctx, slot.Ref)
	switch {
	case errors.Is(err, card.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	_, err = c.Certificate(ctx, slot.Ref)
	if err != nil && !errors.Is(err, card.ErrNotFound) && !errors.Is(err, card.ErrInvalidAnswer) {
		return false, err
	}
	certified = err == nil
	loss := keyLoss(old, slot)
	if certified {
		loss += " Its certificate stays, and will fit no more."
	}
	if slot.Attestation {
		loss += " Without the maker's, no key of this card can be attested any more, not even after a reset."
	}
	return certified, c.app.confirm(ctx, loss)
}

// staleCertificate says what to do about the certificate of a former key.
func (a *app) staleCertificate(slot piv.Slot) {
	a.message("the certificate in slot %[1]s is of the former key: cardtool cert self-sign %[1]s or cert import replaces it, cert delete %[1]s deletes it", slot.Ref)
}

// printKey prints a new key: its public half, or with --json all that is known.
func (a *app) printKey(out *output, info card.KeyInfo, done string) error {
	pub, err := keyfile.PublicPEM(info.Public)
	if err != nil {
		return err
	}
	if !a.global.json || !out.toStdout() {
		err = out.put(pub)
	}
	if a.global.json && err == nil {
		err = a.print(reportKey(info), func(io.Writer) {})
	}
	if err != nil {
		return hinted{
			fmt.Errorf("the %s key is %s in slot %s, but its public half was not written: %w", info.Algorithm, done, info.Ref, err),
			fmt.Sprintf("cardtool key export %s writes it, where the card tells it", info.Ref),
		}
	}
	if a.global.json {
		return nil
	}
	a.message("%s key %s in slot %s", info.Algorithm, done, info.Ref)
	return nil
}
