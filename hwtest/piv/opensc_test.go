package piv_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"cardbridge/hwtest"
)

const openscModule = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"

// OpenSC on every card: piv-tool makes keys and loads certificates, pkcs15-tool
// and pkcs11-tool find and use them. All but one: OpenSC 0.23 asks for the first
// 8 bytes of an object to learn its length, and takes 6Cxx for "file not found".
func TestOpenSC(t *testing.T) {
	hwtest.Program(t, "piv-tool", "opensc")
	hwtest.Each(t, hwtest.Destroys, without(everywhere, "nist-short"), testOpenSC)
}

func testOpenSC(t *testing.T, r *hwtest.Rig, personality string) {
	pinBefore, pukBefore := r.Tries(t, 0)
	ca := newAuthority(t)
	r.File("message", message)

	if out := r.Run(t, "piv-tool", "-r", r.Reader(0), "-n"); !strings.Contains(out.Out, "Personal Identity Verification Card") {
		t.Errorf("name: %s", out.Out)
	}
	ec := pivToolGenerate(t, r, personality, 0x9A, 0x11)
	rsaKey := pivToolGenerate(t, r, personality, 0x9D, 0x07)
	for slot, public := range map[string]crypto.PublicKey{"9A": ec, "9D": rsaKey} {
		pivToolCertificate(t, r, personality, slot, certPEM(ca.certify(t, "key "+slot, public)))
	}

	for id, public := range map[string]crypto.PublicKey{"01": ec, "03": rsaKey} {
		out := r.Run(t, "pkcs15-tool", "--reader", r.Reader(0), "--read-certificate", id)
		if got := parseCert(t, []byte(out.Out)).PublicKey; !publicEqual(public, got) {
			t.Errorf("certificate %s is of another key", id)
		}
	}

	pkcs11 := pkcs11Tool(openscModule)
	sign := func(id, mechanism string, more ...string) []byte {
		r.Run(t, pkcs11(append([]string{"--login", "--pin", factoryPIN, "--sign", "--id", id, "-m", mechanism, "-i", "message", "-o", "signature"}, more...)...)...)
		return r.Read("signature")
	}
	verify(t, ec, message, sign("01", "ECDSA-SHA256", "-f", "openssl"))
	verify(t, rsaKey, message, sign("03", "SHA256-RSA-PKCS"))

	r.File("encrypted", encrypt(t, rsaKey, message))
	r.Run(t, pkcs11("--login", "--pin", factoryPIN, "--decrypt", "--id", "03", "-m", "RSA-PKCS", "-i", "encrypted", "-o", "decrypted")...)
	if got := r.Read("decrypted"); !bytes.Equal(got, message) {
		t.Errorf("decrypted %x", got)
	}

	kex := pivToolGenerate(t, r, personality, 0x9D, 0x11)
	pivToolCertificate(t, r, personality, "9D", certPEM(ca.certify(t, "key 9D again", kex)))
	peer, want := agreement(t, kex)
	r.File("peer", publicDER(t, peer))
	r.Run(t, pkcs11("--login", "--pin", factoryPIN, "--derive", "--id", "03", "-m", "ECDH1-DERIVE", "-i", "peer", "-o", "derived")...)
	if got := r.Read("derived"); !bytes.Equal(got, want) {
		t.Errorf("derived %x, want %x", got, want)
	}

	wantTries(t, r, pinBefore, pukBefore)
	if personality == "global-pin" {
		// OpenSC changes the PIN that the discovery object prefers, the card's
		// own, which is not the application's to count here.
		return
	}
	pin := freshSecret(t, "PIN", 8)
	r.Run(t, pkcs11("--login", "--pin", factoryPIN, "--change-pin", "--new-pin", pin)...)
	r.Run(t, pkcs11("--login", "--pin", pin, "--sign", "--id", "01", "-m", "ECDSA-SHA256", "-i", "message", "-o", "signature", "-f", "openssl")...)
	verify(t, ec, message, r.Read("signature"))
	wantTries(t, r, pinBefore, pukBefore)
	if out := r.Try(t, hwtest.Command{Args: pkcs11("--login", "--pin", "00000000", "--sign", "--id", "01", "-m", "ECDSA-SHA256", "-i", "message")}); out.Code == 0 {
		t.Error("signed with the wrong PIN")
	}
	wantTries(t, r, pinBefore-1, pukBefore)
}

// pkcs11Tool gives the arguments of a pkcs11-tool with a module.
func pkcs11Tool(module string) func(args ...string) []string {
	return func(args ...string) []string { return append([]string{"pkcs11-tool", "--module", module}, args...) }
}

// pivToolAdmin runs piv-tool with the management key; it must succeed.
func pivToolAdmin(t *testing.T, r *hwtest.Rig, personality string, args ...string) hwtest.Result {
	t.Helper()
	result := pivToolTry(t, r, personality, args...)
	if result.Code != 0 {
		t.Fatalf("piv-tool %v ended with %d\n%s%s", args, result.Code, result.Out, result.Err)
	}
	return result
}

// pivToolTry uses mutual authentication: single authentication does not get to
// its end in OpenSC 0.23.
func pivToolTry(t *testing.T, r *hwtest.Rig, personality string, args ...string) hwtest.Result {
	t.Helper()
	algorithm := "03"
	if personality == "yubikey-5.7" {
		algorithm = "0A"
	}
	r.File("management.key", []byte(colons(factoryKey)+"\n"))
	return r.Try(t, hwtest.Command{
		Args: append([]string{"piv-tool", "-r", r.Reader(0), "-A", "M:9B:" + algorithm}, args...),
		Env:  []string{"PIV_EXT_AUTH_KEY=" + r.Path("management.key")},
	})
}

func colons(text string) string {
	var out []string
	for ; len(text) > 2; text = text[2:] {
		out = append(out, text[:2])
	}
	return strings.Join(append(out, text), ":")
}

// pivToolGenerate makes a key with a command that piv-tool only passes on: its
// own -G cannot print the public key with OpenSSL 3.
func pivToolGenerate(t *testing.T, r *hwtest.Rig, personality string, slot, algorithm byte) crypto.PublicKey {
	t.Helper()
	command := fmt.Sprintf("004700%02X05AC038001%02X00", slot, algorithm)
	out := pivToolAdmin(t, r, personality, "-s", colons(command))
	answer := hexDump(out.Out)
	switch {
	case bytes.HasPrefix(answer, []byte{0x7F, 0x49, 0x43, 0x86, 0x41, 0x04}) && len(answer) == 70:
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), answer[5:])
		if err != nil {
			t.Fatal(err)
		}
		return public
	case bytes.HasPrefix(answer, []byte{0x7F, 0x49, 0x82, 0x01, 0x09, 0x81, 0x82, 0x01, 0x00}) && len(answer) == 5+4+256+5:
		return &rsa.PublicKey{N: new(big.Int).SetBytes(answer[9 : 9+256]), E: 65537}
	default:
		t.Fatalf("generate %02X: %x\n%s", slot, answer, out.Out)
		return nil
	}
}

// hexDump reads the bytes that OpenSC's tools print, sixteen a line of three
// columns each, with their characters behind them.
func hexDump(text string) []byte {
	_, text, _ = strings.Cut(text, "Received")
	_, text, _ = strings.Cut(text, "\n")
	var all []byte
	for line := range strings.Lines(text) {
		b, err := hex.DecodeString(strings.ReplaceAll(line[:min(48, len(line))], " ", ""))
		if err != nil {
			break
		}
		all = append(all, b...)
	}
	return all
}

func pivToolCertificate(t *testing.T, r *hwtest.Rig, personality, slot string, pem []byte) {
	t.Helper()
	r.File("certificate.pem", pem)
	// Its exit code is the number of bytes written; whoever reads the
	// certificate will tell.
	pivToolTry(t, r, personality, "-C", slot, "-i", r.Path("certificate.pem"))
}
