package reader

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestUSBReaders(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/1-2/manufacturer", "Yubico\n")
	write(t, dir+"/1-2/product", "YubiKey OTP+FIDO+CCID\n")
	write(t, dir+"/1-2:1.0/bInterfaceClass", "03\n")
	write(t, dir+"/1-2:1.2/bInterfaceClass", "0b\n")
	write(t, dir+"/1-3/idVendor", "072f\n")
	write(t, dir+"/1-3/idProduct", "2200\n")
	write(t, dir+"/1-3:1.0/bInterfaceClass", "0b\n")
	if err := os.Symlink("../../../../bus/usb/drivers/pn533_usb", dir+"/1-3:1.0/driver"); err != nil {
		t.Fatal(err)
	}
	got := usbReaders(dir)
	if len(got) != 2 || got[0] != (usbReader{"Yubico YubiKey OTP+FIDO+CCID", ""}) || got[1] != (usbReader{"USB device 072f:2200", "pn533_usb"}) {
		t.Errorf("%+v", got)
	}
}

func TestDirectScdaemon(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/12/comm", "bash\n")
	write(t, dir+"/345/comm", "scdaemon\n")
	if pid := directScdaemon(dir); pid != 0 {
		t.Error(pid)
	}
	if err := os.MkdirAll(dir+"/345/fd", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/bus/usb/001/004", dir+"/345/fd/7"); err != nil {
		t.Fatal(err)
	}
	if pid := directScdaemon(dir); pid != 345 {
		t.Error(pid)
	}
}

// With pcscd's socket in different states, by libpcsclite's own variable.
func TestDiagnoseService(t *testing.T) {
	if pcscdPath() == "" {
		d := &diagnosis{}
		if d.service(t.Context()) || !strings.Contains(d.findings[0].Fix, "pcscd") {
			t.Errorf("%+v", d.findings)
		}
		t.Skip("pcscd is not installed")
	}
	socket := filepath.Join(t.TempDir(), "pcscd.comm")
	t.Setenv("PCSCLITE_CSOCK_NAME", socket)
	look := func(want Verdict, words string) {
		t.Helper()
		d := &diagnosis{}
		ok := d.service(t.Context())
		if len(d.findings) != 1 || ok != (want == OK) || d.findings[0].Verdict != want || !strings.Contains(d.findings[0].Detail, words) ||
			(d.findings[0].Fix == "") != (want == OK) {
			t.Errorf("%+v", d.findings)
		}
	}
	look(Problem, "does not run")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	look(OK, "runs")
	_ = l.Close()
	look(Problem, "nobody listens")
}

// The service's start wakes whoever waits for it.
func TestAwaitService(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pcscd")
	socket := filepath.Join(dir, "pcscd.comm")
	t.Setenv("PCSCLITE_CSOCK_NAME", socket)
	wait := func() chan struct{} {
		done := make(chan struct{})
		go func() { awaitService(t.Context()); close(done) }()
		return done
	}
	// Nothing tells whether a wait has begun to watch: what is to wake it happens
	// again and again.
	expect := func(done chan struct{}, do, undo func()) {
		t.Helper()
		for end := time.Now().Add(3 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
			do()
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
			if time.Now().After(end) {
				t.Fatal("not woken")
			}
			undo()
		}
	}
	remove := func(path string) func() {
		return func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect(wait(), func() {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}, remove(dir))
	expect(wait(), func() { write(t, socket, "") }, remove(socket))
	nothing := func() {}
	expect(wait(), nothing, nothing) // a socket that does not work is tried again after a while
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	awaitService(ctx)
}

func TestPeers(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // at the end
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // at the end
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
	found, err := peers(socket)
	if err != nil {
		t.Skipf("the kernel does not tell: %v", err)
	}
	if len(found) != 1 || !hasSocket("/proc/self", found) {
		t.Errorf("%v", found)
	}
	if found, _ := peers(socket + "x"); len(found) != 0 {
		t.Errorf("%v", found)
	}
}

func FuzzParseDiag(f *testing.F) {
	msg := make([]byte, 16+16+8)
	binary.NativeEndian.PutUint32(msg, uint32(len(msg)))
	binary.NativeEndian.PutUint16(msg[4:], sockDiagByFamily)
	f.Add(msg)
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = parseDiag(b, "/x", map[uint32]bool{}) })
}
