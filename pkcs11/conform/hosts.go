//go:build linux && cgo

package conform

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

// Hosts loads the module into processes as they happen to be: without standard descriptors, without HOME, beside another
// library in Go, with little memory for locked pages, and raised in privilege.
func Hosts(t *testing.T, tg *Target) {
	host := func(change func(*testing.T, *Target)) func(*testing.T) {
		return func(t *testing.T) {
			other := *tg
			change(t, &other)
			signs(t, &other)
		}
	}
	sh := func(script string) []string { return []string{"/bin/sh", "-c", script + `; exec "$@"`, "sh"} }
	t.Run("closed stdin and stdout", host(func(_ *testing.T, o *Target) { o.Wrap = sh("exec <&- >&-") }))
	t.Run("closed stdin, stdout and stderr", host(func(_ *testing.T, o *Target) { o.Wrap = sh("exec <&- >&- 2>&-") }))
	t.Run("no HOME", host(func(_ *testing.T, o *Target) { o.Wrap = sh("unset HOME TMPDIR PATH") }))
	t.Run("no locked memory", host(func(_ *testing.T, o *Target) { o.Wrap = sh("ulimit -l 0") }))
	t.Run("few descriptors", host(func(_ *testing.T, o *Target) { o.Wrap = sh("ulimit -n 24") }))
	t.Run("beside another Go library", host(func(t *testing.T, o *Target) {
		o.Env = append(append([]string{}, o.Env...), "LD_PRELOAD="+besideLibrary(t))
	}))
	t.Run("raised in privilege", func(t *testing.T) { raised(t, tg) })
}

// signs is a short piece of work in a process of the target.
func signs(t *testing.T, tg *Target) {
	t.Helper()
	a, s := tg.within(t, User)
	pub, err := a.PublicKey(s, ECKey)
	if err != nil {
		t.Fatal(err)
	}
	sig, rv := a.Sign(s, Mech(p11.CKM_ECDSA), a.Key(s, p11.CKO_PRIVATE_KEY, ECKey), make([]byte, 32))
	want(t, "C_Sign", rv, p11.CKR_OK)
	if !verify(pub, make([]byte, 32), sig) {
		t.Error("the signature is wrong")
	}
	want(t, "C_Finalize", a.Finalize(), p11.CKR_OK)
}

func besideLibrary(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "beside.so")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", out, "cardbridge/pkcs11/conform/testdata/beside")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return out
}

// raised runs a copy of the driver that changes its user when it is executed (AT_SECURE): a module must then not let the
// environment choose what it talks to, so a token that only the environment names is not there.
func raised(t *testing.T, tg *Target) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to make a program that changes its user")
	}
	if !tg.FromEnvironment {
		t.Skip("this token is not chosen by the environment")
	}
	dir := t.TempDir()
	for d := dir; strings.HasPrefix(d, os.TempDir()) && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	driver := filepath.Join(dir, "driver")
	copyFile(t, compile(t, "driver"), driver)
	const nobody = 65534
	if err := os.Chown(driver, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(driver, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(dir, filepath.Base(tg.Module)) // where anyone may read it
	copyFile(t, tg.Module, module)
	if err := os.Chmod(module, 0o755); err != nil {
		t.Fatal(err)
	}
	other := *tg
	other.Module = module
	a, err := other.start(driver)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if status, err := os.ReadFile("/proc/" + pidOf(a) + "/status"); err != nil || !strings.Contains(string(status), "\nUid:\t0\t65534") {
		t.Skipf("the file system of %s does not change users (nosuid): %v", dir, err)
	}
	a.tb = t
	want(t, "C_Initialize", a.Initialize(), p11.CKR_OK)
	slots, rv := a.Slots(true)
	want(t, "C_GetSlotList", rv, p11.CKR_OK)
	for _, s := range slots {
		if info, rv := a.TokenInfo(s); rv == p11.CKR_OK {
			t.Errorf("the environment chose token %q", info.Label)
		}
	}
	want(t, "C_Finalize", a.Finalize(), p11.CKR_OK)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
