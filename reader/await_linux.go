package reader

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// socketPath is where pcscd listens; libpcsclite lets the environment override
// it.
func socketPath() string {
	if p := os.Getenv("PCSCLITE_CSOCK_NAME"); p != "" {
		return p
	}
	return "/run/pcscd/pcscd.comm"
}

// serviceSeen tells whether pcscd's socket is there.
func serviceSeen() bool {
	_, err := os.Stat(socketPath())
	return err == nil
}

// awaitService sleeps until something happens to pcscd's socket or to the
// folders above it. While there is a socket - then nobody listens, or not to
// us, and nothing would tell of a change - it waits a second at most.
func awaitService(ctx context.Context) {
	path := socketPath()
	watch, err := newDirWatch(filepath.Dir(path))
	if err != nil {
		_ = sleep(ctx, time.Second)
		return
	}
	defer watch.Close()
	stop := context.AfterFunc(ctx, func() { _ = watch.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := os.Stat(path); err == nil && ctx.Err() == nil {
		_ = watch.SetReadDeadline(time.Now().Add(time.Second))
		if ctx.Err() != nil {
			return
		}
	}
	var buf [4096]byte
	_, _ = watch.Read(buf[:])
	// A socket appears in bind, and takes connections only after listen.
	_ = sleep(ctx, 50*time.Millisecond)
}

// newDirWatch watches dir, or the nearest folder above it that there is.
func newDirWatch(dir string) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "inotify")
	const mask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_TO | unix.IN_ATTRIB | unix.IN_DELETE_SELF
	for {
		if _, err = unix.InotifyAddWatch(fd, dir, mask); err == nil {
			return f, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			_ = f.Close()
			return nil, err
		}
		dir = parent
	}
}
