package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

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
	a.wordFlag(cmd, &algorithm, "algorithm", "a", "p-256", "`kind` of key: %s", algorithmNames())
	cmd.Flags().BoolVar(&weak, "weak", false, "allow RSA-1024")
	a.policyFlags(cmd, &policies)
	a.adminFlags(cmd, &login)
	a.outputFlags(cmd, &out, "public key")
	a.yesFlag(cmd)
	return cmd
}

// keyPolicies are the flags that say when a new key wants the PIN or a touch.
type keyPolicies struct{ pin, touch string }

var (
	pinPolicies   = []string{string(card.PINNever), string(card.PINOnce), string(card.PINAlways)}
	touchPolicies = []string{string(card.TouchNever), string(card.TouchAlways), string(card.TouchCached)}
)

func (a *app) policyFlags(cmd *cobra.Command, p *keyPolicies) {
	a.wordFlag(cmd, &p.pin, "pin-policy", "", "", "`when` the key wants the PIN: %s (default: the slot's)", pinPolicies)
	a.wordFlag(cmd, &p.touch, "touch-policy", "", "", "`when` the key wants a touch: %s, which is for 15 s (default: the card's)", touchPolicies)
}

func (p keyPolicies) parse() (card.PINPolicy, card.TouchPolicy, error) {
	pin, err := oneOf("PIN policy", p.pin, pinPolicies)
	if err != nil {
		return "", "", err
	}
	touch, err := oneOf("touch policy", p.touch, touchPolicies)
	return card.PINPolicy(pin), card.TouchPolicy(touch), err
}
