package main

import (
	"crypto"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"cardbridge/card"
	"cardbridge/internal/cli/keyfile"
)

var publicFormats = []string{"pem", "der", "ssh"}

func (a *app) keyExportCommand() *cobra.Command {
	var (
		format string
		out    output
	)
	cmd := &cobra.Command{
		Use:               "export SLOT",
		Short:             "Write a slot's public key to a file",
		Long:              "Write the public key of a slot to a file or standard output: in PEM, DER, or as a line for OpenSSH's authorized_keys.",
		Example:           "  cardtool key export 9a -o public.pem\n  cardtool key export 9a --format ssh >> ~/.ssh/authorized_keys",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeKeys,
		RunE: func(cmd *cobra.Command, argv []string) error {
			slot, err := slotArg(argv[0])
			if err != nil {
				return err
			}
			if format, err = oneOf("format", format, publicFormats); err != nil {
				return err
			}
			if err := out.open(format == "der" && !a.global.json); err != nil {
				return err
			}
			return a.withCard(cmd.Context(), func(c *pivCard) error {
				info, err := c.presentKey(cmd.Context(), slot)
				if err != nil {
					return err
				}
				if info.Public == nil {
					return fmt.Errorf("the card does not tell the public key of slot %s: %w", slot.Ref, card.ErrUnsupported)
				}
				b, err := encodePublic(info.Public, format)
				if err != nil {
					return err
				}
				return out.putOr(b, reportKey(info))
			})
		},
	}
	a.wordFlag(cmd, &format, "format", "f", "pem", "`form`: %s", publicFormats)
	a.outputFlags(cmd, &out, "public key")
	return cmd
}

func encodePublic(key crypto.PublicKey, format string) ([]byte, error) {
	switch format {
	case "der":
		return keyfile.MarshalPublic(key)
	case "ssh":
		k, err := ssh.NewPublicKey(key)
		if err != nil {
			return nil, fmt.Errorf("OpenSSH has no %s keys: %w", publicKeyText(key), card.ErrUnsupported)
		}
		return ssh.MarshalAuthorizedKey(k), nil
	default:
		return keyfile.PublicPEM(key)
	}
}
