package host

import (
	"os"

	"golang.org/x/sys/unix"
)

// atSecure is AT_SECURE of the kernel's auxiliary vector: the program was
// started with more rights than its caller has, by a set-user-ID bit, a file
// capability or a security module.
const atSecure = 23

// Secure tells whether the process runs with more rights than its caller: then
// neither the environment nor a user's files may choose what it does. Where
// that cannot be found out, it does.
func Secure() bool {
	if os.Getuid() != os.Geteuid() || os.Getgid() != os.Getegid() {
		return true
	}
	aux, err := unix.Auxv()
	if err != nil {
		return true
	}
	for _, a := range aux {
		if a[0] == atSecure {
			return a[1] != 0
		}
	}
	return false
}
