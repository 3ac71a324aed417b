package reader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// service looks whether pcscd is there, runs and lets us in; false means that
// nothing else makes sense to look at.
func (d *diagnosis) service(ctx context.Context) bool {
	path := pcscdPath()
	if path == "" {
		d.add("pcscd", Problem, "pcscd, the PC/SC service, is not installed", installCommand("pcscd"))
		return false
	}
	version := pcscdVersion(ctx, path)
	socket := socketPath()
	err := dial(socket)
	switch {
	case err == nil:
		d.add("pcscd", OK, strings.TrimSpace("runs: "+path+" "+version), "")
		return true
	case errors.Is(err, os.ErrNotExist):
		detail := "pcscd does not run"
		if systemd() && unitDisabled(ctx) {
			detail += ", and systemd does not start it when it is needed: pcscd.socket is disabled"
		}
		d.add("pcscd", Problem, detail, startCommand())
	case errors.Is(err, os.ErrPermission):
		d.add("pcscd", Problem, fmt.Sprintf("this user may not connect to %s (mode %s)", socket, mode(socket)), permitCommand(socket))
	case errors.Is(err, unix.ECONNREFUSED):
		d.add("pcscd", Problem, "nobody listens on "+socket+": pcscd has crashed or was killed", restartCommand())
	default:
		d.add("pcscd", Problem, fmt.Sprintf("cannot connect to %s: %v", socket, err), restartCommand())
	}
	return false
}

// dial connects to a socket and hangs up. A queue of callers that is full is
// proof enough of somebody who listens.
func dial(socket string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: socket}); !errors.Is(err, unix.EAGAIN) {
		return err
	}
	return nil
}

var versionText = regexp.MustCompile(`version (\d+(?:\.\d+)+)`)

func pcscdVersion(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if m := versionText.FindSubmatch(out); err == nil && m != nil {
		return string(m[1])
	}
	return ""
}

func unitDisabled(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "systemctl", "is-enabled", "pcscd.socket").Output()
	return strings.TrimSpace(string(out)) == "disabled" || strings.TrimSpace(string(out)) == "masked"
}

func startCommand() string {
	if systemd() {
		return "systemctl enable --now pcscd.socket"
	}
	return "service pcscd start"
}

func restartCommand() string {
	if systemd() {
		return "systemctl restart pcscd.socket"
	}
	return "service pcscd restart"
}

func mode(path string) string {
	for _, p := range []string{path, filepath.Dir(path)} {
		if st, err := os.Stat(p); err == nil {
			return st.Mode().String()
		}
	}
	return "unknown"
}

// policy is where pcscd's package tells polkit who may use cards.
const policy = "/usr/share/polkit-1/actions/org.debian.pcsc-lite.policy"

// refused: pcscd is there, but does not want us. It hangs up on whom polkit
// does not know to sit at the machine.
func (d *diagnosis) refused(err error) {
	if _, statErr := os.Stat(policy); statErr != nil || errors.Is(err, errNoCgo) {
		d.add("pcscd", Problem, err.Error(), restartCommand())
		return
	}
	detail := fmt.Sprintf("pcscd refuses this user (%v): polkit lets only those who sit at the machine use cards", err)
	if os.Getenv("SSH_CONNECTION") != "" {
		detail += ", and this is a remote session"
	}
	name := os.Getenv("USER")
	if name == "" || strings.ContainsAny(name, `'"\/`) {
		name = "USER"
	}
	rule := fmt.Sprintf(`polkit.addRule(function(a, s) { if (a.id.indexOf("org.debian.pcsc-lite.") == 0 && s.user == %q) return polkit.Result.YES; });`, name)
	d.add("polkit", Problem, detail, "echo '"+rule+"' | sudo tee /etc/polkit-1/rules.d/50-pcsc-"+name+".rules")
}

// driverDirs are where distributions put drivers of USB readers.
var driverDirs = []string{"/usr/lib/pcsc/drivers", "/usr/lib64/pcsc/drivers", "/usr/lib/pcsc-lite/readers", "/usr/local/lib/pcsc/drivers"}

// drivers compares what is plugged in with what PC/SC sees of it.
func (d *diagnosis) drivers(states []State) {
	ccid := false
	for _, dir := range driverDirs {
		found, _ := filepath.Glob(filepath.Join(dir, "ifd-ccid.bundle"))
		ccid = ccid || len(found) > 0
	}
	plugged := usbReaders("/sys/bus/usb/devices")
	switch {
	case !ccid:
		v := Note
		if len(states) == 0 {
			v = Problem
		}
		d.add("drivers", v, "the driver of USB readers and tokens (CCID) is not installed", installCommand("libccid"))
	case len(plugged) == 0 && len(states) == 0:
		d.add("readers", Problem, "no reader is connected", "connect one; cardtool watch shows when it is seen")
	case len(states) == 0:
		names := make([]string, len(plugged))
		fix := restartCommand()
		for i, p := range plugged {
			names[i] = p.name
			if strings.HasPrefix(p.kernelDriver, "pn533") || p.kernelDriver == "nfc" {
				names[i] += " (taken by the kernel's " + p.kernelDriver + ")"
				fix = "modprobe -r " + p.kernelDriver
			}
		}
		d.add("drivers", Problem, "plugged in, but not seen by pcscd: "+strings.Join(names, ", "), fix)
	default:
		d.add("drivers", OK, "CCID driver installed", "")
	}
}

// A usbReader is a USB device with an interface of the smart card class.
type usbReader struct{ name, kernelDriver string }

const smartCardClass = "0b"

// usbReaders reads the kernel's list of USB interfaces: DEVICE:CONFIG.INTERFACE.
func usbReaders(dir string) []usbReader {
	var found []usbReader
	interfaces, _ := filepath.Glob(filepath.Join(dir, "*:*"))
	for _, i := range interfaces {
		if sysfs(i, "bInterfaceClass") != smartCardClass {
			continue
		}
		device := filepath.Join(dir, strings.SplitN(filepath.Base(i), ":", 2)[0])
		r := usbReader{name: strings.TrimSpace(sysfs(device, "manufacturer") + " " + sysfs(device, "product"))}
		if r.name == "" {
			r.name = "USB device " + sysfs(device, "idVendor") + ":" + sysfs(device, "idProduct")
		}
		r.name = printable(r.name)
		if target, err := os.Readlink(filepath.Join(i, "driver")); err == nil {
			r.kernelDriver = filepath.Base(target)
		}
		found = append(found, r)
	}
	return found
}

func sysfs(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// neighbours says who else is there, and who is known for getting in the way.
func (d *diagnosis) neighbours(states []State) {
	holders := Holders()
	if len(holders) > 0 {
		d.add("other programs", Note, "connected to pcscd"+strings.ReplaceAll(named(holders), " or ", ", "), "")
	}
	if pid := directScdaemon("/proc"); pid != 0 {
		v := Note
		if len(states) == 0 {
			v = Problem
		}
		d.add("GnuPG", v, fmt.Sprintf("scdaemon (process %d) has a USB reader open past pcscd, which cannot use it then", pid),
			"echo disable-ccid >> ~/.gnupg/scdaemon.conf && gpgconf --kill scdaemon")
	}
}

// directScdaemon is the scdaemon that has a USB device open by itself, 0 for
// none.
func directScdaemon(proc string) int {
	dirs, _ := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	for _, dir := range dirs {
		if sysfs(dir, "comm") != "scdaemon" {
			continue
		}
		fds, _ := os.ReadDir(filepath.Join(dir, "fd"))
		for _, fd := range fds {
			target, _ := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
			if strings.HasPrefix(target, "/dev/bus/usb/") {
				var pid int
				_, _ = fmt.Sscan(filepath.Base(dir), &pid)
				return pid
			}
		}
	}
	return 0
}
