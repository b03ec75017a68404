package disk

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Dir is a folder that is watched. Safe for concurrent use.
type Dir struct {
	Path    string // where it shows
	backing string
	dev     uint64 // of the folder behind
	server  *fuse.Server

	mu     sync.Mutex // held through each operation: their order is the one that is noted
	ops    []Op
	counts map[Kind]int
	files  map[uint64]int // names of files, by inode of the folder behind
	last   int            // name given last
	fault  *armed
	undo   map[int][]before // writes not synced, while a fault drops them
	line   []byte           // of the notes, as far as it came
}

// Mount shows the folder backing at a mount point. Both must exist. Close ends
// it. ErrUnavailable without /dev/fuse, or without the right to mount.
func Mount(backing, point string) (*Dir, error) {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return nil, fmt.Errorf("%w: no /dev/fuse (Debian package fuse3)", ErrUnavailable)
	}
	d := &Dir{Path: point, backing: backing, counts: map[Kind]int{}, files: map[uint64]int{}, undo: map[int][]before{}}
	var st syscall.Stat_t
	if err := syscall.Stat(backing, &st); err != nil {
		return nil, fmt.Errorf("disk: mount: %w", err)
	}
	if err := d.show(uint64(st.Dev)); err != nil {
		return nil, err
	}
	return d, nil
}

// show mounts the folder.
func (d *Dir) show(dev uint64) error {
	root := &fs.LoopbackRoot{Path: d.backing, Dev: dev}
	top := &node{LoopbackNode: fs.LoopbackNode{RootData: root}, d: d}
	root.RootNode = top
	forever := time.Hour // nobody else changes the folder
	server, err := fs.Mount(d.Path, top, &fs.Options{
		EntryTimeout: &forever, AttrTimeout: &forever,
		// Nobody else writes there, so the kernel has no reason to drop its pages
		// when the time of a file changes; where it does so beside a write, a
		// mapping has been seen to keep the old page.
		MountOptions: fuse.MountOptions{DirectMount: true, FsName: "watched", Name: "watched", ExplicitDataCacheControl: true},
	})
	if err != nil {
		return fmt.Errorf("%w: mounting needs root, or fusermount (Debian package fuse3): %w", ErrUnavailable, err)
	}
	d.server, d.dev = server, dev
	return nil
}

// Again mounts the folder anew and goes on noting. Nobody may have it open. What
// was written is there, synced or not, as after the death of a process; what the
// kernel remembered of it is not.
func (d *Dir) Again() error {
	if err := d.Close(); err != nil {
		return err
	}
	return d.show(d.dev)
}

// Close takes the folder away. What was in it stays in the one behind.
func (d *Dir) Close() error {
	if err := d.server.Unmount(); err != nil {
		return fmt.Errorf("disk: unmount: %w", err)
	}
	return nil
}

// Ops is what was done so far, in order.
func (d *Dir) Ops() []Op {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.ops)
}

// Counts is how often each kind was asked for so far, also where it failed.
func (d *Dir) Counts() map[Kind]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[Kind]int{}
	for k, n := range d.counts {
		out[k] = n
	}
	return out
}

// Behind is the path of an entry in the folder behind.
func (d *Dir) Behind(p string) string { return filepath.Join(d.backing, filepath.FromSlash(p)) }

// note keeps an operation that took effect.
func (d *Dir) note(o Op) { d.ops = append(d.ops, o) }

// noteLine keeps a note when its line is whole: the kernel may cut a write in
// two.
func (d *Dir) noteLine(data []byte) {
	d.line = append(d.line, data...)
	for {
		line, rest, whole := bytes.Cut(d.line, []byte("\n"))
		if !whole {
			return
		}
		d.note(Op{Kind: Note, Data: bytes.Clone(line)})
		d.line = rest
	}
}

// nameOf is the name of the file that is at a path; fresh gives it a new one.
func (d *Dir) nameOf(p string, fresh bool) int {
	var st syscall.Stat_t
	if syscall.Lstat(d.Behind(p), &st) != nil {
		return 0
	}
	if id, ok := d.files[st.Ino]; ok && !fresh {
		return id
	}
	d.last++
	d.files[st.Ino] = d.last
	return d.last
}
