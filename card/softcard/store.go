package softcard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A store is the state file and what was last read of it. Readers need no lock, for a file is only ever replaced whole; who
// changes it holds the lock beside it from reading to replacing.
type store struct {
	path        string
	seen        os.FileInfo
	state       *state
	personality *personality
	memory      bool // the file was read once and is let alone
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

// settled is how old a file must be for its time and number to tell it from the next: clocks of file systems tick every few
// milliseconds, and the number of a file that was replaced is soon another's.
const settled = 50 * time.Millisecond

// stateMax is far more than any card's memory takes.
const stateMax = 4 << 20

// refresh reads the file if it is not the one that was read last.
func (s *store) refresh() error {
	if s.memory {
		return nil
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("softcard: the state file cannot be read: %w", err)
	}
	if s.seen != nil && os.SameFile(info, s.seen) && info.ModTime().Equal(s.seen.ModTime()) && info.Size() == s.seen.Size() {
		return nil
	}
	if !info.Mode().IsRegular() || info.Size() > stateMax {
		return fmt.Errorf("softcard: %s is not a software card: it is no file, or a very large one", s.path)
	}
	b, err := os.ReadFile(s.path)
	if err != nil {
		return fmt.Errorf("softcard: the state file cannot be read: %w", err)
	}
	st, p, err := decodeState(b)
	if err != nil {
		return fmt.Errorf("softcard: %s cannot be used as a card: %w; it was left as it is: bring back a copy, or create a card under another name", s.path, err)
	}
	s.seen, s.state, s.personality = info, st, p
	if time.Since(info.ModTime()) < settled {
		s.seen = nil
	}
	return nil
}

// change runs f on the newest state, alone among all processes, and keeps what f did before it returns: a counter that was
// not written was not counted.
func (s *store) change(f func() (keep bool)) error {
	if s.memory {
		f()
		return nil
	}
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
	s.seen = nil // read again: it is a new file, or what is in memory was not kept
	if err != nil {
		return fmt.Errorf("softcard: writing %s: %w", s.path, err)
	}
	return nil
}

// openStore reads the state file. A symbolic link is followed once, here, for all who come by different names to meet at one
// lock.
func openStore(path string) (store, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	s := store{path: path}
	return s, s.refresh()
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
