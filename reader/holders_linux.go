package reader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Holders are the other programs that are connected to pcscd, as far as this
// user may see: programs of other users only root can. pcscd does not tell
// which of them has which card.
func Holders() []Process {
	clients, err := peers(socketPath())
	if err != nil || len(clients) == 0 {
		return nil
	}
	var found []Process
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() || !hasSocket(dir, clients) {
			continue
		}
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue
		}
		found = append(found, Process{PID: pid, Name: strings.TrimSpace(string(name))})
	}
	slices.SortFunc(found, func(a, b Process) int { return a.PID - b.PID })
	return found
}

// hasSocket tells whether the process of that folder of /proc has one of the
// sockets open.
func hasSocket(dir string, inodes map[uint32]bool) bool {
	fds, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return false
	}
	for _, fd := range fds {
		target, err := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
		if err != nil {
			continue
		}
		var inode uint32
		if _, err := fmt.Sscanf(target, "socket:[%d]", &inode); err == nil && inodes[inode] {
			return true
		}
	}
	return false
}

// Of linux/sock_diag.h and linux/unix_diag.h.
const (
	sockDiagByFamily   = 20
	unixDiagShowName   = 1
	unixDiagShowPeer   = 4
	unixDiagName       = 0
	unixDiagPeer       = 2
	unixDiagMsgLen     = 16
	tcpEstablished     = 1
	unixDiagRequestLen = 24
)

var errNetlink = errors.New("netlink: malformed answer")

// peers are the sockets at the other end of those that are bound to path: the
// kernel tells of them in its socket diagnostics (sock_diag(7)).
func peers(path string) (map[uint32]bool, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return nil, err
	}
	req := make([]byte, unix.NLMSG_HDRLEN+unixDiagRequestLen)
	ne := binary.NativeEndian
	ne.PutUint32(req[0:], uint32(len(req)))
	ne.PutUint16(req[4:], sockDiagByFamily)
	ne.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	body := req[unix.NLMSG_HDRLEN:]
	body[0] = unix.AF_UNIX
	ne.PutUint32(body[4:], 1<<tcpEstablished)
	ne.PutUint32(body[12:], unixDiagShowName|unixDiagShowPeer)
	if err := unix.Sendto(fd, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	found := map[uint32]bool{}
	buf := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			return nil, err
		}
		done, err := parseDiag(buf[:n], path, found)
		if done || err != nil {
			return found, err
		}
	}
}

// parseDiag reads netlink messages into found: the peers' inodes.
func parseDiag(b []byte, path string, found map[uint32]bool) (done bool, err error) {
	ne := binary.NativeEndian
	for len(b) > 0 {
		if len(b) < unix.NLMSG_HDRLEN {
			return true, errNetlink
		}
		n := int(ne.Uint32(b))
		if n < unix.NLMSG_HDRLEN || n > len(b) {
			return true, errNetlink
		}
		switch ne.Uint16(b[4:]) {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			return true, errNetlink
		case sockDiagByFamily:
			if n >= unix.NLMSG_HDRLEN+unixDiagMsgLen {
				attrs := parseAttrs(b[unix.NLMSG_HDRLEN+unixDiagMsgLen : n])
				peer := attrs[unixDiagPeer]
				if strings.TrimRight(string(attrs[unixDiagName]), "\x00") == path && len(peer) == 4 {
					found[ne.Uint32(peer)] = true
				}
			}
		}
		b = b[min(align4(n), len(b)):]
	}
	return false, nil
}

func parseAttrs(b []byte) map[uint16][]byte {
	attrs := map[uint16][]byte{}
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			break
		}
		attrs[binary.NativeEndian.Uint16(b[2:])] = b[4:n]
		b = b[min(align4(n), len(b)):]
	}
	return attrs
}

func align4(n int) int { return (n + 3) &^ 3 }
