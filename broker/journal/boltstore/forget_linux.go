//go:build linux && (amd64 || arm64)

package boltstore

import (
	"os"
	"syscall"
)

// dontNeed is POSIX_FADV_DONTNEED of posix_fadvise(2).
const dontNeed = 4

// forget drops the pages of a file that the kernel holds and takes for written.
// It is advice: where it is not taken, nothing is worse than without.
func forget(f *os.File) {
	_, _, _ = syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0)
}
