//go:build linux && cgo

package conform

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// usage is what a process holds.
type usage struct {
	rss     int // bytes
	threads int
	files   int
}

func (a *App) usage(tb testing.TB) usage {
	tb.Helper()
	u, err := usageOf(a.cmd.Process.Pid)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

func pidOf(a *App) string { return strconv.Itoa(a.cmd.Process.Pid) }

func usageOf(pid int) (u usage, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	field := func(name string) int {
		_, rest, _ := strings.Cut(string(status), "\n"+name+":")
		f := strings.Fields(rest)
		if len(f) == 0 {
			return 0
		}
		n, _ := strconv.Atoi(f[0])
		return n
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return usage{rss: field("VmRSS") << 10, threads: field("Threads"), files: len(files)}, err
}
