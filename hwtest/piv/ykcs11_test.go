package piv_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"cardbridge/hwtest"
)

const ykcs11Module = "/usr/lib/x86_64-linux-gnu/libykcs11.so.2"

// ykcs11 by way of pkcs11-tool and ssh-keygen.
func TestYkcs11(t *testing.T) {
	hwtest.Program(t, "pkcs11-tool", "opensc")
	hwtest.Program(t, "ssh-keygen", "openssh-client")
	hwtest.Each(t, hwtest.Destroys, yubikeys, testYkcs11)
}

func testYkcs11(t *testing.T, r *hwtest.Rig, personality string) {
	oldManagementKey(t, r, personality)
	pinTries, pukTries := r.Tries(t, 0)
	tool := pkcs11Tool(ykcs11Module)
	r.File("message", message)

	if out := r.Run(t, tool("-L")...).Out; !strings.Contains(out, "YubiKey PIV #") || !strings.Contains(out, r.Reader(0)) {
		t.Errorf("slots:\n%s", out)
	}
	// Key generation is for the security officer: the management key.
	generate := func(id, kind string) {
		t.Helper()
		r.Run(t, tool("--login", "--login-type", "so", "--so-pin", factoryKey, "--keypairgen", "--key-type", kind, "--id", id)...)
	}
	generate("01", "EC:secp256r1")
	generate("03", "rsa:2048")
	generate("05", "EC:secp256r1")

	public := func(id string) crypto.PublicKey {
		t.Helper()
		r.Run(t, tool("--read-object", "--type", "pubkey", "--id", id, "-o", "public.der")...)
		key, err := x509.ParsePKIXPublicKey(r.Read("public.der"))
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	sign := func(pin, id, mechanism string, more ...string) []byte {
		t.Helper()
		r.Run(t, tool(append([]string{"--login", "--pin", pin, "--sign", "--id", id, "-m", mechanism, "-i", "message", "-o", "signature"}, more...)...)...)
		return r.Read("signature")
	}
	verify(t, public("01"), message, sign(factoryPIN, "01", "ECDSA-SHA256", "-f", "openssl"))
	verify(t, public("05"), message, sign(factoryPIN, "05", "ECDSA-SHA256", "-f", "openssl"))
	verify(t, public("03"), message, sign(factoryPIN, "03", "SHA256-RSA-PKCS"))

	r.File("encrypted", encrypt(t, public("03"), message))
	r.Run(t, tool("--login", "--pin", factoryPIN, "--decrypt", "--id", "03", "-m", "RSA-PKCS", "-i", "encrypted", "-o", "decrypted")...)
	if got := r.Read("decrypted"); !bytes.Equal(got, message) {
		t.Errorf("decrypted %x", got)
	}
	peer, want := agreement(t, public("05"))
	r.File("peer", publicDER(t, peer))
	r.Run(t, tool("--login", "--pin", factoryPIN, "--derive", "--id", "05", "-m", "ECDH1-DERIVE", "-i", "peer", "-o", "derived")...)
	if got := r.Read("derived"); !bytes.Equal(got, want) {
		t.Errorf("derived %x, want %x", got, want)
	}

	// ssh-keygen lists the keys as OpenSSH writes them.
	listed := r.Run(t, "ssh-keygen", "-D", ykcs11Module).Out
	for _, id := range []string{"01", "03", "05"} {
		if want := authorizedKey(t, public(id)); !strings.Contains(listed, want) {
			t.Errorf("key %s is not listed: want\n%s\nin\n%s", id, want, listed)
		}
	}

	wantTries(t, r, pinTries, pukTries)
	pin := freshSecret(t, "PIN", 8)
	r.Run(t, tool("--login", "--pin", factoryPIN, "--change-pin", "--new-pin", pin)...)
	verify(t, public("01"), message, sign(pin, "01", "ECDSA-SHA256", "-f", "openssl"))
	if out := r.Try(t, hwtest.Command{Args: tool("--login", "--pin", fmt.Sprint("1", pin[:6]), "--sign", "--id", "01", "-m", "ECDSA-SHA256", "-i", "message")}); out.Code == 0 {
		t.Error("signed with the wrong PIN")
	}
	wantTries(t, r, pinTries-1, pukTries)
}
