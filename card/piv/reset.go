package piv

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"

	"cardbridge/apdu"
	"cardbridge/card"
)

// Reset makes the applet as from the factory (RESET, Yubico): all keys but the
// attestation key, all certificates and objects are lost; PIN, PUK and
// management key have their factory values again. Access condition: PIN and PUK
// blocked, the PIN alone or nothing on some cards. So this spends all tries of
// both, on values that are no PIN anyone has: only here, and it stops where a
// counter does not move. An error after the first try leaves a card with a blocked
// PIN; Reset can be called again.
func (c *Card) Reset(ctx context.Context) error {
	_, err := run(ctx, c, need{what: "reset the card"}, func(x *tx) (struct{}, error) {
		if err := x.prove(); err != nil {
			return struct{}{}, err
		}
		if !x.row().HasReset {
			return struct{}{}, fmt.Errorf("%w: a factory reset is not part of the standard", card.ErrUnsupported)
		}
		if err := x.sameCard(); err != nil {
			return struct{}{}, err
		}
		c.forgetSecrets()
		c.content, c.state.verified, c.state.admin = content{}, false, false
		defer clear(c.tries)
		// Before all, as it costs the PIN: a card that has no such command is left
		// as it is. Some do it at once, Token2 PIN+; Nitrokey 3 with the PIN blocked.
		_, err := x.send(apdu.Command{INS: insReset})
		if s, _ := apdu.StatusOf(err); s == apdu.ErrInstruction || s == apdu.ErrClass || s == apdu.ErrFunctionNotSupported {
			return struct{}{}, fmt.Errorf("%w: a factory reset; nothing was changed: %w", card.ErrUnsupported, err)
		}
		if answered(err) {
			if err := x.block("PIN", apdu.Command{INS: insVerify, P2: refPIN}, 8); err != nil {
				return struct{}{}, err
			}
			_, err = x.send(apdu.Command{INS: insReset})
		}
		if answered(err) {
			if err := x.block("PUK", apdu.Command{INS: insResetRetry, P2: refPIN}, 16); err != nil {
				return struct{}{}, err
			}
			_, err = x.send(apdu.Command{INS: insReset})
		}
		if err == nil || !answered(err) {
			c.refused.forget(card.PIN, card.PUK)
			c.facts = nothingKnown(c.conn)
			x.forgetState()
			if c.owner.source != vendorSerial { // its name is lost with the CHUID
				c.owner = fingerprint{}
			}
		}
		return struct{}{}, x.written(err, "PIN and PUK are blocked, all else is as it was")
	})
	return err
}

// block spends the tries of a PIN or PUK: on what no PIN may be made of, or on
// random digits where the card looks at that before it counts.
func (x *tx) block(name card.SecretName, cmd apdu.Command, size int) error {
	x.pinUnanswered = true
	defer func() { x.pinUnanswered = false }()
	digits := x.row().DigitsOnly
	for range 256 {
		cmd.Data = bytes.Repeat([]byte{0xFF}, size)
		cmd.Data[0] = 0x00
		if digits {
			_, _ = rand.Read(cmd.Data) // never fails
			for i := range cmd.Data {
				cmd.Data[i] = '0' + cmd.Data[i]%10
			}
		}
		cmd.Secret = true
		_, err := x.send(cmd)
		status, ok := apdu.StatusOf(err)
		tries, counted := x.triesOf(status)
		switch {
		case err == nil && digits: // by chance
		case err == nil:
			return fmt.Errorf("the card took a wrong %s for right: %w", name, card.ErrInvalidAnswer)
		case !ok:
			return fmt.Errorf("%w; some tries of the %s are spent, the rest is as it was: %w", card.ErrInterruptedWrite, name, err)
		case status == apdu.ErrAuthMethodBlocked, counted && tries == 0:
			return nil
		case status == apdu.ErrWarningNoInformation: // wrong, and it does not count aloud
		case status == apdu.ErrIncorrectData && !digits:
			digits = true
		case !counted:
			return fmt.Errorf("blocking the %s, which a reset takes: %w", name, err)
		}
	}
	return fmt.Errorf("blocking the %s: its counter does not go down", name)
}
