package piv_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"cardbridge/hwtest"
)

// yubico-piv-tool on every YubiKey; it talks to no other cards.
func TestYubicoPIVTool(t *testing.T) {
	hwtest.Program(t, "yubico-piv-tool", "yubico-piv-tool")
	hwtest.Each(t, hwtest.Destroys, yubikeys, testYubicoPIVTool)
}

// yubicoPIVTool gives the arguments of yubico-piv-tool.
func yubicoPIVTool(r *hwtest.Rig) func(args ...string) []string {
	return func(args ...string) []string { return append([]string{"yubico-piv-tool", "-r", r.Reader(0)}, args...) }
}

// oldManagementKey makes the management key 3DES where it is fresh AES: neither
// yubico-piv-tool 2.2 nor ykcs11 2.2 knows another.
func oldManagementKey(t *testing.T, r *hwtest.Rig, personality string) {
	t.Helper()
	if personality == "yubikey-5.7" {
		// It fails where this was done before.
		pivToolTry(t, r, personality, "-s", colons("00FFFFFF1B039B18"+factoryKey))
	}
}

func testYubicoPIVTool(t *testing.T, r *hwtest.Rig, personality string) {
	oldManagementKey(t, r, personality)
	ca := newAuthority(t)
	tool := yubicoPIVTool(r)
	pinTries, pukTries := r.Tries(t, 0)
	r.File("message", message)

	status := r.Run(t, tool("-a", "status")...).Out
	if want := fmt.Sprintf("PIN tries left:\t%d", pinTries); !strings.Contains(status, want) {
		t.Errorf("status without %q:\n%s", want, status)
	}
	if personality != "yubikey-4" && !strings.Contains(status, r.Serial(0)) {
		t.Errorf("status without serial number %s:\n%s", r.Serial(0), status)
	}

	// Keys, certificates, signatures.
	for slot, algorithm := range map[string]string{"9a": "ECCP256", "9c": "RSA2048", "9d": "RSA2048", "95": "ECCP384"} {
		r.Run(t, tool("-a", "generate", "-s", slot, "-A", algorithm, "-o", "public.pem")...)
		public := parsePublic(t, r.Read("public.pem"))
		cert := ca.certify(t, "key "+slot, public)
		r.File("cert.pem", certPEM(cert))
		r.Run(t, tool("-a", "import-certificate", "-s", slot, "-i", "cert.pem")...)
		if got := parseCert(t, []byte(r.Run(t, tool("-a", "read-certificate", "-s", slot)...).Out)); !got.Equal(cert) {
			t.Errorf("slot %s gave another certificate", slot)
		}
		r.Run(t, tool("-a", "verify-pin", "-P", factoryPIN, "-a", "test-signature", "-s", slot, "-i", "cert.pem")...)
		if slot == "9d" {
			r.Run(t, tool("-a", "verify-pin", "-P", factoryPIN, "-a", "test-decipher", "-s", slot, "-i", "cert.pem")...)
		}
		r.Run(t, tool("-a", "verify-pin", "-P", factoryPIN, "--sign", "-s", slot, "-A", algorithm, "-H", "SHA256", "-i", "message", "-o", "signature")...)
		verify(t, public, message, r.Read("signature"))
		r.Run(t, tool("-a", "attest", "-s", slot, "-o", "attestation.pem")...)
		if got := parseCert(t, r.Read("attestation.pem")); !publicEqual(got.PublicKey, public) {
			t.Errorf("slot %s: attestation of another key", slot)
		}
	}
	r.Run(t, tool("-a", "delete-certificate", "-s", "95")...)
	if out := r.Try(t, hwtest.Command{Args: tool("-a", "read-certificate", "-s", "95")}); out.Code == 0 {
		t.Errorf("the certificate is still there:\n%s", out.Out)
	}

	// Import, and the card then signs as that key.
	imported, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(imported)
	if err != nil {
		t.Fatal(err)
	}
	r.File("key.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	r.Run(t, tool("-a", "import-key", "-s", "82", "-i", "key.pem", "--pin-policy", "never")...)
	r.Run(t, tool("-a", "version", "--sign", "-s", "82", "-A", "ECCP256", "-H", "SHA256", "-i", "message", "-o", "signature")...)
	verify(t, &imported.PublicKey, message, r.Read("signature"))

	// Objects.
	r.Run(t, tool("-a", "set-chuid", "-a", "set-ccc")...)
	if out := r.Run(t, tool("-a", "status")...).Out; strings.Contains(out, "CHUID:\tNo data") || strings.Contains(out, "CCC:\tNo data") {
		t.Errorf("CHUID and CCC are not there:\n%s", out)
	}
	r.File("object", []byte("5fff00 object"))
	r.Run(t, tool("-a", "write-object", "--id", "0x5fff01", "-i", "object", "-f", "binary")...)
	if got := r.Run(t, tool("-a", "read-object", "--id", "0x5fff01", "-f", "binary")...).Out; got != "5fff00 object" {
		t.Errorf("object %q", got)
	}

	// Secrets.
	wantTries(t, r, pinTries, pukTries)
	pin, puk, pin2 := freshSecret(t, "PIN", 6), freshSecret(t, "PUK", 8), freshSecret(t, "second PIN", 8)
	r.Run(t, tool("-a", "change-pin", "-P", factoryPIN, "-N", pin)...)
	r.Run(t, tool("-a", "change-puk", "-P", factoryPUK, "-N", puk)...)
	for i := range pinTries {
		r.Try(t, hwtest.Command{Args: tool("-a", "verify-pin", "-P", "999999")})
		wantTries(t, r, pinTries-1-i, pukTries)
	}
	r.Run(t, tool("-a", "unblock-pin", "-P", puk, "-N", pin2)...)
	r.Run(t, tool("-a", "verify-pin", "-P", pin2)...)
	wantTries(t, r, pinTries, pukTries)
	key := freshKey(t, 24)
	r.Run(t, tool("-a", "set-mgm-key", "-n", key)...)
	if out := r.Try(t, hwtest.Command{Args: tool("-a", "generate", "-s", "9e", "-A", "ECCP256")}); out.Code == 0 {
		t.Error("generated with the old management key")
	}
	r.Run(t, tool("-k"+key, "-a", "generate", "-s", "9e", "-A", "ECCP256")...)
	r.Run(t, tool("-k"+key, "-a", "verify-pin", "-P", pin2, "-a", "pin-retries", "--pin-retries", "4", "--puk-retries", "5")...)
	wantTries(t, r, 4, 5)

	// Reset wants both blocked.
	if out := r.Try(t, hwtest.Command{Args: tool("-a", "reset")}); out.Code == 0 {
		t.Error("reset without blocked PIN and PUK")
	}
	for range 4 {
		r.Try(t, hwtest.Command{Args: tool("-a", "verify-pin", "-P", "999999")})
	}
	for range 5 {
		r.Try(t, hwtest.Command{Args: tool("-a", "change-puk", "-P", "99999999", "-N", "99999990")})
	}
	wantTries(t, r, 0, 0)
	r.Run(t, tool("-a", "reset")...)
	wantTries(t, r, pinTries, pukTries)
	if out := r.Run(t, tool("-a", "status")...).Out; strings.Contains(out, "Slot ") {
		t.Errorf("something survived the reset:\n%s", out)
	}
}

// publicEqual compares public keys of any kind.
func publicEqual(a, b crypto.PublicKey) bool { return bytes.Equal(mustPKIX(a), mustPKIX(b)) }

func mustPKIX(public crypto.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err)
	}
	return der
}
