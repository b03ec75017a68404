package disk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// goingDown is FS_IOC_GOINGDOWN of linux/fs.h (the number of XFS, which ext4
// shares), and noFlush its flag that writes nothing more, not even the journal.
const (
	goingDown = 0x8004587d
	noFlush   = 2
)

// loopSize is room for a test, in MiB, and the least that mkfs.xfs takes.
const loopSize = 320

// Loop is a file system in a file.
type Loop struct {
	Path string // where it is mounted
	kind string
	file string
}

// NewLoop makes a file system of a kind ("ext4", "xfs") in a file of dir and
// mounts it in a folder there. size is in MiB; 0 is enough for a test.
// ErrUnavailable where that cannot be done.
func NewLoop(kind, dir string, size int) (*Loop, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: mounting needs root", ErrUnavailable)
	}
	mkfs, err := exec.LookPath("mkfs." + kind)
	if err != nil {
		return nil, fmt.Errorf("%w: no mkfs.%s (Debian package %s)", ErrUnavailable, kind, map[string]string{"ext4": "e2fsprogs", "xfs": "xfsprogs"}[kind])
	}
	if size == 0 {
		size = loopSize
	}
	l := &Loop{Path: filepath.Join(dir, "disk"), kind: kind, file: filepath.Join(dir, kind+".img")}
	f, err := os.Create(l.file)
	if err != nil {
		return nil, fmt.Errorf("disk: %w", err)
	}
	if err := errors.Join(f.Truncate(int64(size)<<20), f.Close(), os.MkdirAll(l.Path, 0o700)); err != nil {
		return nil, fmt.Errorf("disk: %w", err)
	}
	if out, err := exec.Command(mkfs, "-q", l.file).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("disk: mkfs.%s: %w: %s", kind, err, out)
	}
	if err := l.mount(); err != nil {
		return nil, fmt.Errorf("%w: no loop device for %s: %w", ErrUnavailable, kind, err)
	}
	return l, nil
}

func (l *Loop) mount() error {
	if out, err := exec.Command("mount", "-o", "loop", "-t", l.kind, l.file, l.Path).CombinedOutput(); err != nil {
		return fmt.Errorf("disk: mount: %w: %s", err, out)
	}
	return nil
}

// Cut shuts the file system down: what is not on the disk by now is lost, and
// every write fails until Renew.
func (l *Loop) Cut() error {
	f, err := os.Open(l.Path)
	if err != nil {
		return fmt.Errorf("disk: cut: %w", err)
	}
	defer f.Close()
	return cut(f)
}

// Renew mounts again what was cut. Nobody may have it open.
func (l *Loop) Renew() error { return errors.Join(l.Close(), l.mount()) }

// ReadOnly mounts it so that nothing can be written, or so that it can again.
// It stays where it is, under those who use it; EBUSY while a
// file is open for writing.
func (l *Loop) ReadOnly(on bool) error {
	mode := "remount,rw"
	if on {
		mode = "remount,ro"
	}
	if out, err := exec.Command("mount", "-o", mode, l.Path).CombinedOutput(); err != nil {
		return fmt.Errorf("disk: %s: %w: %s", mode, err, out)
	}
	return nil
}

// Close takes it away from its folder.
func (l *Loop) Close() error {
	if err := syscall.Unmount(l.Path, 0); err != nil {
		return fmt.Errorf("disk: unmount: %w", err)
	}
	return nil
}
