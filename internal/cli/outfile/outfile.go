// Package outfile writes files whole or not at all: what is written appears
// under its name only when it is complete, and never replaces what is there
// unless that is asked for.
package outfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A File is being written beside its final name.
type File struct {
	tmp    *os.File
	path   string
	force  bool
	direct bool // tmp is no file: it is written to as it is
}

// Options of Create.
type Options struct {
	Mode  fs.FileMode // 0 for 0644; what is secret takes 0600
	Force bool        // replace a file that is there
}

// Create begins to write path. A path that is taken is refused at once
// (fs.ErrExist), before a key is used or made for it. A link leads to the file that
// it points to; what is no file at all - a device, a pipe - is written to as it
// is, and never replaced.
func Create(path string, o Options) (*File, error) {
	st, err := os.Stat(path)
	switch {
	case err == nil && st.IsDir():
		return nil, &fs.PathError{Op: "create", Path: path, Err: errors.New("is a directory")}
	case err == nil && !st.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return &File{tmp: f, path: path, direct: true}, nil
	case err == nil && o.Force:
		// What is replaced is the file, not a link to it.
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
	default:
		// Nothing is there, or a link to nothing, which is a name that is taken.
		if err := Free(path); err != nil {
			return nil, err
		}
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		// The temporary name means nothing to anybody.
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = &fs.PathError{Op: "create", Path: path, Err: pe.Err}
		}
		return nil, err
	}
	mode := o.Mode
	if mode == 0 {
		mode = 0o644
	}
	if err := tmp.Chmod(mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		tmp.Close()
		os.Remove(tmp.Name())
		return nil, err
	}
	return &File{tmp: tmp, path: path, force: o.Force}, nil
}

// Free is nil when nothing has the name path.
func Free(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Write adds to what will appear.
func (f *File) Write(b []byte) (int, error) { return f.tmp.Write(b) }

// Commit makes the file appear under its name.
func (f *File) Commit() (err error) {
	if f.direct {
		return f.tmp.Close()
	}
	name := f.tmp.Name()
	defer os.Remove(name)
	if err := f.tmp.Sync(); err != nil {
		f.tmp.Close()
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	if err := f.tmp.Close(); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	if f.force {
		// It may have become something else since Create.
		if st, err := os.Lstat(f.path); err == nil && !st.Mode().IsRegular() {
			return &fs.PathError{Op: "replace", Path: f.path, Err: errors.New("is no file any more")}
		}
		return os.Rename(name, f.path)
	}
	// A link never replaces a file, a rename does: where links exist, nobody
	// who made the file in the meantime loses it.
	err = os.Link(name, f.path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := Free(f.path); err != nil {
		return err
	}
	return os.Rename(name, f.path)
}

// Discard ends without a file. After Commit it does nothing.
func (f *File) Discard() {
	f.tmp.Close()
	if !f.direct {
		os.Remove(f.tmp.Name())
	}
}
