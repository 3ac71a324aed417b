package piv_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"testing"

	"cardbridge/hwtest"
)

// Administration in both directions: what ykman and yubico-piv-tool set,
// cardtool goes by, and the reverse.
func TestAdministration(t *testing.T) {
	hwtest.Each(t, hwtest.Destroys, []string{"yubikey-5.7", "odd-policy"}, func(t *testing.T, r *hwtest.Rig, _ string) {
		r.File("message", message)
		for _, part := range []struct {
			name string
			run  func(t *testing.T, r *hwtest.Rig)
		}{
			{"management key", testManagementKeys},
			{"reset by cardtool", testResetByCardtool},
			{"PIN and PUK", testPINs},
			{"retry counters", testRetries},
			{"objects", testObjects},
			{"reset by ykman", testResetByYkman},
			{"import", testImport},
			{"attestation", testAttestation},
		} {
			// Each goes on where the one before has left the card.
			if !t.Run(part.name, func(t *testing.T) { part.run(t, r) }) {
				return
			}
		}
	})
}

func testManagementKeys(t *testing.T, r *hwtest.Rig) {
	c, y := newCardtool(t, r), startYkman(t, r)
	byYkman, byCardtool := freshKey(t, 32), freshKey(t, 24)
	y.run("access", "change-management-key", "-m", factoryKey, "-a", "AES256", "-n", byYkman, "-f")
	if out := c.try(t, flags([]string{"key", "generate", "9a"}, withKey)...); out.Code == 0 {
		t.Error("cardtool generated with the old management key")
	}
	c.secret("ADMIN_KEY", byYkman)
	c.run(t, flags([]string{"key", "generate", "9a"}, withKey)...)

	c.secret("NEW", byCardtool)
	c.run(t, flags([]string{"admin-key", "change", "--algorithm", "3des", "--new-admin-key-env", "NEW"}, withKey)...)
	y.refused("keys", "generate", "-m", byYkman, "-a", "ECCP256", "9c", "public.pem")
	y.run("keys", "generate", "-m", byCardtool, "-a", "ECCP256", "9c", "public.pem")
	r.Run(t, yubicoPIVTool(r)("-k"+byCardtool, "-a", "generate", "-s", "9d", "-A", "ECCP256", "-o", "public.pem")...)

	// Kept behind the PIN, as ykman does it; then as cardtool does it.
	y.run("access", "change-management-key", "-m", byCardtool, "-a", "AES192", "--protect", "-P", factoryPIN, "-f")
	c.run(t, flags([]string{"key", "generate", "82"}, withPIN)...)
	c.run(t, flags([]string{"admin-key", "change", "--algorithm", "aes-128", "--generate", "--protect"}, withPIN)...)
	y.run("keys", "generate", "-P", factoryPIN, "-a", "ECCP256", "83", "public.pem")
	var info struct {
		ManagementKey struct {
			Algorithm string
			Protected bool
		}
	}
	c.ask(t, &info, "info")
	if !info.ManagementKey.Protected || info.ManagementKey.Algorithm != "AES-128" {
		t.Errorf("%+v", info.ManagementKey)
	}
}

func testResetByCardtool(t *testing.T, r *hwtest.Rig) {
	c, y := newCardtool(t, r), startYkman(t, r)
	if out := c.try(t, "reset"); out.Code == 0 {
		t.Error("reset without a question answered")
	}
	c.run(t, "reset", "--yes")
	if out := y.run("info"); strings.Contains(out, "Slot ") || strings.Contains(out, "protected by PIN") {
		t.Errorf("something survived:\n%s", out)
	}
	y.run("keys", "generate", "-m", factoryKey, "-a", "ECCP256", "9a", "public.pem")
}

func testPINs(t *testing.T, r *hwtest.Rig) {
	c := newCardtool(t, r)
	tool := yubicoPIVTool(r)
	pinTries, pukTries := r.Tries(t, 0)
	pin, pin2, pin3 := freshSecret(t, "PIN", 8), freshSecret(t, "PIN 2", 6), freshSecret(t, "PIN 3", 7)
	puk, puk2 := freshSecret(t, "PUK", 8), freshSecret(t, "PUK 2", 8)

	r.Run(t, tool("-a", "change-pin", "-P", factoryPIN, "-N", pin)...)
	r.Run(t, tool("-a", "change-puk", "-P", factoryPUK, "-N", puk)...)
	c.secret("PIN", pin)
	c.secret("PUK", puk)
	c.run(t, flags([]string{"sign", "9a", "message", "-o", "pins.sig"}, withPIN)...)

	c.secret("NEW_PIN", pin2)
	c.run(t, flags([]string{"pin", "change", "--new-pin-env", "NEW_PIN"}, withPIN)...)
	r.Run(t, tool("-a", "verify-pin", "-P", pin2)...)
	c.secret("NEW_PUK", puk2)
	c.run(t, "puk", "change", "--puk-env", "PUK", "--new-puk-env", "NEW_PUK")
	wantTries(t, r, pinTries, pukTries)

	for range pinTries {
		r.Try(t, hwtest.Command{Args: tool("-a", "verify-pin", "-P", "999999")})
	}
	wantTries(t, r, 0, pukTries)
	if out := c.try(t, flags([]string{"sign", "9a", "message", "-o", "never"}, withPIN)...); out.Code != 5 || !strings.Contains(out.Err, "blocked") {
		t.Errorf("with a blocked PIN it ended with %d: %s", out.Code, out.Err)
	}
	c.secret("PUK", puk2)
	c.secret("NEW_PIN", pin3)
	c.run(t, "pin", "unblock", "--puk-env", "PUK", "--new-pin-env", "NEW_PIN")
	wantTries(t, r, pinTries, pukTries)
	r.Run(t, tool("-a", "verify-pin", "-P", pin3)...)

	// A wrong PIN costs one try, said so; the last is not spent unasked.
	c.secret("PIN", "00000000")
	for left := pinTries - 1; left >= 1; left-- {
		out := c.try(t, flags([]string{"sign", "9a", "message", "-o", "never"}, withPIN)...)
		word := "tries"
		if left == 1 {
			word = "try"
		}
		if out.Code != 4 || !strings.Contains(out.Err, fmt.Sprintf("wrong PIN, %d %s left", left, word)) {
			t.Errorf("a wrong PIN ended with %d: %s", out.Code, out.Err)
		}
		wantTries(t, r, left, pukTries)
	}
	c.secret("PIN", pin3)
	if out := c.try(t, flags([]string{"sign", "9a", "message", "-o", "never"}, withPIN)...); out.Code != 6 {
		t.Errorf("with one try left it ended with %d: %s", out.Code, out.Err)
	}
	wantTries(t, r, 1, pukTries)
	c.run(t, flags([]string{"sign", "9a", "message", "-o", "pins2.sig", "--spend-last-try"}, withPIN)...)
	wantTries(t, r, pinTries, pukTries)

	// Leave it as it was.
	r.Run(t, tool("-a", "change-pin", "-P", pin3, "-N", factoryPIN)...)
	r.Run(t, tool("-a", "change-puk", "-P", puk2, "-N", factoryPUK)...)
}

func testRetries(t *testing.T, r *hwtest.Rig) {
	c := newCardtool(t, r)
	c.run(t, flags([]string{"pin", "retries", "7", "4", "--yes"}, withPIN, withKey)...)
	wantTries(t, r, 7, 4)
	startYkman(t, r).run("access", "set-retries", "-m", factoryKey, "-P", factoryPIN, "-f", "6", "5")
	var status struct {
		PINs []struct {
			Name  string
			Tries *int
		}
	}
	c.ask(t, &status, "pin", "status")
	if len(status.PINs) == 0 || status.PINs[0].Tries == nil || *status.PINs[0].Tries != 6 {
		t.Errorf("pin status: %+v", status)
	}
}

func testObjects(t *testing.T, r *hwtest.Rig) {
	c, y := newCardtool(t, r), startYkman(t, r)
	content := bytes.Repeat([]byte("object "), 150)
	r.File("content.bin", content)
	c.run(t, flags([]string{"object", "write", "5FFF12", "content.bin"}, withKey)...)
	y.run("objects", "export", "0x5fff12", "back.bin")
	if got := r.Read("back.bin"); !bytes.Equal(got, content) {
		t.Errorf("ykman read %d bytes", len(got))
	}
	y.run("objects", "import", "-m", factoryKey, "0x5fff13", "content.bin")
	c.run(t, "object", "read", "5FFF13", "-o", "again.bin")
	if got := r.Read("again.bin"); !bytes.Equal(got, content) {
		t.Errorf("cardtool read %d bytes", len(got))
	}
	y.run("objects", "generate", "-m", factoryKey, "CHUID")
	y.run("objects", "generate", "-m", factoryKey, "CCC")
	for _, name := range []string{"chuid", "ccc"} {
		if out := c.run(t, "object", "read", name); !strings.Contains(out, "GUID") && !strings.Contains(out, "Card") {
			t.Errorf("%s:\n%s", name, out)
		}
	}
	c.run(t, flags([]string{"object", "write", "chuid", "--generate", "--yes"}, withKey)...)
	c.run(t, flags([]string{"object", "write", "ccc", "--generate", "--yes"}, withKey)...)
	if out := y.run("info"); strings.Contains(out, "No data available") {
		t.Errorf("info:\n%s", out)
	}
	out := r.Run(t, "pkcs15-tool", "--reader", r.Reader(0), "-D").Out
	if !strings.Contains(out, "Card Holder Unique Identifier") {
		t.Errorf("pkcs15-tool:\n%s", out)
	}
	c.run(t, flags([]string{"object", "delete", "5FFF12", "--yes"}, withKey)...)
	y.refused("objects", "export", "0x5fff12", "back.bin")
}

func testResetByYkman(t *testing.T, r *hwtest.Rig) {
	startYkman(t, r).run("reset", "-f")
	var list struct{ Keys []struct{ Slot string } }
	newCardtool(t, r).ask(t, &list, "keys")
	for _, k := range list.Keys {
		if k.Slot != "f9" {
			t.Errorf("key %s survived", k.Slot)
		}
	}
}

func testImport(t *testing.T, r *hwtest.Rig) {
	oldManagementKeyNow(t, r)
	c := newCardtool(t, r)
	tool := yubicoPIVTool(r)
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		slot, algorithm string
		private, public any
	}{
		{"9a", "ECCP384", ec, ec.Public()},
		{"9c", "RSA2048", rsaKey, rsaKey.Public()},
	} {
		der, err := x509.MarshalPKCS8PrivateKey(tt.private)
		if err != nil {
			t.Fatal(err)
		}
		for j, part := range hwtest.PrivateParts(der) {
			hwtest.NoteSecret(fmt.Sprintf("imported key %d, part %d", i, j), part)
		}
		r.File("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		c.run(t, flags([]string{"key", "import", tt.slot, "key.pem"}, withKey)...)
		r.Run(t, tool("-a", "verify-pin", "-P", factoryPIN, "--sign", "-s", tt.slot, "-A", tt.algorithm, "-H", "SHA256", "-i", "message", "-o", "signature")...)
		verify(t, tt.public, message, r.Read("signature"))

		r.Run(t, tool("-a", "import-key", "-s", "85", "-i", "key.pem")...)
		c.run(t, flags([]string{"sign", "85", "message", "--hash", "sha256", "-o", "signature", "--force"}, withPIN)...)
		verify(t, tt.public, message, r.Read("signature"))
		if err := os.Remove(r.Path("key.pem")); err != nil {
			t.Fatal(err)
		}
	}
}

// oldManagementKeyNow makes the management key 3DES, whatever it was.
func oldManagementKeyNow(t *testing.T, r *hwtest.Rig) {
	t.Helper()
	startYkman(t, r).run("access", "change-management-key", "-m", factoryKey, "-a", "TDES", "-n", factoryKey, "-f")
}

func testAttestation(t *testing.T, r *hwtest.Rig) {
	c, y := newCardtool(t, r), startYkman(t, r)
	c.run(t, flags([]string{"key", "generate", "9d", "-o", "generated.pem", "--force"}, withKey)...)
	// A software card is none of Yubico's, and cardtool says so.
	if out := c.try(t, "key", "attest", "9d"); !r.Real() && out.Code != 12 {
		t.Errorf("a software card attested as one of Yubico's: %d %s", out.Code, out.Err)
	}
	c.run(t, "cert", "export", "f9", "-o", "root.pem", "--force")
	c.run(t, "key", "attest", "9d", "--roots", "root.pem", "-o", "ours.pem")
	y.run("keys", "attest", "9d", "theirs.pem")
	ours, theirs := parseCert(t, r.Read("ours.pem")), parseCert(t, r.Read("theirs.pem"))
	if !publicEqual(ours.PublicKey, theirs.PublicKey) || !publicEqual(ours.PublicKey, parsePublic(t, r.Read("generated.pem"))) {
		t.Error("attestations of different keys")
	}
}
