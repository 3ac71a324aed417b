//go:build linux && cgo

package conform

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"cardbridge/card/softcard"
)

// CONFORM_MODULE names a module that is built already.
var module = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("CONFORM_MODULE"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "conform")
	if err != nil {
		return "", err
	}
	removeAtEnd = append(removeAtEnd, dir)
	path := filepath.Join(dir, "cardbridge-pkcs11.so")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", path, "cardbridge/pkcs11/so")
	cmd.Stderr = os.Stderr
	return path, cmd.Run()
})

var removeAtEnd []string

// card is our module with a software card of its own, seeded through the C interface.
func card(t testing.TB) *Target {
	t.Helper()
	path, err := module()
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(t.TempDir(), "card.json")
	if err := softcard.Create(state, softcard.DefaultPersonality); err != nil {
		t.Fatal(err)
	}
	tg := &Target{
		Name: "cardbridge", Module: path, Env: []string{"CARDBRIDGE_READERS=softcard:" + state},
		PIN: "123456", SOPIN: "010203040506070801020304050607080102030405060708",
		Tries: 3, FromEnvironment: true, Fresh: func(t testing.TB) *Target { return card(t) },
	}
	tg.Seed(t)
	return tg
}

// envUint lets a longer run, or another one, be asked for.
func envUint(name string, usual uint64) uint64 {
	if v, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return v
	}
	return usual
}

func TestSessionsCard(t *testing.T) { Sessions(t, card(t)) }

func TestOperationsCard(t *testing.T)   { Operations(t, card(t)) }
func TestHostsCard(t *testing.T)        { Hosts(t, card(t)) }
func TestThreadsCard(t *testing.T)      { Threads(t, card(t), 1000) }
func TestAgainCard(t *testing.T)        { Again(t, card(t), 40) }
func TestForkCard(t *testing.T)         { Fork(t, card(t), 50) }
func TestManySessionsCard(t *testing.T) { ManySessions(t, card(t), 100_000) }

func TestDifferentialCard(t *testing.T) {
	Differential(t, card(t), SoftHSM(t), Accepted, envUint("CONFORM_SEED", 1), int(envUint("CONFORM_WALKS", 300)), 80)
}

func TestFuzzCard(t *testing.T) {
	Fuzz(t, card(t), FuzzOptions{Seed: envUint("CONFORM_SEED", 1), Calls: int(envUint("CONFORM_CALLS", 20000)), Absurd: true})
}

func TestFuzzThreadsCard(t *testing.T) {
	Fuzz(t, card(t), FuzzOptions{Seed: envUint("CONFORM_SEED", 1), Calls: int(envUint("CONFORM_CALLS", 10000)), Absurd: true, Threads: 4})
}

// TestReplayCard makes the calls that once ended a process, of whichever module.
func TestReplayCard(t *testing.T) {
	cases, err := filepath.Glob("testdata/fuzz/*.txt")
	if err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	tg := card(t)
	for _, path := range cases {
		t.Run(filepath.Base(path), func(t *testing.T) { Replay(t, tg, path) })
	}
}
