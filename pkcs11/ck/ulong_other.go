//go:build !windows

package ck

import "strconv"

// Sizes of CK_ULONG and of a pointer, and whether structures are packed:
// section 2.1 of the standard.
const (
	ULongSize   = strconv.IntSize / 8
	PointerSize = strconv.IntSize / 8
	Packed      = false
)
