package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"cardbridge/card/piv"
	"cardbridge/internal/secret"
)

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
	a.wordFlag(cmd, &algorithm, "algorithm", "a", "", "`kind`: %s (default: as now)", managementAlgorithmNames())
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
