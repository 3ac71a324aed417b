//go:build !linux

package host

import "os"

// Secure tells whether the process runs with more rights than its caller: then
// neither the environment nor a user's files may choose what it does.
func Secure() bool {
	return os.Getuid() != os.Geteuid() || os.Getgid() != os.Getegid()
}
