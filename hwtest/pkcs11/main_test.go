//go:build linux && cgo

// Package pkcs11_test lets the programs that use PKCS #11 modules use ours,
// through pcscd and with software cards, and puts the module to the suites of
// pkcs11/conform there.
package pkcs11_test

import (
	"context"
	"testing"
	"time"

	"cardbridge/hwtest"
	"cardbridge/pkcs11/conform"
)

func TestMain(m *testing.M) {
	hwtest.AtEnd(conform.Cleanup)
	hwtest.Main(m)
}

// The secrets of a fresh card, as on the cards of the field.
const (
	factoryPIN = "123456"
	factoryPUK = "12345678"
	factoryKey = "010203040506070801020304050607080102030405060708"
)

// target is the module at the card in a rig's first reader, with the keys and
// certificates that the suites and the scripts expect.
func target(t testing.TB, r *hwtest.Rig) *conform.Target {
	t.Helper()
	tg := &conform.Target{
		Name: "cardbridge", Module: hwtest.Module(t), Env: r.Environment(),
		PIN: factoryPIN, SOPIN: factoryKey, Tries: 3,
		Remove: func(testing.TB) { r.Remove(0) },
		Insert: func(testing.TB) { r.Insert(0) },
		APDUs:  func(testing.TB) int { return r.Card(0).Count() },
		Disturb: func(ctx context.Context, t testing.TB) {
			select0 := r.Disturb(t, 0, hwtest.Select, 200*time.Millisecond)
			time.Sleep(100 * time.Millisecond) // so that they take turns
			reset := r.Disturb(t, 0, hwtest.Reset, 200*time.Millisecond)
			<-ctx.Done()
			t.Logf("disturbed: %d times by another applet, %d times by a reset", select0(), reset())
		},
	}
	tg.Seed(t)
	return tg
}

// wantTries compares the card's own counters: nobody may spend a try that no
// person did.
func wantTries(t testing.TB, r *hwtest.Rig) {
	t.Helper()
	if pin, puk := r.Card(0).Tries(); pin != 3 || puk != 3 {
		t.Errorf("tries left: PIN %d, PUK %d", pin, puk)
	}
}
