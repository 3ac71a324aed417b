package main

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/spf13/cobra"

	"cardbridge/card"
)

// paddings are what --padding takes.
var paddings = []string{"pkcs1", "oaep"}

func (a *app) decryptCommand() *cobra.Command {
	var (
		padding, hash, label string
		use                  keyUse
		out                  output
	)
	out.mode = 0o600
	cmd := &cobra.Command{
		Use:   "decrypt SLOT [FILE]",
		Short: "Decrypt what was encrypted to an RSA key",
		Long: `Decrypt a file, or standard input, that was encrypted to the RSA key of a slot, as
openssl pkeyutl -encrypt does. It is as long as the key's modulus.`,
		Example: `  cardtool decrypt 9d secret.enc -o secret.txt
  cardtool decrypt 9d secret.enc --padding oaep --hash sha256`,
		Args:              args(cobra.RangeArgs(1, 2)),
		ValidArgsFunction: a.completeKeys,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			slot, err := slotArg(argv[0])
			if err != nil {
				return err
			}
			if padding, err = oneOf("padding", padding, paddings); err != nil {
				return err
			}
			h, err := parseHash(hash)
			if err != nil {
				return err
			}
			if padding != "oaep" && (h != 0 || label != "") {
				return usagef("--hash and --label go with --padding oaep")
			}
			file := ""
			if len(argv) > 1 {
				file = argv[1]
			}
			data, err := a.readInput(file)
			if err != nil {
				return err
			}
			if err := a.readPublic(&use); err != nil {
				return err
			}
			if err := out.open(false); err != nil {
				return err
			}
			return a.withCard(ctx, func(c *pivCard) error {
				var plain []byte
				err := c.withKey(ctx, slot, use, "Decrypting", func(key card.PrivateKey) (err error) {
					pub, ok := key.Public().(*rsa.PublicKey)
					if !ok {
						return fmt.Errorf("the %s key in slot %s does not decrypt, only RSA keys do: %w", key.Info().Algorithm, slot.Ref, card.ErrWrongKey)
					}
					if len(data) != pub.Size() {
						return inputf("%s: %d bytes cannot have been encrypted to the %s key in slot %s, which makes %d", inputName(file), len(data), key.Info().Algorithm, slot.Ref, pub.Size())
					}
					if padding == "oaep" {
						if h == 0 {
							h = hashes[0].hash
						}
						plain, err = key.Decrypt(rand.Reader, data, &rsa.OAEPOptions{Hash: h, Label: []byte(label)})
					} else {
						//lint:ignore SA1019 what was encrypted so must be read
						plain, err = key.Decrypt(rand.Reader, data, &rsa.PKCS1v15DecryptOptions{})
					}
					return err
				})
				if err != nil {
					return err
				}
				defer clear(plain)
				return out.putBytes(plain)
			})
		},
	}
	a.wordFlag(cmd, &padding, "padding", "p", "pkcs1", "`padding`: %s", paddings)
	a.wordFlag(cmd, &hash, "hash", "", "", "`hash` of OAEP: %s (default sha256)", hashNames())
	cmd.Flags().StringVar(&label, "label", "", "`label` of OAEP")
	a.useFlags(cmd, &use)
	a.outputFlags(cmd, &out, "plaintext")
	return cmd
}
