package piv_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"cardbridge/hwtest"
)

// Every command that sends or receives a secret, traced: nothing of it is in
// what cardtool prints. Main searches all of that for what is noted here, and
// for the card's keys; this test makes sure that there is something to find.
func TestTraces(t *testing.T) {
	for _, personality := range []string{"yubikey-5.7", "nist-short"} {
		t.Run(personality, func(t *testing.T) { testTraces(t, personality) })
	}
}

func testTraces(t *testing.T, personality string) {
	r := hwtest.Start(t, hwtest.Config{Personalities: []string{personality}})
	yubikey := personality == "yubikey-5.7"
	c := newCardtool(t, r)
	traced := func(args ...string) {
		t.Helper()
		out := c.try(t, append([]string{"--trace"}, args...)...)
		if out.Code != 0 || !strings.Contains(out.Err, "# SELECT") {
			t.Fatalf("%v ended with %d and this trace:\n%s", args, out.Code, out.Err)
		}
	}
	pin, puk, pin2 := freshSecret(t, "PIN", 8), freshSecret(t, "PUK", 8), freshSecret(t, "second PIN", 7)
	c.secret("NEW_PIN", pin)
	c.secret("NEW_PUK", puk)
	traced(flags([]string{"pin", "change", "--new-pin-env", "NEW_PIN"}, withPIN)...)
	traced("puk", "change", "--puk-env", "PUK", "--new-puk-env", "NEW_PUK")
	c.secret("PUK", puk)
	c.secret("NEW_PIN", pin2)
	traced("pin", "unblock", "--puk-env", "PUK", "--new-pin-env", "NEW_PIN")
	c.secret("PIN", pin2)

	admin := withKey
	if yubikey {
		key := freshKey(t, 24)
		c.secret("NEW_KEY", key)
		traced(flags([]string{"admin-key", "change", "--new-admin-key-env", "NEW_KEY"}, withKey)...)
		c.secret("ADMIN_KEY", key)
		// A random key, kept on the card behind the PIN: the search knows it
		// from the card's state.
		traced(flags([]string{"admin-key", "change", "--generate", "--protect"}, withKey, withPIN)...)
		admin = withPIN

		imported, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(imported)
		if err != nil {
			t.Fatal(err)
		}
		r.File("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		traced(flags([]string{"key", "import", "82", "key.pem"}, admin)...)
	}

	// Results that are secrets.
	for slot, algorithm := range map[string]string{"9c": "rsa-2048", "9d": "p-256"} {
		traced(flags([]string{"key", "generate", slot, "--algorithm", algorithm, "-o", slot + ".pem"}, admin)...)
		traced(flags([]string{"cert", "self-sign", slot, "--subject", "CN=traces", "--public-key", slot + ".pem"}, admin, withPIN)...)
	}
	plaintext := []byte("a plaintext that nobody may see " + pin)
	hwtest.NoteSecret(t.Name()+" plaintext", plaintext)
	r.File("encrypted", encrypt(t, parsePublic(t, r.Read("9c.pem")), plaintext))
	traced(flags([]string{"decrypt", "9c", "encrypted", "-o", "decrypted"}, withPIN)...)
	peer, shared := agreement(t, parsePublic(t, r.Read("9d.pem")))
	hwtest.NoteSecret(t.Name()+" shared secret", shared)
	r.File("peer.pem", publicPEM(t, peer))
	traced(flags([]string{"agree", "9d", "peer.pem", "-o", "shared"}, withPIN)...)
	if got := r.Read("decrypted"); string(got) != string(plaintext) {
		t.Errorf("decrypted %q", got)
	}
	if got := r.Read("shared"); string(got) != string(shared) {
		t.Errorf("agreed on %x, want %x", got, shared)
	}
}
