package apdu

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Count is a [Decorator] that counts command APDUs, also those that got no
// answer. The zero value is ready; it may be read while in use.
type Count struct {
	mu    sync.Mutex
	total int
	byINS map[byte]int
}

// Around counts.
func (c *Count) Around(next Transmitter, command []byte, _ bool) ([]byte, error) {
	c.mu.Lock()
	c.total++
	if len(command) > 1 {
		if c.byINS == nil {
			c.byINS = make(map[byte]int)
		}
		c.byINS[command[1]]++
	}
	c.mu.Unlock()
	return next.Transmit(command)
}

// Total is the number of APDUs since the start or the last Reset.
func (c *Count) Total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

// Of is the number of APDUs with that instruction.
func (c *Count) Of(ins byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byINS[ins]
}

// Reset starts over.
func (c *Count) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total, c.byINS = 0, nil
}

// String lists the instructions: "SELECT 1, VERIFY 2".
func (c *Count) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts []string
	for ins, n := range c.byINS {
		parts = append(parts, fmt.Sprintf("%s %d", Name(ins), n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
