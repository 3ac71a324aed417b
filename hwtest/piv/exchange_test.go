package piv_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/go-piv/piv-go/v2/piv"

	"cardbridge/hwtest"
)

// A client is a program that makes keys and certificates on a card, or uses
// those that are there, or both. It is told the factory secrets.
type client struct {
	name string
	on   []string // personalities
	// make puts a P-256 key into slot 9a and an RSA-2048 key into 9d, each with
	// a certificate of ca's.
	make func(t *testing.T, r *hwtest.Rig, personality string, ca *authority) (ec, rsa *x509.Certificate)
	// use reads both certificates, signs with 9a and decrypts with 9d.
	use func(t *testing.T, r *hwtest.Rig, personality string, ec, rsa *x509.Certificate)
}

var (
	everywhere = slices.Concat(yubikeys, nists)
	clients    = []client{
		{"cardtool", everywhere, makeWithCardtool, useWithCardtool},
		{"OpenSC", without(everywhere, "nist-short"), makeWithPIVTool, useWithOpenSC},
		{"go-piv", yubikeys, makeWithGoPIV, useWithGoPIV},
		{"ykman", without(yubikeys, "yubikey-4"), makeWithYkman, useWithYkman},
		// These two want a 3DES management key, and make it so.
		{"yubico-piv-tool", yubikeys, makeWithYubicoPIVTool, useWithYubicoPIVTool},
		{"ykcs11", yubikeys, makeWithYkcs11, useWithYkcs11},
	}
	message = []byte("what is signed, or encrypted\n")
)

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}

// What one client writes the others read and use: cardtool with each of the
// others, both ways round, on every card that both can talk to.
func TestExchange(t *testing.T) {
	hwtest.Each(t, hwtest.Destroys, everywhere, func(t *testing.T, r *hwtest.Rig, personality string) {
		pinTries, pukTries := r.Tries(t, 0)
		r.File("message", message)
		for _, maker := range clients {
			if slices.Contains(maker.on, personality) {
				t.Run("by "+maker.name, func(t *testing.T) { testExchange(t, r, personality, maker) })
				wantTries(t, r, pinTries, pukTries)
			}
		}
	})
}

// testExchange: cardtool's work is for all, the others' for cardtool.
func testExchange(t *testing.T, r *hwtest.Rig, personality string, maker client) {
	ec, rsa := maker.make(t, r, personality, newAuthority(t))
	for _, user := range clients {
		if slices.Contains(user.on, personality) && (maker.name == "cardtool" || user.name == "cardtool") {
			t.Run("used by "+user.name, func(t *testing.T) { user.use(t, r, personality, ec, rsa) })
		}
	}
}

// wantMessage compares a file that holds what was decrypted.
func wantMessage(t *testing.T, got []byte) {
	t.Helper()
	if !bytes.Equal(got, message) {
		t.Errorf("decrypted %x", got)
	}
}

func wantCertificate(t *testing.T, got, want *x509.Certificate) {
	t.Helper()
	if !got.Equal(want) {
		t.Errorf("got the certificate of %v, want that of %v", got.Subject, want.Subject)
	}
}

func makeWithCardtool(t *testing.T, r *hwtest.Rig, _ string, ca *authority) (ec, rsa *x509.Certificate) {
	c := newCardtool(t, r)
	certify := func(slot, algorithm string) *x509.Certificate {
		c.run(t, flags([]string{"key", "generate", slot, "--algorithm", algorithm, "-o", slot + ".pem", "--force"}, withKey)...)
		cert := ca.certify(t, "cardtool "+slot, parsePublic(t, r.Read(slot+".pem")))
		r.File("cert.pem", certPEM(cert))
		c.run(t, flags([]string{"cert", "import", slot, "cert.pem"}, withKey)...)
		return cert
	}
	return certify("9a", "p-256"), certify("9d", "rsa-2048")
}

func useWithCardtool(t *testing.T, r *hwtest.Rig, _ string, ec, rsa *x509.Certificate) {
	c := newCardtool(t, r)
	var list struct {
		Keys []struct{ Slot, Algorithm, PublicKey string }
	}
	c.ask(t, &list, "keys")
	for slot, want := range map[string]*x509.Certificate{"9a": ec, "9d": rsa} {
		found := false
		for _, k := range list.Keys {
			if k.Slot == slot {
				found = publicEqual(parsePublic(t, []byte(k.PublicKey)), want.PublicKey)
			}
		}
		if !found {
			t.Errorf("key %s is not listed: %v", slot, list.Keys)
		}
		wantCertificate(t, parseCert(t, []byte(c.run(t, "cert", "export", slot))), want)
	}
	c.run(t, flags([]string{"sign", "9a", "message", "-o", "signature", "--force"}, withPIN)...)
	verify(t, ec.PublicKey, message, r.Read("signature"))
	r.File("public.pem", publicPEM(t, ec.PublicKey))
	r.Run(t, "openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message")
	r.File("rsa.pem", publicPEM(t, rsa.PublicKey))
	r.Run(t, "openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", "rsa.pem", "-in", "message", "-out", "encrypted")
	c.run(t, flags([]string{"decrypt", "9d", "encrypted", "-o", "decrypted", "--force"}, withPIN)...)
	wantMessage(t, r.Read("decrypted"))
}

func makeWithPIVTool(t *testing.T, r *hwtest.Rig, personality string, ca *authority) (ec, rsa *x509.Certificate) {
	ec = ca.certify(t, "piv-tool 9a", pivToolGenerate(t, r, personality, 0x9A, 0x11))
	rsa = ca.certify(t, "piv-tool 9d", pivToolGenerate(t, r, personality, 0x9D, 0x07))
	pivToolCertificate(t, r, personality, "9A", certPEM(ec))
	pivToolCertificate(t, r, personality, "9D", certPEM(rsa))
	return ec, rsa
}

func useWithOpenSC(t *testing.T, r *hwtest.Rig, _ string, ec, rsa *x509.Certificate) {
	for id, want := range map[string]*x509.Certificate{"01": ec, "03": rsa} {
		out := r.Run(t, "pkcs15-tool", "--reader", r.Reader(0), "--read-certificate", id)
		wantCertificate(t, parseCert(t, []byte(out.Out)), want)
	}
	useWithPKCS11(t, r, openscModule, ec, rsa)
}

func useWithPKCS11(t *testing.T, r *hwtest.Rig, module string, ec, rsa *x509.Certificate) {
	tool := pkcs11Tool(module)
	r.Run(t, tool("--login", "--pin", factoryPIN, "--sign", "--id", "01", "-m", "ECDSA-SHA256", "-f", "openssl", "-i", "message", "-o", "signature")...)
	verify(t, ec.PublicKey, message, r.Read("signature"))
	r.File("encrypted", encrypt(t, rsa.PublicKey, message))
	r.Run(t, tool("--login", "--pin", factoryPIN, "--decrypt", "--id", "03", "-m", "RSA-PKCS", "-i", "encrypted", "-o", "decrypted")...)
	wantMessage(t, r.Read("decrypted"))
}

func makeWithYubicoPIVTool(t *testing.T, r *hwtest.Rig, personality string, ca *authority) (ec, rsa *x509.Certificate) {
	oldManagementKey(t, r, personality)
	tool := yubicoPIVTool(r)
	certify := func(slot, algorithm string) *x509.Certificate {
		r.Run(t, tool("-a", "generate", "-s", slot, "-A", algorithm, "-o", "public.pem")...)
		cert := ca.certify(t, "yubico-piv-tool "+slot, parsePublic(t, r.Read("public.pem")))
		r.File("cert.pem", certPEM(cert))
		r.Run(t, tool("-a", "import-certificate", "-s", slot, "-i", "cert.pem")...)
		return cert
	}
	return certify("9a", "ECCP256"), certify("9d", "RSA2048")
}

func useWithYubicoPIVTool(t *testing.T, r *hwtest.Rig, _ string, ec, rsa *x509.Certificate) {
	tool := yubicoPIVTool(r)
	for slot, want := range map[string]*x509.Certificate{"9a": ec, "9d": rsa} {
		wantCertificate(t, parseCert(t, []byte(r.Run(t, tool("-a", "read-certificate", "-s", slot)...).Out)), want)
	}
	r.Run(t, tool("-a", "verify-pin", "-P", factoryPIN, "--sign", "-s", "9a", "-A", "ECCP256", "-H", "SHA256", "-i", "message", "-o", "signature")...)
	verify(t, ec.PublicKey, message, r.Read("signature"))
	r.File("cert.pem", certPEM(rsa))
	r.Run(t, tool("-a", "verify-pin", "-P", factoryPIN, "-a", "test-decipher", "-s", "9d", "-i", "cert.pem")...)
}

func makeWithGoPIV(t *testing.T, r *hwtest.Rig, _ string, ca *authority) (ec, rsa *x509.Certificate) {
	yk, err := piv.Open(r.Reader(0))
	if err != nil {
		t.Fatal(err)
	}
	defer yk.Close() //nolint:errcheck // it holds the card exclusively
	certify := func(slot piv.Slot, algorithm piv.Algorithm) *x509.Certificate {
		key := mustHex(t, factoryKey)
		public, err := yk.GenerateKey(key, slot, piv.Key{Algorithm: algorithm, PINPolicy: piv.PINPolicyOnce, TouchPolicy: piv.TouchPolicyNever})
		if err != nil {
			t.Fatal(err)
		}
		cert := ca.certify(t, "go-piv "+slot.String(), public)
		if err := yk.SetCertificate(key, slot, cert); err != nil {
			t.Fatal(err)
		}
		return cert
	}
	return certify(piv.SlotAuthentication, piv.AlgorithmEC256), certify(piv.SlotKeyManagement, piv.AlgorithmRSA2048)
}

func useWithGoPIV(t *testing.T, r *hwtest.Rig, _ string, ec, rsa *x509.Certificate) {
	yk, err := piv.Open(r.Reader(0))
	if err != nil {
		t.Fatal(err)
	}
	defer yk.Close() //nolint:errcheck // it holds the card exclusively
	auth := piv.KeyAuth{PIN: factoryPIN, PINPolicy: piv.PINPolicyOnce}
	for slot, want := range map[piv.Slot]*x509.Certificate{piv.SlotAuthentication: ec, piv.SlotKeyManagement: rsa} {
		got, err := yk.Certificate(slot)
		if err != nil {
			t.Fatal(err)
		}
		wantCertificate(t, got, want)
	}
	signer, err := yk.PrivateKey(piv.SlotAuthentication, ec.PublicKey, auth)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(message)
	signature, err := signer.(crypto.Signer).Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, ec.PublicKey, message, signature)
	decrypter, err := yk.PrivateKey(piv.SlotKeyManagement, rsa.PublicKey, auth)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decrypter.(crypto.Decrypter).Decrypt(rand.Reader, encrypt(t, rsa.PublicKey, message), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantMessage(t, got)
}

func makeWithYkman(t *testing.T, r *hwtest.Rig, _ string, ca *authority) (ec, rsa *x509.Certificate) {
	y := startYkman(t, r)
	certify := func(slot, algorithm string) *x509.Certificate {
		y.run("keys", "generate", "-m", factoryKey, "-a", algorithm, slot, "public.pem")
		cert := ca.certify(t, "ykman "+slot, parsePublic(t, r.Read("public.pem")))
		r.File("cert.pem", certPEM(cert))
		y.run("certificates", "import", "-m", factoryKey, slot, "cert.pem")
		return cert
	}
	return certify("9a", "ECCP256"), certify("9d", "RSA2048")
}

func useWithYkman(t *testing.T, r *hwtest.Rig, _ string, ec, rsa *x509.Certificate) {
	y := startYkman(t, r)
	for slot, want := range map[string]*x509.Certificate{"9a": ec, "9d": rsa} {
		y.run("certificates", "export", slot, "cert.pem")
		wantCertificate(t, parseCert(t, r.Read("cert.pem")), want)
		y.run("keys", "export", "--verify", "-P", factoryPIN, slot, "public.pem")
		if !publicEqual(parsePublic(t, r.Read("public.pem")), want.PublicKey) {
			t.Errorf("slot %s: another key", slot)
		}
	}
	if out := y.run("info"); !strings.Contains(out, ec.Subject.String()) {
		t.Errorf("info:\n%s", out)
	}
}

func makeWithYkcs11(t *testing.T, r *hwtest.Rig, personality string, ca *authority) (ec, rsa *x509.Certificate) {
	oldManagementKey(t, r, personality)
	tool := pkcs11Tool(ykcs11Module)
	certify := func(id, kind string) *x509.Certificate {
		so := []string{"--login", "--login-type", "so", "--so-pin", factoryKey, "--id", id}
		r.Run(t, tool(append(so, "--keypairgen", "--key-type", kind)...)...)
		r.Run(t, tool("--read-object", "--type", "pubkey", "--id", id, "-o", "public.der")...)
		public, err := x509.ParsePKIXPublicKey(r.Read("public.der"))
		if err != nil {
			t.Fatal(err)
		}
		cert := ca.certify(t, "ykcs11 "+id, public)
		r.File("cert.der", cert.Raw)
		r.Run(t, tool(append(so, "--write-object", "cert.der", "--type", "cert")...)...)
		return cert
	}
	return certify("01", "EC:secp256r1"), certify("03", "rsa:2048")
}

func useWithYkcs11(t *testing.T, r *hwtest.Rig, _ string, ec, rsa *x509.Certificate) {
	tool := pkcs11Tool(ykcs11Module)
	for id, want := range map[string]*x509.Certificate{"01": ec, "03": rsa} {
		r.Run(t, tool("--read-object", "--type", "cert", "--id", id, "-o", "cert.der")...)
		got, err := x509.ParseCertificate(r.Read("cert.der"))
		if err != nil {
			t.Fatal(err)
		}
		wantCertificate(t, got, want)
	}
	useWithPKCS11(t, r, ykcs11Module, ec, rsa)
	listed := r.Run(t, "ssh-keygen", "-D", ykcs11Module).Out
	for _, cert := range []*x509.Certificate{ec, rsa} {
		if want := authorizedKey(t, cert.PublicKey); !strings.Contains(listed, want) {
			t.Errorf("ssh-keygen does not list the key of %v", cert.Subject)
		}
	}
}
