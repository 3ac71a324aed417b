package main

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"fmt"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/internal/cli/keyfile"
)

func (a *app) agreeCommand() *cobra.Command {
	var (
		use keyUse
		out output
	)
	out.mode = 0o600
	cmd := &cobra.Command{
		Use:   "agree SLOT PEER",
		Short: "Agree on a shared secret (ECDH)",
		Long: `Agree on a shared secret with the owner of the public key or certificate in file
PEER, as openssl pkeyutl -derive does: the x coordinate, or what X25519 yields.
It is a secret: put it through a key derivation function and keep it to yourself.`,
		Example:           "  cardtool agree 9d peer.pem -o shared.bin",
		Args:              args(cobra.ExactArgs(2)),
		ValidArgsFunction: a.completeKeys,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			slot, err := slotArg(argv[0])
			if err != nil {
				return err
			}
			peer, err := a.readPeer(argv[1])
			if err != nil {
				return err
			}
			if err := a.readPublic(&use); err != nil {
				return err
			}
			if err := out.open(true); err != nil {
				return err
			}
			return a.withCard(ctx, func(c *pivCard) error {
				var shared []byte
				err := c.withKey(ctx, slot, use, "Agreeing", func(key card.PrivateKey) (err error) {
					if have := publicKeyText(key.Public()); have != fmt.Sprint(peer.Curve()) {
						return inputf("%s is on %v, but the key in slot %s is %s", inputName(argv[1]), peer.Curve(), slot.Ref, have)
					}
					shared, err = key.ECDH(peer)
					return err
				})
				if err != nil {
					return err
				}
				defer clear(shared)
				return out.putBytes(shared)
			})
		},
	}
	a.useFlags(cmd, &use)
	a.outputFlags(cmd, &out, "shared secret")
	return cmd
}

// readPeer reads a public key that can be agreed with.
func (a *app) readPeer(name string) (*ecdh.PublicKey, error) {
	data, err := a.readInput(name)
	if err != nil {
		return nil, err
	}
	pub, err := keyfile.ReadPublic(data)
	if err != nil {
		return nil, inputf("%s: %w", inputName(name), err)
	}
	switch k := pub.Key.(type) {
	case *ecdh.PublicKey:
		return k, nil
	case *ecdsa.PublicKey:
		e, err := k.ECDH()
		if err != nil {
			return nil, inputf("%s: %w", inputName(name), err)
		}
		return e, nil
	}
	return nil, inputf("%s: one does not agree with a key of type %s", inputName(name), publicKeyText(pub.Key))
}
