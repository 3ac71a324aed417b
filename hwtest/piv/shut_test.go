package piv_test

import (
	"testing"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/hwtest"
	"cardbridge/internal/secret"
)

// A card that keeps the PIN over SELECT, as the standard has it, must not be open
// to whoever speaks to it after cardtool; and what cardtool only looked at stays
// as another program left it.
func TestLeavesNothingOpen(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{Personalities: []string{"nist"}})
	r.File("message", message)
	c := newCardtool(t, r)
	c.run(t, flags([]string{"key", "generate", "9a", "--algorithm", "p-256", "-o", "public.pem"}, withKey)...)
	c.run(t, flags([]string{"cert", "self-sign", "9a", "--subject", "CN=shut", "--public-key", "public.pem"}, withKey, withPIN)...)
	for _, command := range [][]string{
		{"sign", "9a", "message", "-o", "signature"},
		{"pin", "verify"},
	} {
		c.run(t, flags(command, withPIN)...)
		if verified(t, r) {
			t.Errorf("the card is open after cardtool %s", command[0])
		}
	}

	// A connection that is held keeps the card powered in between.
	ctx, other := direct(t, r, hwtest.Patience)
	if err := other.Login(ctx, secret.New([]byte(factoryPIN)), piv.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	c.run(t, "info")
	if !verified(t, r) {
		t.Error("cardtool info logged another program out")
	}
}

// verified tells whether the card takes the PIN for verified.
func verified(t *testing.T, r *hwtest.Rig) bool {
	t.Helper()
	ctx, c := direct(t, r, hwtest.Patience)
	s, err := c.PINState(ctx, card.PIN)
	if err != nil {
		t.Fatal(err)
	}
	return s.Verified
}
