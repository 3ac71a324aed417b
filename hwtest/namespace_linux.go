package hwtest

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// namespaces puts cmd into namespaces of its own. Whoever is not root gets a
// user namespace too, and is root in that.
func namespaces(cmd *exec.Cmd) {
	attr := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
	// The parent-death signal is that of the thread that starts the child.
	runtime.LockOSThread()
}

// probe tries whether namespaces are to be had, mounts included.
func probe() error {
	cmd := exec.Command("/bin/mount", "-t", "tmpfs", "tmpfs", "/run")
	namespaces(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) > 0 {
		return fmt.Errorf("%w: %s", err, out)
	}
	return err
}

// arrange furnishes the namespaces from within: an empty /run, a place for
// temporary files, processes of our own in /proc, no USB devices, and a loopback
// interface.
func arrange() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mounting /run: %w", err)
	}
	if err := unix.Mount("tmpfs", os.TempDir(), "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mounting %s: %w", os.TempDir(), err)
	}
	// Best with our own /proc; where that is forbidden (inside some containers)
	// the old one does, it only shows more.
	_ = unix.Mount("proc", "/proc", "proc", 0, "")
	// Real readers are not for this pcscd.
	if _, err := os.Stat("/dev/bus/usb"); err == nil {
		if err := unix.Mount("tmpfs", "/dev/bus/usb", "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("hiding USB devices: %w", err)
		}
	}
	return loopbackUp()
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("lo up: %w", err)
	}
	return nil
}

// dieWithUs makes cmd end when this process does.
func dieWithUs(cmd *exec.Cmd) {
	// No parent-death signal here: it is bound to a thread, and Go's threads
	// come and go. Inside, the process namespace ends all with its first
	// process. A process group of its own lets a time-out end what cmd started.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// pause stops pcscd where it is until the function returned is called.
func (d *daemon) pause() (goOn func()) {
	_ = d.cmd.Process.Signal(syscall.SIGSTOP)
	return func() { _ = d.cmd.Process.Signal(syscall.SIGCONT) }
}
