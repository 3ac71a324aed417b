package sotest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/pkcs11"
)

// publicKey reads a P-256 public key object.
func publicKey(t testing.TB, m *pkcs11.Ctx, s pkcs11.SessionHandle, o pkcs11.ObjectHandle) *ecdsa.PublicKey {
	t.Helper()
	a, err := m.GetAttributeValue(s, o, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil)})
	if err != nil {
		t.Fatal(err)
	}
	var point []byte
	if _, err := asn1.Unmarshal(a[0].Value, &point); err != nil {
		t.Fatal(err)
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

func good(pub *ecdsa.PublicKey, digest, sig []byte) bool {
	return len(sig) == 64 && ecdsa.Verify(pub, digest, new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
}

// Eight threads over four sessions, two threads a session: every signature that
// is given is good, and every call gets a defined code (S28).
func TestThreads(t *testing.T) {
	newCard(t)
	m, slot := load(t)
	sessions := make([]pkcs11.SessionHandle, 4)
	for i := range sessions {
		sessions[i] = open(t, m, slot, 0)
	}
	if err := m.Login(sessions[0], pkcs11.CKU_USER, pin); err != nil {
		t.Fatal(err)
	}
	key := find(t, m, sessions[0], pkcs11.CKO_PRIVATE_KEY, 1)
	pub := publicKey(t, m, sessions[0], find(t, m, sessions[0], pkcs11.CKO_PUBLIC_KEY, 1))
	var mu sync.Mutex
	signatures := 0
	var wg sync.WaitGroup
	for thread := range 8 {
		wg.Go(func() {
			runtime.LockOSThread()
			s := sessions[thread%4]
			for i := 0; i < 60; i++ {
				digest := sha256.Sum256(fmt.Appendf(nil, "%d %d", thread%4, i/2))
				err := m.SignInit(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, key)
				if err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_OPERATION_ACTIVE)) {
					t.Errorf("C_SignInit: %v", err)
				}
				sig, err := m.Sign(s, digest[:])
				switch {
				case err == nil && good(pub, digest[:], sig):
					mu.Lock()
					signatures++
					mu.Unlock()
				case err == nil:
					t.Error("a bad signature")
				case !errors.Is(err, pkcs11.Error(pkcs11.CKR_OPERATION_NOT_INITIALIZED)):
					t.Errorf("C_Sign: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if signatures < 100 {
		t.Errorf("%d signatures", signatures)
	}
}

// A search, a login or any other call returns at once while another thread
// waits for events, and C_Finalize wakes that one.
func TestWaitForSlotEvent(t *testing.T) {
	path := newCard(t)
	m, slot := load(t)
	if err := os.Rename(path, path+".out"); err != nil {
		t.Fatal(err)
	}
	for e := range m.WaitForSlotEvent(0) {
		if e.SlotID != slot {
			t.Errorf("event of slot %d", e.SlotID)
		}
		break
	}
	if slots, err := m.GetSlotList(true); err != nil || len(slots) != 0 {
		t.Errorf("slots with a card: %v, %v", slots, err)
	}
	if err := os.Rename(path+".out", path); err != nil {
		t.Fatal(err)
	}
	events := m.WaitForSlotEvent(0)
	<-events
	open(t, m, slot, 0)
	waiting := m.WaitForSlotEvent(0)
	time.Sleep(50 * time.Millisecond)
	if err := m.Finalize(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-waiting:
	case <-time.After(5 * time.Second):
		t.Error("C_Finalize does not wake C_WaitForSlotEvent")
	}
}

// resident is the memory of this process in KiB.
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Skip("no VmRSS")
	return 0
}

// 100,000 sessions open at once, each as cheap as the first; all closed, the
// memory is there for the next ones.
func TestManySessions(t *testing.T) {
	newCard(t)
	m, slot := load(t)
	const n = 100_000
	var before int
	for round := range 3 {
		for range n {
			if _, err := m.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION); err != nil {
				t.Fatal(err)
			}
		}
		if info, err := m.GetTokenInfo(slot); err != nil || info.SessionCount != n {
			t.Errorf("%d sessions, %v", info.SessionCount, err)
		}
		if err := m.CloseAllSessions(slot); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			before = resident(t)
		}
	}
	if after := resident(t); after > before+64*1024 {
		t.Errorf("%d KiB after the first %d sessions, %d KiB two rounds later", before, n, after)
	}
}

// One open and close costs the same beside 100,000 others.
func BenchmarkSessions(b *testing.B) {
	newCard(b)
	m, slot := load(b)
	for _, others := range []int{0, 100_000} {
		for range others {
			open(b, m, slot, 0)
		}
		b.Run(strconv.Itoa(others), func(b *testing.B) {
			for b.Loop() {
				s, err := m.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
				if err != nil {
					b.Fatal(err)
				}
				if err := m.CloseSession(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
