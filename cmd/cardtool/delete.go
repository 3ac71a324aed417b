package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

// A victim is what is to be deleted.
type victim struct {
	name string
	// loss says what is lost. Nothing there is card.ErrNotFound: deleting nothing
	// is no success, with --yes neither.
	loss   func(context.Context, *pivCard) (string, error)
	delete func(context.Context, *pivCard) error
}

// deleteCommand makes a command of its words, and of what its argument means.
func (a *app) deleteCommand(cmd *cobra.Command, of func(arg string) (victim, error)) *cobra.Command {
	var login adminLogin
	cmd.Args = args(cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, argv []string) error {
		ctx := cmd.Context()
		v, err := of(argv[0])
		if err != nil {
			return err
		}
		return a.withCard(ctx, func(c *pivCard) error {
			loss, err := v.loss(ctx, c)
			if err != nil {
				return err
			}
			if err := a.confirm(ctx, loss); err != nil {
				return err
			}
			if err := c.login(ctx, login); err != nil {
				return err
			}
			if err := v.delete(ctx, c); err != nil {
				return err
			}
			a.message("%s deleted", v.name)
			return nil
		})
	}
	a.adminFlags(cmd, &login)
	a.yesFlag(cmd)
	return cmd
}

func (a *app) certDeleteCommand() *cobra.Command {
	return a.deleteCommand(
		&cobra.Command{
			Use:               "delete SLOT",
			Short:             "Delete a certificate; its key stays",
			Example:           "  cardtool cert delete 9a",
			ValidArgsFunction: a.completeSlots,
		},
		func(arg string) (victim, error) {
			slot, err := slotArg(arg)
			return victim{
				name: fmt.Sprintf("certificate in slot %s", slot.Ref),
				loss: func(ctx context.Context, c *pivCard) (string, error) {
					der, err := c.Certificate(ctx, slot.Ref)
					if err != nil && !errors.Is(err, card.ErrInvalidAnswer) {
						return "", err
					}
					return certLoss(der, slot, "deleted"), nil
				},
				delete: func(ctx context.Context, c *pivCard) error { return c.DeleteCertificate(ctx, slot.Ref) },
			}, err
		},
	)
}

// certLoss says that a certificate is lost, and whose, where that can be read.
func certLoss(der []byte, slot piv.Slot, how string) string {
	whose := ""
	if cert, err := x509.ParseCertificate(der); err == nil {
		whose = " of " + subjectOf(cert)
	}
	return fmt.Sprintf("The certificate%s in slot %s will be %s.", whose, slot.Ref, how)
}

func (a *app) keyDeleteCommand() *cobra.Command {
	return a.deleteCommand(
		&cobra.Command{
			Use:               "delete SLOT",
			Short:             "Destroy a key",
			Long:              "Destroy the key in a slot; its certificate stays. Cards can do this from YubiKey firmware 5.7 on.",
			Example:           "  cardtool key delete 82",
			ValidArgsFunction: a.completeKeys,
		},
		func(arg string) (victim, error) {
			slot, err := slotArg(arg)
			return victim{
				name: fmt.Sprintf("key in slot %s", slot.Ref),
				loss: func(ctx context.Context, c *pivCard) (string, error) {
					if a.global.yes {
						return "", nil // a card that can do it says itself that there is none
					}
					info, err := c.Key(ctx, slot.Ref)
					return keyLoss(info, slot), err
				},
				delete: func(ctx context.Context, c *pivCard) error { return c.DeleteKey(ctx, slot.Ref) },
			}, err
		},
	)
}

// keyLoss says what is lost with a key.
func keyLoss(info card.KeyInfo, slot piv.Slot) string {
	kind := ""
	if info.Algorithm != "" {
		kind = string(info.Algorithm) + " "
	}
	return fmt.Sprintf("The %skey in slot %s will be lost for good, and with it what only it can decrypt.", kind, slot.Ref)
}

func (a *app) objectDeleteCommand() *cobra.Command {
	return a.deleteCommand(
		&cobra.Command{
			Use:               "delete OBJECT",
			Short:             "Delete a data object",
			Example:           "  cardtool object delete 5F0001",
			ValidArgsFunction: a.completeObjects,
		},
		func(arg string) (victim, error) {
			o, err := objectArg(arg)
			return victim{
				name: o.Label,
				loss: func(ctx context.Context, c *pivCard) (string, error) {
					_, err := c.ReadObject(ctx, o.Tag)
					if err != nil && !errors.Is(err, card.ErrLoginRequired) && !errors.Is(err, card.ErrInvalidAnswer) {
						return "", err
					}
					return fmt.Sprintf("The %s will be deleted.", o.Label), nil
				},
				delete: func(ctx context.Context, c *pivCard) error { return c.DeleteObject(ctx, o.Tag) },
			}, err
		},
	)
}
