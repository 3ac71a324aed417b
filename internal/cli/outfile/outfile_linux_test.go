package outfile

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func write(t *testing.T, path, text string, o Options) {
	t.Helper()
	f, err := Create(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Discard()
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
}

// A pipe stands for all that is no file, /dev/null first of all: replaced by
// root, it is gone for the whole machine.
func TestWhatIsNoFileIsWrittenTo(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		for _, force := range []bool{false, true} {
			got := make(chan string, 1)
			go func() {
				r, err := os.Open(path)
				if err != nil {
					got <- err.Error()
					return
				}
				defer r.Close()
				b, _ := io.ReadAll(r)
				got <- string(b)
			}()
			write(t, name, "through", Options{Force: force})
			if s := <-got; s != "through" {
				t.Errorf("the pipe's reader got %q", s)
			}
			if st, err := os.Lstat(path); err != nil || st.Mode().Type() != fs.ModeNamedPipe {
				t.Fatalf("the pipe is %v now (%v)", st.Mode(), err)
			}
		}
	}
	if names := list(t, dir); len(names) != 2 {
		t.Errorf("left behind: %v", names)
	}
}

func TestALinkStays(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	os.WriteFile(path, []byte("old"), 0o644)
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	write(t, link, "new", Options{Force: true})
	b, err := os.ReadFile(path)
	if st, _ := os.Lstat(link); st.Mode().Type() != fs.ModeSymlink || string(b) != "new" {
		t.Errorf("the link is %v now, the file has %q (%v)", st.Mode(), b, err)
	}
}
