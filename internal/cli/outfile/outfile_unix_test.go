//go:build unix

package outfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	f, err := Create(path, Options{Mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("text"))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("there before it is whole")
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Discard()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	if names := list(t, dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestDiscard(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "out"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("half"))
	f.Discard()
	if names := list(t, dir); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestNothingIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	late, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	// Somebody else makes the file in the meantime.
	if err := os.WriteFile(path, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	late.Write([]byte("ours"))
	if err := late.Commit(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("commit: %v", err)
	}
	if _, err := Create(path, Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "theirs" {
		t.Errorf("%q", b)
	}
	f, err := Create(path, Options{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("ours"))
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "ours" {
		t.Errorf("with force: %q", b)
	}
	// A link to nowhere is a name that is taken.
	link := path + ".link"
	if err := os.Symlink("nowhere", link); err != nil {
		t.Skip(err)
	}
	if _, err := Create(link, Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create over a link: %v", err)
	}
}

// TestWhatIsNoFile writes to devices, pipes and through links, and replaces none of them.
func TestWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Skip(err)
	}
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("target", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		b, _ := os.ReadFile(filepath.Join(dir, "fifo"))
		got <- string(b)
	}()
	for _, path := range []string{os.DevNull, filepath.Join(dir, "fifo"), filepath.Join(dir, "link")} {
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Create(path, Options{Force: true})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		f.Write([]byte("text"))
		if err := f.Commit(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		f.Discard()
		after, err := os.Lstat(path)
		if err != nil || before.Mode() != after.Mode() {
			t.Errorf("%s was %v and is %v, %v", path, before.Mode(), after, err)
		}
	}
	if s := <-got; s != "text" {
		t.Errorf("the pipe got %q", s)
	}
	if b, _ := os.ReadFile(target); string(b) != "text" {
		t.Errorf("behind the link: %q", b)
	}
	if _, err := Create(dir, Options{Force: true}); err == nil {
		t.Error("a directory was taken")
	}
	if _, err := Create(filepath.Join(dir, "link"), Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("through a link without force: %v", err)
	}
}
