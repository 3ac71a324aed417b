package bench

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/hwtest"
	"cardbridge/internal/secret"
	"cardbridge/reader"
)

const (
	factoryPIN = "123456"
	factoryKey = "010203040506070801020304050607080102030405060708"
)

// algorithms are those of the keys that are timed, by the names that each
// program has for them; "" where it has none.
var algorithms = []struct {
	name     string
	cardtool string
	yubico   string // yubico-piv-tool -A
	ykman    string // ykman piv keys generate -a
	pivTool  string // piv-tool -G SLOT:
}{
	{"RSA-2048", "rsa-2048", "RSA2048", "RSA2048", "07"},
	{"P-256", "p-256", "ECCP256", "ECCP256", "11"},
	{"Ed25519", "ed25519", "", "", ""},
}

// forms are cards by the longest APDU that they know.
var forms = []struct {
	name, personality  string
	algorithms         int // the first so many of algorithms
	extended, metadata bool
}{
	{"extended", "yubikey-5.7", 3, true, true},
	{"short", "yubikey-5.7-short", 3, false, true},
	{"short", "yubikey-4", 2, false, false},
}

var peers = []string{"yubico-piv-tool", "ykman", "piv-tool"}

// TestPIV is `make bench` for the commands on PIV cards.
func TestPIV(t *testing.T) {
	hwtest.Program(t, "yubico-piv-tool", "yubico-piv-tool")
	hwtest.Program(t, "ykman", "yubikey-manager")
	hwtest.Program(t, "piv-tool", "opensc")
	for _, form := range forms {
		for _, algorithm := range algorithms[:form.algorithms] {
			t.Run(form.personality+"/"+algorithm.name, func(t *testing.T) {
				b := newBench(t, form.personality, form.extended, form.metadata)
				rows := b.rows(algorithm.cardtool, algorithm.yubico, algorithm.ykman, algorithm.pivTool)
				show(t, fmt.Sprintf("%s key on a card with %s APDUs (%s)", algorithm.name, form.name, form.personality), peers, rows)
				judge(t, rows)
			})
		}
	}
}

// A bench is one card and the programs in front of it.
type bench struct {
	t        *testing.T
	rig      *hwtest.Rig
	cardtool string
	metadata bool
	rsa      bool
	extended bool
}

func newBench(t *testing.T, personality string, extended, metadata bool) *bench {
	r := hwtest.Start(t, hwtest.Config{Personalities: []string{personality}})
	b := &bench{t: t, rig: r, cardtool: hwtest.Cardtool(t), metadata: metadata, extended: extended}
	r.File("pin", []byte(factoryPIN+"\n"))
	r.File("key", []byte(factoryKey+"\n"))
	r.File("colons", []byte(strings.TrimSuffix(colons(factoryKey), ":")+"\n"))
	r.File("message", []byte("what is signed\n"))
	if strings.HasPrefix(personality, "yubikey-5.7") {
		// piv-tool and yubico-piv-tool 2.2 know management keys of 3DES only.
		r.File("newkey", []byte(factoryKey+"\n"))
		b.run(b.ours("admin-key", "change", "--algorithm", "3des", "--admin-key-file", "key", "--new-admin-key-file", "newkey"))
	}
	return b
}

func colons(hex string) string {
	var sb strings.Builder
	for i := 0; i+2 <= len(hex); i += 2 {
		sb.WriteString(hex[i:i+2] + ":")
	}
	return sb.String()
}

func (b *bench) ours(args ...string) []string {
	return append([]string{b.cardtool, "--quiet"}, args...)
}

func (b *bench) yubico(args ...string) []string {
	return append([]string{"yubico-piv-tool", "-r", b.rig.Reader(0)}, args...)
}

// ykman has a command of ykman's, but none for a card with short APDUs: it
// sends extended ones to every YubiKey from 4 on.
func (b *bench) ykman(args ...string) []string {
	if !b.extended {
		return nil
	}
	return append([]string{"/usr/bin/ykman", "--reader", b.rig.Reader(0), "piv"}, args...)
}

func (b *bench) pivTool(args ...string) []string {
	return append([]string{"piv-tool", "--reader", b.rig.Reader(0)}, args...)
}

func (b *bench) run(args []string) {
	b.t.Helper()
	b.rig.Do(b.t, b.command(args))
}

func (b *bench) command(args []string) hwtest.Command {
	return hwtest.Command{Args: args, Env: []string{"PIV_EXT_AUTH_KEY=" + b.rig.Path("colons")}}
}

// count runs the command of a program, if it has one, and counts at the card.
func (b *bench) count(args []string) int {
	b.t.Helper()
	if args == nil {
		return notThere
	}
	before := b.rig.Card(0).Count()
	if args[0] == "piv-tool" {
		// OpenSC 0.23 built with OpenSSL 3 cannot write down the public key
		// that the card gave it, and fails; its APDUs are done by then.
		b.rig.Try(b.t, b.command(args))
	} else {
		b.run(args)
	}
	return b.rig.Card(0).Count() - before
}

// either is a program's command where it knows the algorithm.
func either(knows string, args []string) []string {
	if knows == "" {
		return nil
	}
	return args
}

func pick(cond bool, yes, no int) int {
	if cond {
		return yes
	}
	return no
}

// rows measures every task. Each program works on what it finds in 9A; ours
// comes last, so that what it leaves is there for the next task.
func (b *bench) rows(name, yubico, ykman, pivTool string) []row {
	b.rsa = strings.HasPrefix(name, "rsa")
	const admin, pin = "key", "pin"
	task := func(task string, floor int, ours []string, others map[string][]string) row {
		b.t.Helper()
		r := row{task: task, floor: floor, peers: map[string]int{}}
		for peer, args := range others {
			r.peers[peer] = b.count(args)
		}
		r.ours = b.count(ours)
		return r
	}
	var rows []row

	// Parts that short answers come in: with RSA-2048 a public key and its
	// metadata take two, its certificate three, the others' certificates two.
	long := pick(b.rsa && !b.extended, 1, 0)
	certificate := pick(b.extended, 1, 2) + long

	// SELECT, the management key's kind where it may be another than 3DES,
	// challenge and response, GENERATE. A YubiKey 4 is asked for its version
	// before it makes an RSA key, as those of some can be factored.
	rows = append(rows, task("key generate", 4+pick(b.metadata || b.rsa, 1, 0)+long,
		b.ours("key", "generate", "9a", "-a", name, "--admin-key-file", admin, "--yes", "--force", "-o", "public.pem"),
		map[string][]string{
			"yubico-piv-tool": either(yubico, b.yubico("-a", "generate", "-s", "9a", "-A", yubico, "-o", "other.pem")),
			"ykman":           either(ykman, b.ykman("keys", "generate", "-a", ykman, "-m", factoryKey, "9a", b.rig.Path("other.pem"))),
			"piv-tool":        either(pivTool, b.pivTool("-A", "M:9B:03", "-G", "9A:"+pivTool)),
		}))
	b.run(b.ours("cert", "self-sign", "9a", "--subject", "CN=bench", "--admin-key-file", admin, "--pin-file", pin, "--public-key", "public.pem", "--yes", "--force", "-o", "cert.pem"))

	// SELECT, version, serial number, the state of PIN, PUK and management key
	// (without metadata: of the PIN), and whether the PIN opens the latter.
	rows = append(rows, task("info", pick(b.metadata, 7, 5), b.ours("info"), map[string][]string{
		"yubico-piv-tool": b.yubico("-a", "status"),
		"ykman":           either(map[bool]string{true: "info"}[b.extended], b.ykman("info")),
	}))
	// SELECT and each of 24 slots; without metadata the certificates tell, of
	// which there is one, and attestations whether 23 slots have a key without.
	rows = append(rows, task("keys", 24+pick(b.metadata, 1+long, 23+certificate), b.ours("keys"), nil))

	rows = append(rows, b.importRow(name, yubico, ykman, admin))
	b.run(b.ours("key", "generate", "9a", "-a", name, "--admin-key-file", admin, "--yes", "--force", "-o", "public.pem"))
	b.run(b.ours("cert", "self-sign", "9a", "--subject", "CN=bench", "--admin-key-file", admin, "--pin-file", pin, "--public-key", "public.pem", "--yes", "--force", "-o", "cert.pem"))

	// SELECT, the PIN's state, the key's type, VERIFY and the operation, which
	// with RSA-2048 is a chain of two and the rest of the answer in short APDUs.
	operation := pick(b.rsa && !b.extended, 3, 1)
	keyType := pick(b.metadata, 1+long, certificate)
	rows = append(rows, task("sign", 3+keyType+operation, b.ours("sign", "9a", "message", "--pin-file", pin, "--force", "-o", "signature"), map[string][]string{
		"yubico-piv-tool": either(yubico, b.yubico("-a", "verify-pin", "-P", factoryPIN, "--sign", "-s", "9a", "-A", yubico, "-H", "SHA256", "-i", "message", "-o", "other.sig")),
	}))
	rows = append(rows, row{task: "each further signature", floor: operation, ours: b.warmSignature()})
	if b.rsa {
		b.encrypt()
		rows = append(rows, task("decrypt", 3+keyType+operation, b.ours("decrypt", "9a", "secret", "--pin-file", pin, "--force", "-o", "plain"), map[string][]string{
			"yubico-piv-tool": b.yubico("-a", "verify-pin", "-P", factoryPIN, "-a", "test-decipher", "-s", "9a", "-i", "cert.pem"),
		}))
		rows = append(rows, row{task: "each further decryption", floor: operation, ours: b.warmDecryption()})
	}
	// SELECT, ATTEST and the attestation certificate that vouches for it.
	rows = append(rows, task("key attest", pick(b.extended, 3, 5+long), b.ours("key", "attest", "9a", "--no-verify", "--force", "-o", "attestation.pem"), map[string][]string{
		"yubico-piv-tool": either(yubico, b.yubico("-a", "attest", "-s", "9a", "-o", "other.pem")),
		"ykman":           either(ykman, b.ykman("keys", "attest", "9a", b.rig.Path("other.pem"))),
	}))
	return rows
}

// importRow: as generate; an RSA key is more than a short APDU holds.
func (b *bench) importRow(name, yubico, ykman, admin string) row {
	b.t.Helper()
	b.rig.File("private.pem", newKey(b.t, name))
	r := row{task: "key import", floor: pick(b.metadata, 5, 4) + pick(b.rsa && !b.extended, 2, 0), peers: map[string]int{
		"yubico-piv-tool": b.count(either(yubico, b.yubico("-a", "import-key", "-s", "9a", "-A", yubico, "-i", "private.pem"))),
		"ykman":           b.count(either(ykman, b.ykman("keys", "import", "-m", factoryKey, "9a", b.rig.Path("private.pem")))),
	}}
	r.ours = b.count(b.ours("key", "import", "9a", "private.pem", "--admin-key-file", admin, "--yes", "--force", "-o", "imported.pem"))
	return r
}

func newKey(t *testing.T, name string) []byte {
	t.Helper()
	var key crypto.PrivateKey
	var err error
	switch name {
	case "rsa-2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = newP256()
	}
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// open connects to the card as cardtool does, logs in, and gives the key in 9A.
func (b *bench) open() (card.PrivateKey, func()) {
	b.t.Helper()
	ctx := context.Background()
	conn := reader.New().Connect(b.rig.Reader(0))
	c := piv.Open(conn)
	s := secret.New([]byte(factoryPIN))
	defer s.Wipe()
	if err := c.Login(ctx, s, piv.LoginOptions{}); err != nil {
		b.t.Fatal(err)
	}
	info, err := c.Key(ctx, "9a")
	if err != nil {
		b.t.Fatal(err)
	}
	return c.PrivateKey(ctx, info, piv.UseOptions{}), func() {
		c.Close()    //nolint:errcheck // done with it
		conn.Close() //nolint:errcheck // done with it
	}
}

const warm = 10

// each gives what one of several operations cost.
func (b *bench) each(operation func() error) int {
	b.t.Helper()
	before := b.rig.Card(0).Count()
	for range warm {
		if err := operation(); err != nil {
			b.t.Fatal(err)
		}
	}
	n := b.rig.Card(0).Count() - before
	if n%warm != 0 {
		b.t.Errorf("%d operations took %d APDUs", warm, n)
	}
	return n / warm
}

func (b *bench) warmSignature() int {
	b.t.Helper()
	key, done := b.open()
	defer done()
	digest := sha256.Sum256([]byte("what is signed\n"))
	message, opts := digest[:], crypto.SignerOpts(crypto.SHA256)
	if key.Info().Algorithm == card.Ed25519 {
		message, opts = []byte("what is signed\n"), crypto.Hash(0)
	}
	if _, err := key.Sign(rand.Reader, message, opts); err != nil {
		b.t.Fatal(err)
	}
	return b.each(func() error {
		_, err := key.Sign(rand.Reader, message, opts)
		return err
	})
}

func (b *bench) encrypt() {
	b.t.Helper()
	b.run([]string{"openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "message", "-out", "secret"})
}

func (b *bench) warmDecryption() int {
	b.t.Helper()
	key, done := b.open()
	defer done()
	ciphertext := b.rig.Read("secret")
	if _, err := key.Decrypt(rand.Reader, ciphertext, nil); err != nil {
		b.t.Fatal(err)
	}
	return b.each(func() error {
		_, err := key.Decrypt(rand.Reader, ciphertext, nil)
		return err
	})
}
