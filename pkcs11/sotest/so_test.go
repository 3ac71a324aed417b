//go:build linux && cgo

// Package sotest holds what the C side of cardbridge-pkcs11.so does that is ours
// alone - forks at odd moments, every function with nothing, the interfaces -
// on software cards. What every module must do is in pkcs11/conform.
package sotest

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cardbridge/card/softcard"
	"cardbridge/hwtest"

	"github.com/miekg/pkcs11"
)

const (
	pin   = "123456"
	soPIN = "010203040506070801020304050607080102030405060708"
)

func TestMain(m *testing.M) {
	code := m.Run()
	hwtest.Cleanup()
	os.Exit(code)
}

// build builds a C program of testdata.
func build(t testing.TB, name string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	cc := exec.Command("cc", "-Wall", "-Werror", "-O1", "-g", "-I../so", "-o", out, filepath.Join("testdata", name+".c"), "-ldl", "-lpthread")
	if msg, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	return out
}

// newCard makes a software card with a P-256 key in 9a and an RSA-2048 key in
// 9d, and names it in the environment. It returns the state file.
func newCard(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "card")
	if err := softcard.Create(path, softcard.DefaultPersonality); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CARDBRIDGE_READERS", "softcard:"+path)
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	m, slot := load(t)
	s, err := m.OpenSession(slot, pkcs11.CKF_RW_SESSION|pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Login(s, pkcs11.CKU_SO, soPIN); err != nil {
		t.Fatal(err)
	}
	for id, mech := range map[byte]struct {
		typ uint
		pub *pkcs11.Attribute
	}{
		1: {pkcs11.CKM_EC_KEY_PAIR_GEN, pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7})},
		3: {pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, 2048)},
	} {
		common := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_ID, []byte{id})}
		if _, _, err := m.GenerateKeyPair(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(mech.typ, nil)}, append(common, mech.pub), common); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Finalize(); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads and initialises the module, which has one card.
func load(t testing.TB) (*pkcs11.Ctx, uint) {
	t.Helper()
	m := pkcs11.New(hwtest.Module(t))
	if m == nil {
		t.Fatal("the module does not load")
	}
	if err := m.Initialize(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Finalize() })
	slots, err := m.GetSlotList(true)
	if err != nil || len(slots) != 1 {
		t.Fatalf("slots %v, %v", slots, err)
	}
	return m, slots[0]
}

func run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out[:min(len(out), 4000)])
	}
	return string(out)
}

// 50 children, their children and theirs initialise, log in and sign while the
// parent goes on; a child that does not initialise hears so. Also where the
// parent never initialised, and where a daemon closes all descriptors.
func TestFork(t *testing.T) {
	newCard(t)
	program := build(t, "fork")
	for _, how := range []string{"normal", "early", "closed"} {
		t.Run(how, func(t *testing.T) {
			n := "50"
			if how != "normal" || testing.Short() {
				n = "5"
			}
			if out := run(t, program, hwtest.Module(t), pin, n, how); out != "ok\n" {
				t.Error(out)
			}
		})
	}
}

// The module reaches PC/SC through its own functions (so/pcsc.c): one that it took
// from libpcsclite itself would speak of the handles of another copy in a child.
func TestPCSCFunctions(t *testing.T) {
	file, err := elf.Open(hwtest.Module(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	symbols, err := file.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if strings.HasPrefix(s.Name, "SCard") {
			t.Errorf("pcsc.c has no %s", s.Name)
		}
	}
}

// A copy that replaced the file does not matter to a child: it gets the code
// that its parent has.
func TestForkAfterUpgrade(t *testing.T) {
	newCard(t)
	code, err := os.ReadFile(hwtest.Module(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "module.so")
	if err := os.WriteFile(path, code, 0o700); err != nil {
		t.Fatal(err)
	}
	if out := run(t, build(t, "hosts"), path, pin, "upgrade"); out != "ok\n" {
		t.Error(out)
	}
}

// Hosts with closed standard descriptors, without HOME, with an environment of
// nothing, with more rights than their caller; many times initialised; called
// without being initialised; with every pointer NULL.
func TestHosts(t *testing.T) {
	newCard(t)
	program := build(t, "hosts")
	for _, how := range []string{"closed-stdio", "no-home", "again", "uninitialised", "nulls", "interfaces", "threads-init", "signals"} {
		t.Run(how, func(t *testing.T) {
			if out := run(t, program, hwtest.Module(t), pin, how); how != "closed-stdio" && out != "ok\n" {
				t.Error(out)
			}
		})
	}
}
