package piv

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cardbridge/card"
	"cardbridge/card/softcard"
)

// budgets are the APDUs of each operation, instruction by instruction, on a
// card that was not spoken to before ("cold") or was ("warm").
func TestBudgets(t *testing.T) {
	digest := sha256.Sum256([]byte("hello"))
	coldSign := func(t *testing.T, c *Card, ref card.KeyRef) {
		_, err := c.PINState(ctx, card.PIN)
		ok(t, err) // the prompt would be here
		ok(t, c.Together(ctx, func(ctx context.Context) error {
			k, err := c.Key(ctx, ref)
			if err != nil {
				return err
			}
			_, err = c.PrivateKey(ctx, k, UseOptions{PIN: sec(factoryPIN)}).Sign(nil, digest[:], crypto.SHA256)
			return err
		}))
	}
	warmSign := func(t *testing.T, conn *softConn, c *Card, ref card.KeyRef) {
		ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
		k, err := c.Key(ctx, ref)
		ok(t, err)
		conn.sent()
		_, err = c.PrivateKey(ctx, k, UseOptions{}).Sign(nil, digest[:], crypto.SHA256)
		ok(t, err)
	}
	tests := []struct {
		personality, what string
		extended          bool
		do                func(t *testing.T, conn *softConn, c *Card)
		want              string
	}{
		{"yubikey-5.7", "cold sign P-256", true, func(t *testing.T, _ *softConn, c *Card) { coldSign(t, c, "9a") }, "A4 F7 F7 20 87"},
		{"yubikey-5.7", "cold sign P-256", false, func(t *testing.T, _ *softConn, c *Card) { coldSign(t, c, "9a") }, "A4 F7 F7 20 87"},
		{"yubikey-5.7", "cold sign RSA-2048", true, func(t *testing.T, _ *softConn, c *Card) { coldSign(t, c, "9d") }, "A4 F7 F7 20 87"},
		{"yubikey-5.7", "cold sign RSA-2048", false, func(t *testing.T, _ *softConn, c *Card) { coldSign(t, c, "9d") }, "A4 F7 F7 C0 20 87 87 C0"},
		{"yubikey-5.7", "cold sign in one", true, func(t *testing.T, _ *softConn, c *Card) {
			_, err := c.PINState(ctx, card.PIN)
			ok(t, err)
			_, err = c.PrivateKey(ctx, card.KeyInfo{Ref: "9a"}, UseOptions{PIN: sec(factoryPIN)}).Sign(nil, digest[:], crypto.SHA256)
			ok(t, err)
		}, "A4 F7 F7 20 87"},
		{"nist", "cold sign P-256", true, func(t *testing.T, _ *softConn, c *Card) { coldSign(t, c, "9a") }, "A4 CB 20 CB 20 87"},
		{"nist-short", "cold sign P-256", false, func(t *testing.T, _ *softConn, c *Card) { coldSign(t, c, "9a") }, "A4 CB 20 CB C0 20 87"},
		{"yubikey-4", "cold sign P-256", false, func(t *testing.T, _ *softConn, c *Card) { coldSign(t, c, "9a") }, "A4 20 CB C0 20 87"},
		{"yubikey-5.7", "warm sign P-256", true, func(t *testing.T, conn *softConn, c *Card) { warmSign(t, conn, c, "9a") }, "87"},
		{"yubikey-5.7", "warm sign RSA-2048", true, func(t *testing.T, conn *softConn, c *Card) { warmSign(t, conn, c, "9d") }, "87"},
		{"yubikey-5.7", "warm sign RSA-2048", false, func(t *testing.T, conn *softConn, c *Card) { warmSign(t, conn, c, "9d") }, "87 87 C0"},
		{"nist", "warm sign P-256", true, func(t *testing.T, conn *softConn, c *Card) { warmSign(t, conn, c, "9a") }, "87"},
		{"nist-short", "warm sign RSA-2048", false, func(t *testing.T, conn *softConn, c *Card) { warmSign(t, conn, c, "9d") }, "87 87 C0"},
		{"yubikey-5.7", "identity", true, func(t *testing.T, _ *softConn, c *Card) { _, err := c.Identity(ctx); ok(t, err) }, "A4 FD F8"},
		{"nist", "identity", true, func(t *testing.T, _ *softConn, c *Card) { _, err := c.Identity(ctx); ok(t, err) }, "A4 CB"},
		{"yubikey-4", "identity", false, func(t *testing.T, _ *softConn, c *Card) { _, err := c.Identity(ctx); ok(t, err) }, "A4 FD CB"},
		{"yubikey-5.7", "keys", true, func(t *testing.T, _ *softConn, c *Card) { _, err := c.Keys(ctx); ok(t, err) }, "A4" + strings.Repeat(" F7", 24)},
		{"nist", "keys", true, func(t *testing.T, _ *softConn, c *Card) { _, err := c.Keys(ctx); ok(t, err) }, "A4 F7" + strings.Repeat(" CB", 24)},
		{"yubikey-5.7", "keys again", true, func(t *testing.T, conn *softConn, c *Card) {
			_, err := c.Keys(ctx)
			ok(t, err)
			conn.sent()
			_, err = c.Keys(ctx)
			ok(t, err)
		}, ""},
		{"yubikey-5.7", "generate", true, func(t *testing.T, _ *softConn, c *Card) {
			ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
			_, err := c.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
			ok(t, err)
		}, "A4 F7 87 87 47"},
		{"yubikey-5.7", "generate, management key looked at", true, func(t *testing.T, _ *softConn, c *Card) {
			_, err := c.ManagementKey(ctx)
			ok(t, err)
			ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
			_, err = c.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
			ok(t, err)
		}, "A4 F7 CB 87 87 47"},
		{"yubikey-5.7", "import", true, func(t *testing.T, _ *softConn, c *Card) {
			ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
			_, err := c.Import(ctx, "83", importedKey(), ImportOptions{})
			ok(t, err)
		}, "A4 F7 87 87 FE"},
		{"yubikey-5.7", "put certificate", true, func(t *testing.T, _ *softConn, c *Card) {
			ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
			ok(t, c.PutCertificate(ctx, "83", secondCert(), PutCertificateOptions{}))
		}, "A4 F7 87 87 DB"},
		{"yubikey-5.7", "change PIN", true, func(t *testing.T, _ *softConn, c *Card) {
			ok(t, c.ChangePIN(ctx, card.PIN, sec(factoryPIN), sec(factoryPIN), LoginOptions{}))
		}, "A4 CB F7 24"},
		{"nist", "change PIN", true, func(t *testing.T, _ *softConn, c *Card) {
			ok(t, c.ChangePIN(ctx, card.PIN, sec(factoryPIN), sec(factoryPIN), LoginOptions{}))
		}, "A4 CB 20 24"},
		{"yubikey-5.7", "change PUK", true, func(t *testing.T, _ *softConn, c *Card) {
			ok(t, c.ChangePIN(ctx, card.PUK, sec(factoryPUK), sec(factoryPUK), LoginOptions{}))
		}, "A4 F7 24"},
		{"yubikey-5.7", "unblock PIN", true, func(t *testing.T, _ *softConn, c *Card) {
			ok(t, c.UnblockPIN(ctx, sec(factoryPUK), sec(factoryPIN), LoginOptions{}))
		}, "A4 F7 2C"},
		{"yubikey-5.7", "always sign, warm", true, func(t *testing.T, conn *softConn, c *Card) {
			k, err := c.Key(ctx, "9c")
			ok(t, err)
			for range 2 {
				conn.sent()
				_, err = c.PrivateKey(ctx, k, UseOptions{PIN: sec(factoryPIN)}).Sign(nil, digest[:], crypto.SHA256)
				ok(t, err)
			}
		}, "F7 20 87"},
		{"nist", "always sign, warm", true, func(t *testing.T, conn *softConn, c *Card) {
			k, err := c.Key(ctx, "9c")
			ok(t, err)
			for range 2 {
				conn.sent()
				_, err = c.PrivateKey(ctx, k, UseOptions{PIN: sec(factoryPIN)}).Sign(nil, digest[:], crypto.SHA256)
				ok(t, err)
			}
		}, "CB 20 87"},
		{"yubikey-5.7", "set management key", true, func(t *testing.T, _ *softConn, c *Card) {
			ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
			ok(t, c.SetManagementKey(ctx, AES192, sec(factoryAdmin), ManagementKeyOptions{}))
		}, "A4 F7 87 87 CB FF"},
		{"yubikey-5.7", "random 32", true, func(t *testing.T, _ *softConn, c *Card) {
			_, err := c.Random(ctx, 32)
			ok(t, err)
		}, "A4 F7 87 87"},
		{"nist", "reset, which it has not", true, func(t *testing.T, _ *softConn, c *Card) {
			if err := c.Reset(ctx); !errors.Is(err, card.ErrUnsupported) {
				t.Error(err)
			}
		}, "A4"},
		{"nist", "generate", true, func(t *testing.T, _ *softConn, c *Card) {
			ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
			_, err := c.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
			ok(t, err)
		}, "A4 87 87 47"},
		{"yubikey-4", "generate P-256", false, func(t *testing.T, _ *softConn, c *Card) {
			ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
			_, err := c.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
			ok(t, err)
		}, "A4 87 87 47"},
		{"yubikey-4", "generate RSA-2048", false, func(t *testing.T, _ *softConn, c *Card) {
			ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
			_, err := c.Generate(ctx, "9d", GenerateOptions{Algorithm: card.RSA2048})
			ok(t, err)
		}, "A4 87 87 FD 47 C0"},
		{"yubikey-5.7", "login", true, func(t *testing.T, _ *softConn, c *Card) {
			_, err := c.Identity(ctx)
			ok(t, err)
			ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
		}, "A4 FD F8 F7 20"},
		{"yubikey-5.7", "attest", true, func(t *testing.T, _ *softConn, c *Card) { _, err := c.Attest(ctx, "9a"); ok(t, err) }, "A4 F9"},
		{"yubikey-5.7", "logout without login", true, func(t *testing.T, _ *softConn, c *Card) { ok(t, c.Logout(ctx)) }, ""},
	}
	cards := map[string]string{}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s/%s/extended=%v", tt.personality, tt.what, tt.extended), func(t *testing.T) {
			path, made := cards[tt.personality]
			if !made {
				path = t.TempDir() + "/../card-" + tt.personality
				ok(t, softcard.Create(path, tt.personality))
				c := admin(t, openSoft(t, path))
				generate(t, c, "9a", card.P256)
				generate(t, c, "9d", card.RSA2048)
				generate(t, c, "9c", card.P256)
			}
			conn := openSoft(t, path)
			conn.extended = tt.extended
			tt.do(t, conn, bare(t, conn))
			if got := strings.TrimSpace(conn.sent()); got != tt.want {
				t.Errorf("sent %s\n want %s", got, tt.want)
			}
		})
	}
}
