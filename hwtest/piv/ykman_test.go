package piv_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"cardbridge/hwtest"
)

// The whole piv group of ykman, on the YubiKeys that it can talk to: from
// firmware 4 on it uses extended APDUs whatever the card says, and the card
// called yubikey-4 here knows none.
func TestYkman(t *testing.T) {
	hwtest.Program(t, "ykman", "yubikey-manager")
	hwtest.Each(t, hwtest.Destroys, without(yubikeys, "yubikey-4"), testYkman)
}

// A ykmanProcess is a Python that runs ykman's piv group as often as asked.
type ykmanProcess struct {
	t     *testing.T
	r     *hwtest.Rig
	write *json.Encoder
	read  *json.Decoder
}

func startYkman(t *testing.T, r *hwtest.Rig) *ykmanProcess {
	t.Helper()
	driver, err := filepath.Abs("testdata/run_ykman.py")
	if err != nil {
		t.Fatal(err)
	}
	// The Python of the ykman package, whatever else is in PATH.
	stdin, stdout := r.Talk(t, hwtest.Command{Args: []string{"/usr/bin/python3", "-W", "ignore", driver}})
	return &ykmanProcess{t, r, json.NewEncoder(stdin), json.NewDecoder(stdout)}
}

func (y *ykmanProcess) try(args ...string) (code int, out string) {
	y.t.Helper()
	args = append([]string{"--reader", y.r.Reader(0), "piv"}, args...)
	for i, a := range args {
		// It stays in its directory; the files are the rig's.
		if strings.HasSuffix(a, ".pem") || strings.HasSuffix(a, ".bin") {
			args[i] = y.r.Path(a)
		}
	}
	if err := y.write.Encode(args); err != nil {
		y.t.Fatal(err)
	}
	var stderr string
	if err := y.read.Decode(&[]any{&code, &out, &stderr}); err != nil {
		y.t.Fatalf("ykman %v: %v", args, err)
	}
	return code, out + stderr
}

func (y *ykmanProcess) run(args ...string) string {
	y.t.Helper()
	code, out := y.try(args...)
	if code != 0 {
		y.t.Fatalf("ykman piv %v ended with %d\n%s", args, code, out)
	}
	return out
}

func (y *ykmanProcess) refused(args ...string) {
	y.t.Helper()
	if code, out := y.try(args...); code == 0 {
		y.t.Errorf("ykman piv %v succeeded:\n%s", args, out)
	}
}

func testYkman(t *testing.T, r *hwtest.Rig, personality string) {
	y := startYkman(t, r)
	pinTries, pukTries := r.Tries(t, 0)
	ca := newAuthority(t)
	m := []string{"-m", factoryKey}
	run, refused := y.run, y.refused
	with := func(m []string, args ...string) []string { return append(args[:len(args):len(args)], m...) }

	if out := run("info"); !strings.Contains(out, fmt.Sprintf("PIN tries remaining: %d/%d", pinTries, pinTries)) {
		t.Errorf("info:\n%s", out)
	}

	// Keys and certificates.
	run(with(m, "keys", "generate", "-a", "ECCP384", "9a", "9a.pem")...)
	run(with(m, "keys", "generate", "-a", "RSA2048", "9c", "9c.pem")...)
	run(with(m, "keys", "generate", "-a", "ECCP256", "--pin-policy", "ALWAYS", "85", "85.pem")...)
	for _, slot := range []string{"9a", "9c", "85"} {
		public := parsePublic(t, r.Read(slot+".pem"))
		run(with(m, "certificates", "generate", "-P", factoryPIN, "-s", "CN=ykman,O=hwtest", slot, slot+".pem")...)
		run("certificates", "export", slot, "cert.pem")
		self := parseCert(t, r.Read("cert.pem"))
		if err := self.CheckSignature(self.SignatureAlgorithm, self.RawTBSCertificate, self.Signature); err != nil || !publicEqual(self.PublicKey, public) {
			t.Errorf("slot %s: self-signed certificate: %v", slot, err)
		}
		run("keys", "export", "--verify", "-P", factoryPIN, slot, "again.pem")
		if !publicEqual(parsePublic(t, r.Read("again.pem")), public) {
			t.Errorf("slot %s: exported another key", slot)
		}
	}
	run("certificates", "request", "-P", factoryPIN, "-s", "CN=request", "9a", "9a.pem", "request.pem")
	block, _ := pem.Decode(r.Read("request.pem"))
	if request, err := x509.ParseCertificateRequest(block.Bytes); err != nil || request.CheckSignature() != nil {
		t.Errorf("request: %v", err)
	}
	public := parsePublic(t, r.Read("9a.pem"))
	issued := ca.certify(t, "issued", public)
	r.File("issued.pem", certPEM(issued))
	run(with(m, "certificates", "import", "--verify", "-P", factoryPIN, "9a", "issued.pem")...)
	run("certificates", "export", "9a", "cert.pem")
	if !parseCert(t, r.Read("cert.pem")).Equal(issued) {
		t.Error("another certificate came back")
	}
	run("keys", "attest", "9a", "attestation.pem")
	if !publicEqual(parseCert(t, r.Read("attestation.pem")).PublicKey, public) {
		t.Error("attestation of another key")
	}
	if out := run("info"); !strings.Contains(out, "CN=issued") {
		t.Errorf("info:\n%s", out)
	}
	run(with(m, "certificates", "delete", "85")...)
	refused("certificates", "export", "85", "cert.pem")

	// Import.
	imported, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(imported)
	if err != nil {
		t.Fatal(err)
	}
	r.File("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	run(with(m, "keys", "import", "--pin-policy", "NEVER", "9e", "key.pem")...)
	run("keys", "export", "9e", "again.pem")
	if !publicEqual(parsePublic(t, r.Read("again.pem")), imported.Public()) {
		t.Error("imported key came back as another")
	}
	refused("keys", "attest", "9e", "-")

	// Objects.
	run(with(m, "objects", "generate", "CHUID")...)
	run(with(m, "objects", "generate", "CCC")...)
	run("objects", "export", "CHUID", "chuid.bin")
	if got := r.Read("chuid.bin"); len(got) != 59 {
		t.Errorf("CHUID of %d bytes", len(got))
	}
	r.File("object.bin", []byte("some object"))
	run(with(m, "objects", "import", "0x5fff12", "object.bin")...)
	run("objects", "export", "0x5fff12", "again.bin")
	if got := r.Read("again.bin"); !bytes.Equal(got, []byte("some object")) {
		t.Errorf("object %q", got)
	}

	// Secrets.
	wantTries(t, r, pinTries, pukTries)
	pin, puk, pin2 := freshSecret(t, "PIN", 8), freshSecret(t, "PUK", 8), freshSecret(t, "second PIN", 6)
	run("access", "change-pin", "-P", factoryPIN, "-n", pin)
	run("access", "change-puk", "-p", factoryPUK, "-n", puk)
	refused("access", "change-pin", "-P", "000000", "-n", "111111")
	wantTries(t, r, pinTries-1, pukTries)
	run("access", "unblock-pin", "-p", puk, "-n", pin2)
	wantTries(t, r, pinTries, pukTries)
	key := freshKey(t, 32)
	run("access", "change-management-key", "-a", "AES256", "-m", factoryKey, "-n", key, "-f")
	refused(with(m, "keys", "generate", "-a", "ECCP256", "82", "-")...)
	run("keys", "generate", "-m", key, "-a", "ECCP256", "82", "82.pem")
	run("access", "change-management-key", "-a", "AES128", "-m", key, "--protect", "-P", pin2, "-f")
	run("keys", "generate", "-P", pin2, "-a", "ECCP256", "83", "83.pem")
	if out := run("info"); !strings.Contains(out, "protected by PIN") {
		t.Errorf("info:\n%s", out)
	}
	run("access", "set-retries", "-P", pin2, "-f", "4", "5")
	wantTries(t, r, 4, 5)
	run("reset", "-f")
	wantTries(t, r, pinTries, pukTries)
	if out := run("info"); strings.Contains(out, "Slot ") || strings.Contains(out, "protected") {
		t.Errorf("something survived the reset:\n%s", out)
	}
}
