package boltstore

import (
	"errors"
	"fmt"
	"os"
)

// settle makes the disk and the memory of the kernel say the same of a file
// that is about to be read. What a process that was killed had written, and not
// synced, is in memory only: it is synced before anybody is answered from it.
// What a failed fsync left in memory may never have reached the disk, and the
// kernel takes it for written (fsync(2)): it is forgotten, and read from the
// disk again.
func settle(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("boltstore: open: %w", err)
	}
	err = f.Sync()
	if err == nil {
		forget(f)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("boltstore: sync what is there: %w", err)
	}
	return nil
}
