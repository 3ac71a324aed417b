package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestNewTakesOver(t *testing.T) {
	b := []byte("123456")
	s := New(b)
	if !bytes.Equal(b, make([]byte, 6)) {
		t.Errorf("the caller's copy was left: %q", b)
	}
	_ = s.Use(func(b []byte) error {
		if string(b) != "123456" {
			t.Errorf("holds %q", b)
		}
		return nil
	})
}

func TestWipe(t *testing.T) {
	s := New([]byte("123456"))
	c := s.Clone()
	s.Wipe()
	s.Wipe()
	(*Secret)(nil).Wipe()
	if s.Len() != 0 {
		t.Error("not empty once wiped")
	}
	if c.Len() != 6 {
		t.Error("a clone does not outlive its original")
	}
	if s.Equal(c) || !c.Equal(c.Clone()) || c.Equal(nil) {
		t.Error("Equal")
	}
	if New(nil).Len() != 0 {
		t.Error("an empty secret")
	}
}

func TestNeverPrinted(t *testing.T) {
	s := New([]byte("sesame99"))
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%c", "%U", "%t", "%e"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", struct{ S *Secret }{s})
		fmt.Fprintf(&out, verb+"\n", struct{ S Secret }{*s})
	}
	j, _ := json.Marshal(map[string]any{"a": s})
	out.Write(j)
	for _, leak := range []string{"sesame99", "736573616d65", "736573616D65", "115 101 115", "[115"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in the output:\n%s", leak, out.String())
		}
	}
}

func TestLockedMemory(t *testing.T) {
	status := func() string {
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Skip("no /proc to ask")
		}
		return regexp.MustCompile(`VmLck:\s+\d+`).FindString(string(b))
	}
	before := status()
	s := New([]byte("123456"))
	if during := status(); during == before {
		t.Skipf("the system does not lock memory for us (%s)", during)
	}
	s.Wipe()
	if after := status(); after != before {
		t.Errorf("locked memory %s before, %s after Wipe", before, after)
	}
}

func TestConcurrentWipe(t *testing.T) {
	s := New([]byte("123456"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				_ = s.Use(func(b []byte) error {
					if len(b) != 0 && string(b) != "123456" {
						t.Errorf("half wiped: %q", b)
					}
					return nil
				})
			}
		})
	}
	wg.Go(s.Wipe)
	wg.Wait()
}

// Two that are compared with each other while both are wiped: nobody waits for
// ever.
func TestEqualHoldsOneAtATime(t *testing.T) {
	a, b := New([]byte("123456")), New([]byte("123456"))
	// pending waits for a Wipe to wait.
	pending := func(s *Secret) {
		for s.store().mu.TryRLock() {
			s.store().mu.RUnlock()
			runtime.Gosched()
		}
	}
	var wg sync.WaitGroup
	compared := make(chan bool, 1)
	_ = b.Use(func([]byte) error {
		wg.Go(b.Wipe)
		pending(b)
		wg.Go(func() { compared <- a.Equal(b) })
		for range 1000 { // time to begin; whether it has or not, a can be wiped
			runtime.Gosched()
		}
		a.Wipe()
		if a.Len() != 0 {
			t.Error("not wiped")
		}
		return nil
	})
	wg.Wait()
	<-compared
}
