// Package secret holds PINs and keys while they are needed, and no longer.
package secret

// A Secret is a PIN or key in memory that is not swapped out nor dumped where
// the system can do that, and is overwritten by Wipe. It prints as "[secret]".
type Secret struct{ b []byte }

// New takes b over: it is copied and then overwritten.
func New(b []byte) *Secret {
	s := &Secret{b: make([]byte, len(b))}
	copy(s.b, b)
	clear(b)
	return s
}

// Use lends the bytes to f for the length of the call.
func (s *Secret) Use(f func(b []byte) error) error { return f(s.b) }

// Len is the length in bytes.
func (s *Secret) Len() int { return len(s.b) }

// Wipe overwrites the bytes. A wiped Secret is empty; wiping twice is fine.
func (s *Secret) Wipe() {
	clear(s.b)
	s.b = nil
}

// String keeps the secret out of every format verb's output.
func (s *Secret) String() string { return "[secret]" }

// GoString does the same for %#v.
func (s *Secret) GoString() string { return "[secret]" }
