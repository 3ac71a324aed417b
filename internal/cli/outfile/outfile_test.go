package outfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write writes text to path and says what came of it.
func write(t *testing.T, path, text string, o Options) error {
	t.Helper()
	f, err := Create(path, o)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write([]byte(text)); err != nil {
		return err
	}
	return f.Commit()
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// only fails when anything but the named files is in dir: nothing temporary
// may stay behind.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("the directory has %q, not %q", got, names)
	}
}

func TestAFileAppearsWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	f, err := Create(path, Options{Mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("half"))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there before it is complete: %v", err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Stat(path); content(t, path) != "half" || st.Mode().Perm() != 0o600 {
		t.Errorf("%q, mode %v", content(t, path), st.Mode())
	}
	only(t, dir, "out")
}

func TestDiscardLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "out"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("x"))
	f.Discard()
	only(t, dir)
}

func TestWhatIsThereStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	os.WriteFile(path, []byte("old"), 0o644)
	if err := write(t, path, "new", Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that is there: %v", err)
	}
	// One that came up while the new one was written stays, too.
	late := filepath.Join(dir, "late")
	f, err := Create(late, Options{})
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(late, []byte("old"), 0o644)
	if err := f.Commit(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that came up: %v", err)
	}
	if content(t, path) != "old" || content(t, late) != "old" {
		t.Error("a file was replaced unasked")
	}
	if err := write(t, path, "new", Options{Force: true}); err != nil || content(t, path) != "new" {
		t.Errorf("with force: %v, %q", err, content(t, path))
	}
	only(t, dir, "late", "out")
}

func TestADirectoryIsNoOutput(t *testing.T) {
	dir := t.TempDir()
	for _, force := range []bool{false, true} {
		err := write(t, dir, "x", Options{Force: force})
		if err == nil || errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "is a directory") {
			t.Errorf("force %v: %v", force, err)
		}
	}
	err := write(t, filepath.Join(dir, "no", "out"), "x", Options{})
	if err == nil || !strings.Contains(err.Error(), filepath.Join("no", "out")+": ") {
		t.Errorf("a directory that is not there: %v", err)
	}
}
