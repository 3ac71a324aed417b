package main

import (
	"encoding/hex"
	"strconv"

	"github.com/spf13/cobra"
)

const (
	maxRandom = 1 << 20
	maxAtOnce = 1024 // in one transaction: others want the card too
)

func (a *app) randomCommand() *cobra.Command {
	var (
		hexa bool
		out  output
	)
	out.mode = 0o600
	cmd := &cobra.Command{
		Use:     "random BYTES",
		Short:   "Get random numbers from the card",
		Long:    "Get random bytes from the card's generator. Not every card gives them; most give them slowly.",
		Example: "  cardtool random 32 --hex",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, argv []string) error {
			n, err := strconv.ParseUint(argv[0], 10, 32)
			if err != nil || n == 0 || n > maxRandom {
				return usagef("%q is not a number of bytes from 1 to %d", argv[0], maxRandom)
			}
			if err := out.open(!hexa); err != nil {
				return err
			}
			return a.withCard(cmd.Context(), func(c *pivCard) error {
				var b []byte
				err := a.busy("Getting random numbers", func() error {
					for uint64(len(b)) < n {
						part, err := c.Random(cmd.Context(), min(int(n)-len(b), maxAtOnce))
						if err != nil {
							return err
						}
						b = append(b, part...)
					}
					return nil
				})
				if err != nil {
					return err
				}
				if hexa && !(a.global.json && out.toStdout()) { // which has hex anyway
					b = []byte(hex.EncodeToString(b) + "\n")
				}
				return out.putBytes(b)
			})
		},
	}
	cmd.Flags().BoolVar(&hexa, "hex", false, "write hex rather than bytes")
	a.outputFlags(cmd, &out, "bytes")
	return cmd
}
