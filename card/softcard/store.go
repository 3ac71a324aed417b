package softcard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A store is the state file and what was last read of it. Readers need no lock, for a file is only ever replaced whole; who
// changes it holds the lock beside it from reading to replacing.
type store struct {
	path        string
	seen        os.FileInfo
	state       *state
	personality *personality
}

// Create makes the state file of a fresh card. It never overwrites.
func Create(path, personality string) error {
	p, ok := personalityByName(personality)
	if !ok {
		return fmt.Errorf("softcard: there is no personality %q", personality)
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("softcard: %s exists already and is left as it is: %w", path, fs.ErrExist)
	}
	s, err := newState(p)
	if err != nil {
		return fmt.Errorf("softcard: making %s: %w", path, err)
	}
	b, err := s.encode()
	if err != nil {
		return fmt.Errorf("softcard: making %s: %w", path, err)
	}
	if err := writeNew(path, b); err != nil {
		return fmt.Errorf("softcard: making %s: %w", path, err)
	}
	return nil
}

// refresh reads the file if it is not the one that was read last.
func (s *store) refresh() error {
	info, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("softcard: the state file cannot be read: %w", err)
	}
	if s.seen != nil && os.SameFile(info, s.seen) && info.ModTime().Equal(s.seen.ModTime()) && info.Size() == s.seen.Size() {
		return nil
	}
	b, err := os.ReadFile(s.path)
	if err != nil {
		return fmt.Errorf("softcard: the state file cannot be read: %w", err)
	}
	st, p, err := decodeState(b)
	if err != nil {
		return fmt.Errorf("softcard: cannot use %s as a card: %w; it was left as it is: bring back a copy, or create a card under another name", s.path, err)
	}
	s.seen, s.state, s.personality = info, st, p
	return nil
}

// change runs f on the newest state, alone among all processes, and keeps what f did before it returns: a counter that was
// not written was not counted.
func (s *store) change(f func() (keep bool)) error {
	unlock, err := lockFile(lockPath(s.path))
	if err != nil {
		return fmt.Errorf("softcard: locking %s: %w", s.path, err)
	}
	defer unlock()
	if err := s.refresh(); err != nil {
		return err
	}
	if !f() {
		return nil
	}
	b, err := s.state.encode()
	if err == nil {
		err = replace(s.path, b)
	}
	if err != nil {
		s.seen = nil // what is in memory was not kept: read it again
		return fmt.Errorf("softcard: writing %s: %w", s.path, err)
	}
	s.seen, err = os.Stat(s.path)
	if err != nil {
		s.seen = nil
	}
	return nil
}

// lockPath is a file of its own beside the state file, since replacing a file takes a lock on it away.
func lockPath(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock")
}

// writeTemp writes b to a new file beside path and onto the disk.
func writeTemp(path string, b []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// replace puts b in the place of the file in one step.
func replace(path string, b []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	name, err := writeTemp(path, b)
	if err != nil {
		return err
	}
	if err := os.Rename(name, path); err != nil {
		_ = os.Remove(name)
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

// writeNew is replace for a file that must not be there: a hard link fails where a rename would overwrite.
func writeNew(path string, b []byte) error {
	name, err := writeTemp(path, b)
	if err != nil {
		return err
	}
	defer os.Remove(name) // what is left is an unused temporary file
	if err := os.Link(name, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		// No hard links here: an exclusive file, not written in one step but never over another.
		return writeExclusive(path, b)
	}
	return syncDirectory(filepath.Dir(path))
}

func writeExclusive(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(path)
	}
	return err
}
