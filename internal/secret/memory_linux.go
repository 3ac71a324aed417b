package secret

import "golang.org/x/sys/unix"

// allocate gives n bytes on pages of their own: locked into memory, left out of
// core dumps, and zero in a forked child. Where the kernel refuses one of these
// (RLIMIT_MEMLOCK, old kernels) the secret is held all the same.
func allocate(n int) (b []byte, free func([]byte)) {
	if n == 0 {
		return nil, nil
	}
	page := unix.Getpagesize()
	mem, err := unix.Mmap(-1, 0, (n+page-1)/page*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return make([]byte, n), nil
	}
	_ = unix.Mlock(mem)
	_ = unix.Madvise(mem, unix.MADV_DONTDUMP)
	_ = unix.Madvise(mem, unix.MADV_WIPEONFORK)
	return mem[:n:n], func([]byte) {
		_ = unix.Munlock(mem)
		_ = unix.Munmap(mem)
	}
}
