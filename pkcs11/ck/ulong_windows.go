package ck

import "strconv"

// Sizes of CK_ULONG and of a pointer, and whether structures are packed:
// section 2.1 of the standard.
const (
	ULongSize   = 4
	PointerSize = strconv.IntSize / 8
	Packed      = true
)
