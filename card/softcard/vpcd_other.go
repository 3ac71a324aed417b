//go:build !linux

package softcard

import "net"

// acknowledgeAtOnce has no counterpart here; every APDU costs a delayed acknowledgement more.
func acknowledgeAtOnce(net.Conn) {}
