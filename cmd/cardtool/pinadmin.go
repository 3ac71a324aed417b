package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/secret"
)

func (a *app) pukCommand() *cobra.Command {
	return group("puk", "Change the PUK", a.changeCommand("change", "Change the PUK", card.PUK, pukSecret, newPUK))
}

func (a *app) pinUnblockCommand() *cobra.Command {
	var spendLast, pad bool
	cmd := &cobra.Command{
		Use:   "unblock",
		Short: "Set a new PIN with the PUK",
		Long: `Set a new PIN with the PUK, whether or not the PIN is blocked; all its tries are
left then. A wrong PUK costs one of the PUK's tries.

The PIN is that of the PIV application. Where a card has a global PIN for users,
the PUK does nothing for that one.`,
		Example: "  cardtool pin unblock\n  cardtool pin unblock --puk-file puk.txt --new-pin-file pin.txt",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withCard(ctx, func(c *pivCard) error {
				o := piv.LoginOptions{SpendLastTry: spendLast}
				before, err := c.PINState(ctx, card.PIN)
				if err != nil {
					return err
				}
				if pad {
					err = c.unblockOnPad(ctx, o)
				} else {
					err = c.unblock(ctx, o)
				}
				if err != nil {
					return err
				}
				if before.Global {
					a.warn("the PIN of the PIV application is set; the card's global PIN, which its users have, is as it was; %s", globalUnblock)
					return nil
				}
				a.message("PIN set")
				return nil
			})
		},
	}
	a.takes(cmd, pukSecret, newPIN)
	padFlag(cmd, &pad, pukSecret, newPIN)
	spendLastFlag(cmd, &spendLast)
	return cmd
}

// unblock sets a new PIN with the PUK.
func (c *pivCard) unblock(ctx context.Context, o piv.LoginOptions) error {
	puk, err := c.pin(ctx, pukSecret, card.PUK, o)
	if err != nil {
		return err
	}
	pin, err := c.app.secret(ctx, newPIN, "")
	if err != nil {
		return err
	}
	return c.UnblockPIN(ctx, puk, pin, o)
}

func (a *app) pinRetriesCommand() *cobra.Command {
	var login adminLogin
	cmd := &cobra.Command{
		Use:   "retries PIN-TRIES PUK-TRIES",
		Short: "Set how many tries PIN and PUK have",
		Long: `Set how many wrong PINs and PUKs in a row block them, from 1 to 255. The card sets
PIN and PUK to their factory values with it: change them afterwards.`,
		Example: "  cardtool pin retries 5 5",
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			var n [2]int
			for i, s := range argv {
				v, err := strconv.ParseUint(s, 10, 8)
				if err != nil || v == 0 {
					return usagef("%q is not a number of tries from 1 to 255", s)
				}
				n[i] = int(v)
			}
			return a.withCard(ctx, func(c *pivCard) error {
				if err := c.CanSetRetries(ctx); err != nil {
					return err // before anything is asked for
				}
				if err := a.confirm(ctx, "PIN and PUK go back to their factory values, 123456 and 12345678."); err != nil {
					return err
				}
				if err := c.login(ctx, login); err != nil {
					return err
				}
				if err := c.loginPIN(ctx, login.spendLast); err != nil {
					return err
				}
				if err := c.SetRetries(ctx, n[0], n[1]); err != nil {
					return err
				}
				a.message("%d tries for the PIN and %d for the PUK; both have their factory values: change them", n[0], n[1])
				return nil
			})
		},
	}
	a.adminFlags(cmd, &login)
	a.yesFlag(cmd)
	return cmd
}

func (a *app) adminKeyCommand() *cobra.Command {
	return group("admin-key", "Change the management key", a.adminKeyChangeCommand())
}

var managementAlgorithms = []struct {
	alg    piv.ManagementAlgorithm
	length int
}{{piv.AES192, 24}, {piv.AES128, 16}, {piv.AES256, 32}, {piv.TripleDES, 24}}

func managementAlgorithmNames() []string {
	var out []string
	for _, m := range managementAlgorithms {
		out = append(out, strings.ToLower(string(m.alg)))
	}
	return out
}

func (a *app) adminKeyChangeCommand() *cobra.Command {
	var (
		login     adminLogin
		algorithm string
		generate  bool
		o         piv.ManagementKeyOptions
		out       output
	)
	out.mode = 0o600
	cmd := &cobra.Command{
		Use:   "change",
		Short: "Change the management key",
		Long: `Change the management key: to one in hex, given or asked for, or to a random one
(--generate) that is written to the file of --output, which only you may read, or
kept on the card behind the PIN (--protect), or both.`,
		Example: `  cardtool admin-key change --generate -o admin-key.txt
  cardtool admin-key change --generate --protect --algorithm aes-256`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if generate && a.source(newAdminKey).given() {
				return usagef("--generate and a new key at once")
			}
			if generate && !o.Protect && out.toStdout() {
				return usagef("a random key that nobody knows locks everybody out: write it to a file with -o FILE, or keep it behind the PIN with --protect")
			}
			if !generate && out.path != "" {
				return usagef("--output goes with --generate")
			}
			if algorithm != "" {
				if _, _, err := parseManagementAlgorithm(algorithm); err != nil {
					return err
				}
			}
			if out.path != "" {
				if err := out.open(false); err != nil {
					return err
				}
			}
			return a.withCard(ctx, func(c *pivCard) error {
				alg, length, err := c.managementAlgorithm(ctx, algorithm)
				if err != nil {
					return err
				}
				if err := c.login(ctx, login); err != nil {
					return err
				}
				if o.Protect {
					if err := c.loginPIN(ctx, login.spendLast); err != nil {
						return err
					}
				}
				key, err := a.newManagementKey(ctx, generate, alg, length)
				if err != nil {
					return err
				}
				if out.w != nil {
					// On the disk before it is on the card: a key that is only
					// on the card is lost with a full disk.
					if err := key.Use(func(b []byte) error { return out.put([]byte(hex.EncodeToString(b) + "\n")) }); err != nil {
						return err
					}
				}
				if err := c.SetManagementKey(ctx, alg, key, o); err != nil {
					return err
				}
				a.message("%s management key set", alg)
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&algorithm, "algorithm", "a", "", "`kind`: "+strings.Join(managementAlgorithmNames(), ", ")+" (default: as now)")
	a.completeWords(cmd, "algorithm", managementAlgorithmNames()...)
	f.BoolVar(&generate, "generate", false, "a random key")
	f.BoolVar(&o.Protect, "protect", false, "keep it on the card behind the PIN, so that the PIN is enough")
	f.BoolVar(&o.Touch, "touch", false, "want a touch each time it is used")
	a.adminFlags(cmd, &login)
	a.takes(cmd, newAdminKey)
	a.outputFlags(cmd, &out, "new key")
	return cmd
}

// managementAlgorithm is the one that is asked for, else the card's present one.
func (c *pivCard) managementAlgorithm(ctx context.Context, name string) (piv.ManagementAlgorithm, int, error) {
	if name == "" {
		mk, err := c.ManagementKey(ctx)
		if err != nil {
			return "", 0, err
		}
		if name = string(mk.Algorithm); name == "" {
			name = string(piv.TripleDES)
		}
	}
	return parseManagementAlgorithm(name)
}

// parseManagementAlgorithm reads a kind of management key, with or without
// dash; TDES is how ykman calls 3DES.
func parseManagementAlgorithm(name string) (piv.ManagementAlgorithm, int, error) {
	plain := func(s string) string {
		return strings.Replace(strings.ReplaceAll(strings.ToLower(s), "-", ""), "tdes", "3des", 1)
	}
	for _, m := range managementAlgorithms {
		if plain(name) == plain(string(m.alg)) {
			return m.alg, m.length, nil
		}
	}
	return "", 0, usagef("unknown algorithm %q; there are %s", name, strings.Join(managementAlgorithmNames(), ", "))
}

func (a *app) newManagementKey(ctx context.Context, generate bool, alg piv.ManagementAlgorithm, length int) (*secret.Secret, error) {
	if generate {
		b := make([]byte, length)
		rand.Read(b)
		s := secret.New(b)
		a.atEnd(s.Wipe)
		return s, nil
	}
	key, err := a.secret(ctx, newAdminKey, fmt.Sprintf("%s, %d digits", alg, 2*length))
	if err != nil {
		return nil, err
	}
	if key.Len() != length {
		return nil, secretError{fmt.Errorf("the new management key has %d bytes; %s takes %d; nothing was changed", key.Len(), alg, length)}
	}
	return key, nil
}

func (a *app) resetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Make the card's PIV application as it came from the factory",
		Long: `Make the card's PIV application as it came from the factory: all keys,
certificates and objects in it are lost, PIN, PUK and management key get their
factory values. No secret is needed, but where the card wants PIN and PUK to be
blocked first, they are.`,
		Example: "  cardtool reset --serial 12345678",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withCard(ctx, func(c *pivCard) error {
				if !a.global.yes {
					id, err := c.Identity(ctx)
					if err != nil {
						return err
					}
					loss := fmt.Sprintf("All keys, certificates and PINs of the PIV application of %s will be lost for good.", identityText(id))
					if err := a.confirm(ctx, loss); err != nil {
						return err
					}
				}
				if err := a.busy("Resetting", func() error { return c.Reset(ctx) }); err != nil {
					return err
				}
				a.message("the card in %s is as from the factory: PIN 123456, PUK 12345678", c.conn.Reader())
				return nil
			})
		},
	}
	a.yesFlag(cmd)
	return cmd
}
