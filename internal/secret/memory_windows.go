package secret

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// allocate gives n bytes on pages of their own, locked into memory.
func allocate(n int) (b []byte, free func([]byte)) {
	if n == 0 {
		return nil, nil
	}
	size := uintptr(n)
	addr, err := windows.VirtualAlloc(0, size, windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return make([]byte, n), nil
	}
	_ = windows.VirtualLock(addr, size)
	// The address is of memory that the collector does not know and never moves.
	b = unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), n)
	return b, func([]byte) {
		_ = windows.VirtualUnlock(addr, size)
		_ = windows.VirtualFree(addr, 0, windows.MEM_RELEASE)
	}
}
