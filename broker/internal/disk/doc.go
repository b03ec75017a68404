// Package disk is a disk that a test can watch, break and cut off. It is for
// tests, on Linux.
//
// # A folder that is watched (Dir)
//
// Mount shows a folder at a mount point (FUSE) and passes every operation
// through. It notes, in the order in which they took effect, every create,
// write, truncate, rename, link, unlink, mkdir, rmdir, fsync and fsync of a
// folder, with what was written (Op). Lines that the watched process writes to
// the file NotesName, at the top, are noted in the same order and kept nowhere:
// by them it says what it has answered.
//
// Nothing is synced to the real disk: what would be durable is what Images
// knows of it.
//
// Break lets the n-th operation of a kind fail: once, or from then on, with any
// error, or after half of a write. With Drop a failed fsync also takes back what
// it should have kept, as Linux may do with pages that it could not write.
//
// The process that works in the folder must be another one than the one that
// shows it: bbolt maps its file into memory, and a page fault that waits for a
// goroutine of its own process may wait for ever.
//
// # What a loss of power leaves (Images)
//
// Images replays what was noted and builds folders as a loss of power could
// leave them after each operation. What was synced is there. Of what was not:
//
//   - each 512-byte sector of each write is there or not, by itself;
//   - the size of a file is one that it had since;
//   - an entry of a folder (create, link, rename, unlink, mkdir, rmdir) is there
//     or not, until that folder is synced; entries of one name keep their order;
//     a rename inside a folder is whole; one into another folder may leave both
//     names, never none.
//
// This is less than ext4 and xfs promise, and as little as POSIX does: syncing a
// file does not sync its name.
//
// # A disk that is cut off (Loop)
//
// NewLoop makes a file system in a file and mounts it; Cut shuts it down with
// FS_IOC_GOINGDOWN and no flush, so that everything that is not on the disk by
// then is lost, and Renew mounts it again, which replays its journal. It does
// not model a disk that lies about its cache.
//
// # Where it works
//
// Each of them says ErrUnavailable, and what is missing, where the machine
// cannot do it: no /dev/fuse, not root, no loop device, no mkfs.
package disk

import "errors"

// ErrUnavailable is wrapped with what the machine lacks.
var ErrUnavailable = errors.New("disk: not possible on this machine")
