//go:build linux && cgo

package pkcs11_test

import (
	"testing"

	"cardbridge/hwtest"
	"cardbridge/pkcs11/conform"
)

// The rules of the standard's chapter on sessions, with removal.
func TestSessions(t *testing.T) {
	for _, personality := range []string{"yubikey-5.7", "nist-short"} {
		t.Run(personality, func(t *testing.T) {
			r := hwtest.Start(t, hwtest.Config{Personalities: []string{personality}})
			tg := target(t, r)
			conform.Sessions(t, tg)
			wantTries(t, r)
		})
	}
}

// 1,000 signatures from 8 threads over 4 sessions while another program resets
// the card and selects another applet, one or the other every 100 ms.
func TestThreads(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	tg := target(t, r)
	conform.Threads(t, tg, 1000)
	wantTries(t, r)
}

// 50 children and children of children, the parent's monitor waiting in pcscd.
func TestFork(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	tg := target(t, r)
	conform.Fork(t, tg, 50)
	wantTries(t, r)
}

func TestManySessions(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	conform.ManySessions(t, target(t, r), 100_000)
}

func TestHosts(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	conform.Hosts(t, target(t, r))
}

func TestAgain(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	conform.Again(t, target(t, r), 20)
}
