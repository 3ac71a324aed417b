package outfile

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

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
			if err := write(t, name, "through", Options{Force: force}); err != nil {
				t.Fatal(err)
			}
			if s := <-got; s != "through" {
				t.Errorf("the pipe's reader got %q", s)
			}
			if st, err := os.Lstat(path); err != nil || st.Mode().Type() != fs.ModeNamedPipe {
				t.Fatalf("the pipe is %v now (%v)", st.Mode(), err)
			}
		}
	}
	only(t, dir, "link", "pipe")
}

func TestALinkStays(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	os.WriteFile(path, []byte("old"), 0o644)
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	if err := write(t, link, "new", Options{Force: true}); err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Lstat(link); st.Mode().Type() != fs.ModeSymlink || content(t, path) != "new" {
		t.Errorf("the link is %v now, the file has %q", st.Mode(), content(t, path))
	}
}
