//go:build unix

package boltstore

import (
	"fmt"
	"syscall"
)

// freeBytes is what an unprivileged process may still write under dir.
func freeBytes(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("boltstore: free space: %w", err)
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}
