//go:build linux && cgo

package conform

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

// ManySessions opens n sessions at once and closes them: each takes the same little memory, none takes an APDU, and handles
// stay apart.
func ManySessions(t *testing.T, tg *Target, n int) {
	if how := tg.Departs["ManySessions"]; how != "" {
		t.Skipf("%s: %s", tg.Name, how)
	}
	a := tg.Start(t)
	a.must("C_Initialize", a.Initialize())
	slot := a.Slot()
	first := a.MustOpen(slot, RO)
	before, apdus := a.usage(t), tg.count(t)
	openAll := func() []uint {
		r, err := a.repeat(n, "C_OpenSession", N(slot), N(RO), Null, Null, InOut(N(0)))
		if err != nil {
			t.Fatal(err)
		}
		want(t, "C_OpenSession", r.RV, p11.CKR_OK)
		handles, seen := make([]uint, len(r.Outs)), make(map[uint]bool, n)
		for i, o := range r.Outs {
			handles[i] = o.Words[0]
			if seen[handles[i]] {
				t.Fatalf("session %d has a handle that is in use", i)
			}
			seen[handles[i]] = true
		}
		return handles
	}
	handles := openAll()
	open := a.usage(t)
	if each := (open.rss - before.rss) / n; each > 2048 {
		t.Errorf("a session takes %d bytes", each)
	}
	wantState(t, a.Caller, handles[n/2], roPublic)
	for i := 0; i < n; i += 10 { // some by themselves, the rest at once
		want(t, "C_CloseSession", a.CloseSession(handles[i]), p11.CKR_OK)
	}
	_, _, _, rv := a.SessionInfo(handles[n/2])
	want(t, "a closed session", rv, p11.CKR_SESSION_HANDLE_INVALID)
	wantState(t, a.Caller, handles[n/2+1], roPublic)
	want(t, "C_CloseAllSessions", a.CloseAll(slot), p11.CKR_OK)
	openAll() // a second time in the same memory
	again := a.usage(t)
	if again.rss > open.rss+32<<20 || again.threads > before.threads+8 || again.files > before.files+4 {
		t.Errorf("the second %d sessions: %+v, the first %+v", n, again, open)
	}
	want(t, "C_CloseAllSessions", a.CloseAll(slot), p11.CKR_OK)
	_, _, _, rv = a.SessionInfo(first)
	want(t, "the first session", rv, p11.CKR_SESSION_HANDLE_INVALID)
	if after := tg.count(t); after != apdus {
		t.Errorf("%d sessions took %d APDUs", 2*n, after-apdus)
	}
}

// Threads makes n signatures from 8 threads over 4 sessions while the target's disturber is at work: every one must be good.
func Threads(t *testing.T, tg *Target, n int) {
	a := tg.Start(t)
	a.must("C_Initialize", a.Initialize())
	slot := a.Slot()
	var sessions [4]struct {
		sync.Mutex // two threads share a session and take turns
		h          uint
	}
	for i := range sessions {
		sessions[i].h = a.MustOpen(slot, []uint{RO, RW}[i%2])
	}
	a.must("C_Login", a.Login(sessions[0].h, User, tg.PIN))
	type key struct {
		mech   uint
		handle uint
		public any
	}
	var keys []key
	for _, id := range []byte{RSAKey, ECKey} {
		pub, err := a.PublicKey(sessions[0].h, id)
		if err != nil {
			t.Fatal(err)
		}
		mech := uint(p11.CKM_RSA_PKCS)
		if id == ECKey {
			mech = p11.CKM_ECDSA
		}
		keys = append(keys, key{mech, a.Key(sessions[0].h, p11.CKO_PRIVATE_KEY, id), pub})
	}
	if tg.Disturb != nil {
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); tg.Disturb(ctx, t) }()
		defer func() { stop(); <-done }()
	}
	var next, good atomic.Int64
	var wg sync.WaitGroup
	for th := 1; th <= 8; th++ {
		wg.Go(func() {
			c, s := a.Thread(th), &sessions[th%4]
			for {
				i := next.Add(1)
				if i > int64(n) || t.Failed() {
					return
				}
				k := keys[0]
				if i%8 != 0 { // RSA takes the software card long
					k = keys[1]
				}
				digest := sha256.Sum256(fmt.Append(nil, i))
				in := digest[:]
				if k.mech == p11.CKM_RSA_PKCS {
					in = append(append([]byte{}, digestInfoSHA256...), in...)
				}
				s.Lock()
				sig, rv := c.Sign(s.h, Mech(k.mech), k.handle, in)
				s.Unlock()
				if rv != p11.CKR_OK || !verify(k.public, digest[:], sig) {
					t.Errorf("signature %d: %v", i, rv)
					continue
				}
				good.Add(1)
			}
		})
	}
	wg.Wait()
	if good.Load() != int64(n) {
		t.Errorf("%d of %d signatures are good", good.Load(), n)
	}
}
