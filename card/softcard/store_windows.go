package softcard

import (
	"os"
	"syscall"
	"time"
)

const sharingViolation = syscall.Errno(32) // ERROR_SHARING_VIOLATION

// lockFile takes the lock by opening the file with no sharing, and tries again while another process has it open. The system
// closes it when the process ends.
func lockFile(path string) (unlock func(), err error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	for {
		h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
			syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
		if err == nil {
			return func() { _ = syscall.CloseHandle(h) }, nil
		}
		if err != sharingViolation {
			return nil, &os.PathError{Op: "lock", Path: path, Err: err}
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// syncDirectory has nothing to do: directories cannot be flushed here.
func syncDirectory(string) error { return nil }
