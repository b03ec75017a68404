package disk

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// cut shuts down the file system that f is on.
func cut(f *os.File) error {
	flag := uint32(noFlush)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), goingDown, uintptr(unsafe.Pointer(&flag)))
	if errno != 0 {
		return fmt.Errorf("disk: cut: %w", errno)
	}
	return nil
}
