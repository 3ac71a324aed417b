package session

import "sync/atomic"

const (
	chunkBits = 8
	chunkLen  = 1 << chunkBits
)

// slab keeps the records behind one application's handles of one sort. A handle is the record's index in its low bits
// and above them how often the record was used before, so that finding a record is an index and a comparison, no
// handle ever comes twice (S23), and the first ones are 1, 2, 3.
//
// Taking and releasing need the application's lock; find does not, and may run beside them. Records live in chunks that
// never move; a chunk without pointers costs the garbage collector nothing.
type slab[T any] struct {
	chunks atomic.Pointer[[]*[chunkLen]cell[T]]
	bits   uint   // of a handle, for the index
	max    uint64 // the greatest handle
	used   uint32 // indices ever taken; zero is never one, so that no handle is zero
	free   uint32 // released indices, linked through cell.next, the last released first
}

type cell[T any] struct {
	handle atomic.Uint64 // zero while nobody holds the record
	last   uint64        // the handle last given out
	next   uint32        // the next free index
	v      T
}

// init lays the slab out for handles of so many bits. On Windows CK_ULONG has 32: a million records at once, each used
// four thousand times.
func (s *slab[T]) init(handleBits int) {
	switch {
	case handleBits <= 0 || handleBits >= 64:
		s.bits, s.max = 24, 1<<64-1
	default:
		s.bits, s.max = uint(handleBits*5/8), 1<<handleBits-1
	}
	s.clear()
}

// clear forgets all records at once.
func (s *slab[T]) clear() { s.chunks.Store(new([]*[chunkLen]cell[T])) }

func (s *slab[T]) cell(index uint32) *cell[T] {
	return &(*s.chunks.Load())[index>>chunkBits][index%chunkLen]
}

// find is the record of a handle, or nil if the handle is not in use.
func (s *slab[T]) find(handle uint64) *cell[T] {
	index := handle & (1<<s.bits - 1)
	chunks := *s.chunks.Load()
	if index>>chunkBits >= uint64(len(chunks)) || handle == CK_INVALID_HANDLE {
		return nil
	}
	c := &chunks[index>>chunkBits][index%chunkLen]
	if c.handle.Load() != handle {
		return nil
	}
	return c
}

func (s *slab[T]) index(handle uint64) uint32 { return uint32(handle & (1<<s.bits - 1)) }

// take is a record nobody holds, and the handle it is to have; nil when handles are used up. It becomes findable when
// the caller stores the handle, after all else in it.
func (s *slab[T]) take() (*cell[T], uint64) {
	for s.free != 0 {
		c := s.cell(s.free)
		s.free = c.next
		if s.max-c.last < 1<<s.bits {
			continue // worn out: its next handle would not fit, so it is never used again
		}
		c.last += 1 << s.bits
		return c, c.last
	}
	if uint64(s.used)+1 >= 1<<s.bits {
		return nil, 0
	}
	s.used++
	chunks := *s.chunks.Load()
	if int(s.used>>chunkBits) >= len(chunks) {
		chunks = append(chunks, new([chunkLen]cell[T]))
		s.chunks.Store(&chunks)
	}
	c := s.cell(s.used)
	c.last = uint64(s.used)
	return c, c.last
}

// release makes the record's handle stale, in one step, and the record free.
func (s *slab[T]) release(c *cell[T]) {
	c.handle.Store(0)
	index := s.index(c.last)
	c.next, s.free = s.free, index
}
