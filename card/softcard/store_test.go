package softcard

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card.json")
	if err := Create(path, "no such"); err == nil || !strings.Contains(err.Error(), "no such") {
		t.Error(err)
	}
	if err := Create(path, "nist"); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Create(path, "nist"); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
	after, _ := os.ReadFile(path)
	if !bytes.Equal(before, after) {
		t.Error("an existing file was changed")
	}
	if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if !bytes.Contains(before, []byte(`"WARNING": "This file protects nothing.`)) {
		t.Error("the file does not say what it is")
	}
	if err := Create(filepath.Join(t.TempDir(), "no", "such", "folder"), "nist"); err == nil {
		t.Error("created in a folder that is not there")
	}
	noLitter(t, path)
}

// noLitter insists that nothing but the state file and its lock is left.
func noLitter(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) && e.Name() != filepath.Base(lockPath(path)) {
			t.Errorf("%s was left", e.Name())
		}
	}
}

// A file that is no good is named, and left alone.
func TestUnusableState(t *testing.T) {
	good := filepath.Join(t.TempDir(), "card.json")
	if err := Create(good, "global-pin"); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(good)
	for name, content := range map[string][]byte{
		"empty":         {},
		"cut":           b[:len(b)/2],
		"other":         []byte("{}"),
		"not json":      []byte("PK\x03\x04"),
		"newer":         bytes.Replace(b, []byte(`"version": 1`), []byte(`"version": 2`), 1),
		"personality":   bytes.Replace(b, []byte(`"global-pin"`), []byte(`"gl0bal"`), 1),
		"no global PIN": bytes.Replace(b, []byte(`"globalPIN"`), []byte(`"globalPIM"`), 1),
		"tries":         bytes.Replace(b, []byte(`"tries": 3`), []byte(`"tries": 300`), 1),
		"short PIN":     bytes.Replace(b, []byte(`313233343536ffff`), []byte(`3132`), 1),
		"no hex":        bytes.Replace(b, []byte(`313233343536ffff`), []byte(`xx`), 1),
		"admin":         bytes.Replace(b, []byte(`"algorithm": 3`), []byte(`"algorithm": 4`), 1),
		"trailing":      append(bytes.Clone(b), "more"...),
		"no keys":       bytes.Replace(b, []byte(`"keys": {}`), []byte(`"keys": null`), 1),
	} {
		path := filepath.Join(t.TempDir(), "bad.json")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Open(path)
		if err == nil {
			_ = c.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, content) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a folder was opened as a card")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// A card whose file goes bad under it says so and does not write over it.
func TestStateGoesBad(t *testing.T) {
	h := newHost(t, "nist")
	if err := os.WriteFile(h.path, []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.card.Transmit(unhex(verifyBad)); err == nil || !strings.Contains(err.Error(), h.path) {
		t.Error(err)
	}
	if b, _ := os.ReadFile(h.path); string(b) != "bad" {
		t.Error("written over")
	}
	if pin, puk := h.card.Tries(); pin != -1 || puk != -1 {
		t.Error(pin, puk)
	}
}

// Nothing is answered, or granted, that was not kept.
func TestCannotWrite(t *testing.T) {
	h := newHost(t, "nist")
	h.want(verifyBad, 0x63C2)
	if err := os.Remove(lockPath(h.path)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(lockPath(h.path), 0o700); err != nil { // nothing that can be locked
		t.Fatal(err)
	}
	for _, command := range []string{verifyBad, verifyGood} {
		if _, err := h.card.Transmit(unhex(command)); err == nil || !strings.Contains(err.Error(), h.path) {
			t.Errorf("a try was answered that cannot have been counted: %v", err)
		}
		if pin, _ := h.card.Tries(); pin != 2 {
			t.Errorf("%d tries", pin)
		}
		h.want(selectPIV, 0x9000)
		h.want(pinStatus, 0x63C2)
	}
}

func TestTwoCardsOneFile(t *testing.T) {
	a := newHost(t, "yubikey-5.7")
	b := &host{t: t, path: a.path}
	b.card = b.insert()
	b.want(selectPIV, 0x9000)
	a.want(verifyBad, 0x63C2)
	b.want(pinStatus, 0x63C2)
	b.want(verifyGood, 0x9000)
	a.want(pinStatus, 0x63C3) // verified there, not here
	a.admin()
	a.want("0047009A05 AC03800111", 0x9000)
	b.want("00F7009A", 0x9000)
}

func TestSymbolicLink(t *testing.T) {
	a := newHost(t, "nist")
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(a.path, link); err != nil {
		t.Skip(err)
	}
	b := &host{t: t, path: link}
	b.card = b.insert()
	b.want(selectPIV, 0x9000)
	b.want(verifyBad, 0x63C2)
	a.want(pinStatus, 0x63C2)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is no more: %v %v", info, err)
	}
	noLitter(t, link)
}

// Many processes on one file lose no count. This test's binary is those processes.
func TestManyProcesses(t *testing.T) {
	if path := os.Getenv("SOFTCARD_TEST_WRITER"); path != "" {
		h := &host{t: t, path: path}
		h.card = h.insert()
		h.want(selectPIV, 0x9000)
		for range 20 {
			h.send(unhex(verifyBad))
		}
		return
	}
	const processes = 4
	h := newHost(t, "yubikey-5.7")
	h.admin()
	h.want(verifyGood, 0x9000)
	h.want("00FAC803", 0x9000) // 200 tries
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestManyProcesses$")
			cmd.Env = append(os.Environ(), "SOFTCARD_TEST_WRITER="+h.path)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	if pin, _ := h.card.Tries(); pin != 200-20*processes {
		t.Errorf("%d tries left of 200 after %d wrong PINs", pin, 20*processes)
	}
	noLitter(t, h.path)
}

// Many goroutines on one Card, with resets and removals between: no race, no answer that is none.
func TestConcurrent(t *testing.T) {
	h := newHost(t, "nist")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if b, err := h.card.Transmit(unhex(pinStatus)); err == nil && len(b) < 2 || err != nil && !errors.Is(err, ErrRemoved) {
					t.Errorf("%X %v", b, err)
				}
			}
		})
	}
	for range 20 {
		h.card.Reset()
		h.card.Remove()
		_ = h.card.ATR()
		h.card.Insert()
		h.card.SetFaults(nil)
		h.card.Count()
	}
	wg.Wait()
}
