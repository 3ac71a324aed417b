package reader

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// startAdvice says how to get pcscd to run here.
func startAdvice() string {
	if pcscdPath() == "" {
		return "install it with: " + installCommand("pcscd")
	}
	// To libpcsclite, a socket that it cannot see is no service.
	if socket := socketPath(); errors.Is(dial(socket), os.ErrPermission) {
		return fmt.Sprintf("or this user may not connect to %s, which is mended with: %s", socket, permitCommand(socket))
	}
	return "start it with: " + startCommand()
}

// permitCommand lets everybody connect to pcscd, as it is made.
func permitCommand(socket string) string {
	return "chmod a+rx " + filepath.Dir(socket) + " && chmod a+rw " + socket
}

// pcscdPath is where distributions put it; it is not in a user's path.
func pcscdPath() string {
	for _, p := range []string{"/usr/sbin/pcscd", "/usr/bin/pcscd", "/usr/local/sbin/pcscd", "/run/current-system/sw/bin/pcscd"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	p, _ := exec.LookPath("pcscd")
	return p
}

// systemd tells whether the system was started with systemd, sd_booted(3).
func systemd() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// installers are package managers and how they install.
var installers = []struct{ path, command string }{
	{"/usr/bin/apt-get", "apt-get install "},
	{"/usr/bin/dnf", "dnf install "},
	{"/usr/bin/zypper", "zypper install "},
	{"/usr/bin/pacman", "pacman -S "},
	{"/sbin/apk", "apk add "},
}

// packages are other names of packages, by package manager and Debian's name.
var packages = map[string]string{
	"dnf install pcscd":      "pcsc-lite",
	"dnf install libccid":    "pcsc-lite-ccid",
	"zypper install pcscd":   "pcsc-lite",
	"zypper install libccid": "pcsc-ccid",
	"pacman -S pcscd":        "pcsclite",
	"pacman -S libccid":      "ccid",
	"apk add pcscd":          "pcsc-lite",
	"apk add libccid":        "ccid",
}

func installCommand(debian string) string {
	for _, i := range installers {
		if _, err := os.Stat(i.path); err == nil {
			if name, ok := packages[i.command+debian]; ok {
				return i.command + name
			}
			return i.command + debian
		}
	}
	return "your package manager (Debian's name: " + debian + ")"
}
