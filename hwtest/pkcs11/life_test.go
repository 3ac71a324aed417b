//go:build linux && cgo

package pkcs11_test

import (
	"context"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"cardbridge/card/softcard"
	"cardbridge/hwtest"
	"cardbridge/pkcs11/conform"
)

// wantsTouch puts a key that is used with a touch each time into 9D.
func wantsTouch(t *testing.T, r *hwtest.Rig) {
	t.Helper()
	r.File("key", []byte(factoryKey+"\n"))
	r.Run(t, hwtest.Cardtool(t), "--quiet", "key", "generate", "9d", "-a", "p-256", "--touch-policy", "always", "--admin-key-file", "key", "--yes", "--force", "-o", "public.pem")
}

// loggedIn starts an application with a session of the user's.
func loggedIn(t *testing.T, tg *conform.Target) (a *conform.App, slot, s uint) {
	t.Helper()
	a = tg.Start(t)
	if rv := a.Initialize(); rv != p11.CKR_OK {
		t.Fatal(rv)
	}
	slot = a.Slot()
	s = a.MustOpen(slot, conform.RO)
	if rv := a.Login(s, conform.User, factoryPIN); rv != p11.CKR_OK {
		t.Fatal(rv)
	}
	return a, slot, s
}

// signing signs with the key in 9D on a thread of its own.
func signing(a *conform.App, s uint) <-chan conform.RV {
	key := a.Key(s, p11.CKO_PRIVATE_KEY, conform.ECKey)
	signed := make(chan conform.RV, 1)
	go func() {
		_, rv := a.Thread(1).Sign(s, conform.Mech(p11.CKM_ECDSA), key, make([]byte, 32))
		signed <- rv
	}()
	return signed
}

// TestTouch: while one thread waits for a touch, every call that does not need
// the card goes on. The touch comes only after them.
func TestTouch(t *testing.T) {
	asked, release := make(chan struct{}, 1), make(chan struct{})
	r := hwtest.Start(t, hwtest.Config{Options: []softcard.Option{softcard.WithTouch(func(ctx context.Context) bool {
		asked <- struct{}{}
		select {
		case <-release:
			return true
		case <-ctx.Done():
			return false
		}
	})}})
	tg := target(t, r)
	wantsTouch(t, r)
	a, slot, s := loggedIn(t, tg)
	other := a.MustOpen(slot, conform.RO)
	signed := signing(a, s)
	select {
	case <-asked:
	case rv := <-signed:
		t.Fatalf("signed without a touch: %v", rv)
	}
	c := a.Thread(2)
	for name, call := range map[string]func() conform.RV{
		"C_GetSlotList":    func() conform.RV { _, rv := c.Slots(true); return rv },
		"C_GetSlotInfo":    func() conform.RV { return c.Call("C_GetSlotInfo", conform.N(slot), conform.Out(112)).RV },
		"C_GetInfo":        func() conform.RV { return c.Call("C_GetInfo", conform.Out(96)).RV },
		"C_OpenSession":    func() conform.RV { _, rv := c.Open(slot, conform.RW); return rv },
		"C_GetSessionInfo": func() conform.RV { _, _, _, rv := c.SessionInfo(s); return rv },
		"C_CreateObject": func() conform.RV {
			_, rv := c.Create(other, conform.A(p11.CKA_CLASS, uint(p11.CKO_DATA)), conform.A(p11.CKA_PRIVATE, false), conform.A(p11.CKA_VALUE, "x"))
			return rv
		},
		"C_FindObjectsInit": func() conform.RV {
			rv := c.FindInit(other, conform.A(p11.CKA_TOKEN, false))
			c.FindFinal(other)
			return rv
		},
		"C_GenerateRandom": func() conform.RV {
			return c.Call("C_GenerateRandom", conform.N(other), conform.Out(8), conform.N(8)).RV
		},
	} {
		if rv := call(); rv != p11.CKR_OK {
			t.Errorf("%s while another thread waits for a touch: %v", name, rv)
		}
	}
	if rv := c.CloseSession(other); rv != p11.CKR_OK {
		t.Errorf("C_CloseSession while another thread waits for a touch: %v", rv)
	}
	select {
	case rv := <-signed:
		t.Fatalf("the signature did not wait for the touch: %v", rv)
	default:
	}
	close(release)
	if rv := <-signed; rv != p11.CKR_OK {
		t.Errorf("the signature after the touch: %v", rv)
	}
}

// TestRemovalInFlight takes the card out while it works: the call ends soon and
// says why, and the next card in the reader is used as if nothing had been.
func TestRemovalInFlight(t *testing.T) {
	asked := make(chan struct{}, 1)
	r := hwtest.Start(t, hwtest.Config{Options: []softcard.Option{softcard.WithTouch(func(ctx context.Context) bool {
		asked <- struct{}{}
		<-ctx.Done() // removal ends it
		return false
	})}})
	tg := target(t, r)
	wantsTouch(t, r)
	a, slot, s := loggedIn(t, tg)
	signed := signing(a, s)
	<-asked
	r.Remove(0)
	switch rv := <-signed; rv {
	case p11.CKR_DEVICE_REMOVED, p11.CKR_SESSION_HANDLE_INVALID, p11.CKR_SESSION_CLOSED:
	default:
		t.Errorf("the call in flight: %v", rv)
	}
	closed(t, a, s)
	r.Insert(0)
	signsAgain(t, a, slot, conform.RSAKey)
	wantTries(t, r)
}

// closed waits until the module has noticed that a session's token is gone.
func closed(t *testing.T, a *conform.App, s uint) {
	t.Helper()
	for end := time.Now().Add(hwtest.Patience); ; time.Sleep(20 * time.Millisecond) {
		if _, _, _, rv := a.SessionInfo(s); rv == p11.CKR_SESSION_HANDLE_INVALID {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the session is still open")
		}
	}
}

// signsAgain waits until the slot has its token back, and signs.
func signsAgain(t *testing.T, a *conform.App, slot uint, id byte) {
	t.Helper()
	var s uint
	for end := time.Now().Add(hwtest.Patience); ; time.Sleep(20 * time.Millisecond) {
		var rv conform.RV
		if s, rv = a.Open(slot, conform.RO); rv == p11.CKR_OK {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the token does not come back: %v", rv)
		}
	}
	if rv := a.Login(s, conform.User, factoryPIN); rv != p11.CKR_OK {
		t.Fatalf("C_Login: %v", rv)
	}
	signer, err := a.Signer(s, id, factoryPIN)
	if err != nil {
		t.Fatal(err)
	}
	conform.Verify(t, signer)
}

// TestServiceRestart ends pcscd under an application and starts it again.
func TestServiceRestart(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	tg := target(t, r)
	a, slot, s := loggedIn(t, tg)
	r.StopPCSCD()
	if _, err := a.Try("C_GetTokenInfo", conform.N(slot), conform.Out(208)); err != nil {
		t.Fatal(err)
	}
	r.StartPCSCD()
	closed(t, a, s)
	signsAgain(t, a, slot, conform.ECKey)
	wantTries(t, r)
}

// TestLateService: an application that starts before pcscd finds its card later.
func TestLateService(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	tg := target(t, r)
	r.StopPCSCD()
	a := tg.Start(t)
	if rv := a.Initialize(); rv != p11.CKR_OK {
		t.Fatalf("C_Initialize without pcscd: %v", rv)
	}
	if slots, rv := a.Slots(true); rv != p11.CKR_OK || len(slots) != 0 {
		t.Errorf("slots without pcscd: %v, %v", slots, rv)
	}
	r.StartPCSCD()
	for end := time.Now().Add(hwtest.Patience); ; time.Sleep(20 * time.Millisecond) {
		if slots, rv := a.Slots(true); rv == p11.CKR_OK && len(slots) == 1 {
			signsAgain(t, a, slots[0], conform.ECKey)
			return
		}
		if time.Now().After(end) {
			t.Fatal("the card is not found")
		}
	}
}

// TestWaiters: several threads wait for an event; C_Finalize wakes them all.
func TestWaiters(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{})
	tg := target(t, r)
	a := tg.Start(t)
	if rv := a.Initialize(); rv != p11.CKR_OK {
		t.Fatal(rv)
	}
	slot := a.Slot()
	wait := func(c conform.Caller, flags uint) (conform.RV, uint) {
		result, err := c.Try("C_WaitForSlotEvent", conform.N(flags), conform.InOut(conform.N(99)), conform.Null)
		if err != nil {
			t.Error(err)
			return ^conform.RV(0), 0
		}
		return result.RV, result.Outs[0].Words[0]
	}
	for { // what is told of the time before
		if rv, _ := wait(a.Caller, p11.CKF_DONT_BLOCK); rv != p11.CKR_OK {
			if rv != p11.CKR_NO_EVENT {
				t.Errorf("no event: %v", rv)
			}
			break
		}
	}
	r.Remove(0)
	if rv, at := wait(a.Caller, 0); rv != p11.CKR_OK || at != slot {
		t.Errorf("after removal: %v at slot %d, want slot %d", rv, at, slot)
	}
	ended := make(chan conform.RV, 4)
	for th := 1; th <= 4; th++ {
		go func() {
			rv, _ := wait(a.Thread(th), 0)
			ended <- rv
		}()
	}
	r.Insert(0)
	if rv := <-ended; rv != p11.CKR_OK { // one event, one waiter
		t.Errorf("after insertion: %v", rv)
	}
	if rv := a.Finalize(); rv != p11.CKR_OK {
		t.Errorf("C_Finalize: %v", rv)
	}
	for range 3 {
		if rv := <-ended; rv != p11.CKR_CRYPTOKI_NOT_INITIALIZED {
			t.Errorf("a waiter at C_Finalize: %v", rv)
		}
	}
}
