// Package secret holds PINs and keys while they are needed, and no longer.
package secret

import (
	"crypto/subtle"
	"fmt"
	"runtime"
	"sync"
)

// A Secret is a PIN or key in memory that is not swapped out nor dumped where
// the system can do that, and is overwritten by Wipe. It prints as "[secret]"
// whatever the verb. Its methods may be called from any goroutine.
type Secret struct {
	// store is behind a function so that not even a copied Secret, printed with
	// a verb that makes no sense, prints bytes.
	store func() *store
}

type store struct {
	mu   sync.RWMutex
	b    []byte
	free func([]byte)
}

// New takes b over: it is copied and then overwritten.
func New(b []byte) *Secret {
	s := copyOf(b)
	clear(b)
	return s
}

func copyOf(b []byte) *Secret {
	mem, free := allocate(len(b))
	copy(mem, b)
	p := &store{b: mem, free: free}
	s := &Secret{func() *store { return p }}
	runtime.AddCleanup(s, func(p *store) { p.wipe() }, p)
	return s
}

// Use lends the bytes to f for the length of the call. f must not keep them,
// nor wipe the Secret. A wiped Secret lends no bytes.
func (s *Secret) Use(f func(b []byte) error) error {
	p := s.store()
	p.mu.RLock()
	defer p.mu.RUnlock()
	defer runtime.KeepAlive(s)
	return f(p.b)
}

// Clone copies the secret, to outlive a caller who wipes it.
func (s *Secret) Clone() *Secret {
	p := s.store()
	p.mu.RLock()
	defer p.mu.RUnlock()
	return copyOf(p.b)
}

// Equal tells, in constant time, whether two secrets are the same. A nil one is
// like no other.
func (s *Secret) Equal(t *Secret) bool {
	if s == nil || t == nil || s == t {
		return s == t
	}
	// With a copy, so that nobody waits for the one while holding the other: two
	// who compare the same two, and two who wipe them, would wait for ever.
	t = t.Clone()
	defer t.Wipe()
	equal := false
	_ = s.Use(func(a []byte) error {
		return t.Use(func(b []byte) error {
			equal = subtle.ConstantTimeCompare(a, b) == 1
			return nil
		})
	})
	return equal
}

// Len is the length in bytes, 0 once wiped.
func (s *Secret) Len() int {
	p := s.store()
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.b)
}

// Wipe overwrites the bytes, when no Use lends them any more. A wiped Secret is
// empty; wiping twice, or a nil Secret, is fine.
func (s *Secret) Wipe() {
	if s != nil {
		s.store().wipe()
	}
}

func (p *store) wipe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.b)
	if p.free != nil {
		p.free(p.b)
	}
	p.b, p.free = nil, nil
}

const redacted = "[secret]"

// Format keeps the secret out of every format verb's output.
func (s *Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String does so for those who ask directly.
func (s *Secret) String() string { return redacted }

// GoString does so for %#v.
func (s *Secret) GoString() string { return redacted }

// MarshalText does so for encoders.
func (s *Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
