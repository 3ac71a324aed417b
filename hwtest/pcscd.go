package hwtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cardbridge/card/softcard"
)

const (
	pcscdPath   = "/usr/sbin/pcscd"
	pcscdSocket = "/run/pcscd/pcscd.comm"
	vpcdDriver  = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
)

// A daemon is one run of pcscd.
type daemon struct {
	cmd    *exec.Cmd
	done   chan struct{} // closed when it has ended
	err    error
	output string // the file it writes to
}

// configure writes pcscd's configuration for readers of these names, each with
// a driver of its own: vpcd keeps its state in static variables.
func configure(dir string, names []string) error {
	driver, err := os.ReadFile(vpcdDriver)
	if err != nil {
		return err
	}
	var conf strings.Builder
	for i, name := range names {
		lib := filepath.Join(dir, fmt.Sprintf("libifdvpcd%d.so", i))
		if err := os.WriteFile(lib, driver, 0o755); err != nil {
			return err
		}
		port := vpcdPort(i)
		fmt.Fprintf(&conf, "FRIENDLYNAME %q\nDEVICENAME /dev/null:0x%X\nLIBPATH %s\nCHANNELID 0x%X\n\n", name, port, lib, port)
	}
	readers := filepath.Join(dir, "reader.conf.d")
	if err := os.Mkdir(readers, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "usb"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(readers, "vpcd"), []byte(conf.String()), 0o644)
}

// vpcdPort is where the i-th reader's driver listens. Each serves two slots, on
// two ports.
func vpcdPort(i int) int { return softcard.DefaultPort + 2*i }

// startDaemon starts pcscd with the configuration in dir and waits until
// every reader's driver listens.
func startDaemon(dir string, readers int) (*daemon, error) {
	output := filepath.Join(dir, "pcscd.log")
	log, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // only the child writes
	// More programs at a time than the usual 200: the fork suites have a hundred
	// and more, each with two contexts.
	args := []string{"--foreground", "--config", filepath.Join(dir, "reader.conf.d"), "--max-thread", "1000", "--max-card-handle-per-reader", "1000"}
	if help, _ := exec.Command(pcscdPath, "--help").CombinedOutput(); strings.Contains(string(help), "--disable-polkit") {
		args = append(args, "--disable-polkit")
	}
	cmd := exec.Command(pcscdPath, args...)
	cmd.Env = append(os.Environ(), "PCSCLITE_HP_DROPDIR="+filepath.Join(dir, "usb"))
	cmd.Stdout, cmd.Stderr = log, log
	dieWithUs(cmd)
	cmd.Cancel = nil
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &daemon{cmd: cmd, done: make(chan struct{}), output: output}
	go func() {
		d.err = cmd.Wait()
		close(d.done)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	err = until(ctx, func() bool {
		if _, err := os.Stat(pcscdSocket); err != nil {
			return false
		}
		for i := range readers {
			if !listening(vpcdPort(i)) {
				return false
			}
		}
		return true
	})
	if err != nil {
		d.kill()
		text, _ := os.ReadFile(output)
		return nil, fmt.Errorf("pcscd does not come up: %w\n%s", err, text)
	}
	return d, nil
}

// listening looks into the kernel's table: connecting would look like a card.
func listening(port int) bool {
	table, err := os.ReadFile("/proc/self/net/tcp")
	return err == nil && strings.Contains(string(table), fmt.Sprintf(":%04X 00000000:0000 0A", port))
}

// stop ends pcscd in good order, which takes it a second or two.
func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(Patience):
	}
	d.kill()
}

// kill ends pcscd at once.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	<-d.done
	_ = os.RemoveAll(filepath.Dir(pcscdSocket))
}

// until waits for a condition, or for the end of ctx.
func until(ctx context.Context, condition func() bool) error {
	for !condition() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}
