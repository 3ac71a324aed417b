package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/cli/tui"
)

// padFlag has the secrets of a command typed on the reader's own keys, where no
// program sees them.
func padFlag(cmd *cobra.Command, pad *bool, kinds ...secretKind) {
	cmd.Flags().BoolVar(pad, "pin-pad", false, "have both typed on the reader's own keys")
	for _, k := range kinds {
		for _, from := range []string{"-file", "-fd", "-env"} {
			cmd.MarkFlagsMutuallyExclusive("pin-pad", k.flag+from)
		}
	}
}

// onPad runs what a person has to type an old secret and a new one for.
func (c *pivCard) onPad(ctx context.Context, old, new secretKind, f func() error) error {
	has, err := c.PINPad(ctx)
	if err != nil {
		return err
	}
	if err = apdu.ErrNoPINPad; has {
		text := fmt.Sprintf("type the %s, then the %s twice, on the reader's keys", old.name, new.name)
		if !tui.IsTerminal(c.app.stderr) || c.app.global.quiet || c.app.global.json {
			fmt.Fprintf(c.app.stderr, "cardtool: %s\n", text) // or the command seems to hang
		}
		err = c.app.busy(upperFirst(text), f)
	}
	if errors.Is(err, apdu.ErrNoPINPad) {
		return hinted{fmt.Errorf("%w: %w that changes a PIN", card.ErrUnsupported, err), "leave out --pin-pad"}
	}
	return err
}

// changeOnPad is `pin change` and `puk change` on the reader's keys.
func (c *pivCard) changeOnPad(ctx context.Context, name card.SecretName, old, new secretKind, o piv.LoginOptions) error {
	return c.onPad(ctx, old, new, func() error { return c.ChangePINOnPad(ctx, name, o) })
}

// unblockOnPad is `pin unblock` there.
func (c *pivCard) unblockOnPad(ctx context.Context, o piv.LoginOptions) error {
	return c.onPad(ctx, pukSecret, newPIN, func() error { return c.UnblockPINOnPad(ctx, nil, o) })
}
