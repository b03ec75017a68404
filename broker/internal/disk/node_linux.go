package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is a file or a folder that is shown.
type node struct {
	fs.LoopbackNode
	d *Dir
}

// WrapChild implements fs.NodeWrapChilder: what is below is watched too.
func (n *node) WrapChild(context.Context, fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{LoopbackNode: fs.LoopbackNode{RootData: n.RootData}, d: n.d}
}

// rel is its path from the top.
func (n *node) rel() string { return n.Path(n.Root()) }

// enter begins an operation: nothing else happens until the lock is given back.
func (n *node) enter(k Kind, p string) syscall.Errno {
	n.d.mu.Lock()
	errno, _ := n.d.strike(k, p)
	return errno
}

// Create implements fs.NodeCreater.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	p := path.Join(n.rel(), name)
	errno := n.enter(Create, p)
	defer n.d.mu.Unlock()
	if errno != 0 {
		return nil, nil, 0, errno
	}
	in, fh, _, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	if r, ok := fh.(fs.FileReleaser); ok {
		r.Release(ctx)
	}
	f, err := os.OpenFile(n.d.Behind(p), openFlags(flags), 0)
	if err != nil {
		return nil, nil, 0, fs.ToErrno(err)
	}
	id := n.d.nameOf(p, true)
	if p != NotesName {
		n.d.note(Op{Kind: Create, Path: p, File: id})
	}
	return in, &handle{d: n.d, f: f, id: id, path: p}, 0, 0
}

// openFlags are those of the second open of a file: it exists, and the kernel
// has asked for its truncation by itself.
func openFlags(flags uint32) int {
	return int(flags) &^ (syscall.O_APPEND | syscall.O_CREAT | syscall.O_EXCL | syscall.O_TRUNC)
}

// Open implements fs.NodeOpener.
func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	p := n.rel()
	errno := n.enter(Open, p)
	defer n.d.mu.Unlock()
	if errno != 0 {
		return nil, 0, errno
	}
	f, err := os.OpenFile(n.d.Behind(p), openFlags(flags), 0)
	if err != nil {
		return nil, 0, fs.ToErrno(err)
	}
	// Pages stay in memory as on a real disk: what drop takes back is not seen.
	return &handle{d: n.d, f: f, id: n.d.nameOf(p, false), path: p}, fuse.FOPEN_KEEP_CACHE, 0
}

// Setattr implements fs.NodeSetattrer.
func (n *node) Setattr(ctx context.Context, fh fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	size, resized := in.GetSize()
	if !resized {
		return n.LoopbackNode.Setattr(ctx, nil, in, out)
	}
	p := n.rel()
	errno := n.enter(Truncate, p)
	defer n.d.mu.Unlock()
	if errno != 0 {
		return errno
	}
	if h, ok := fh.(*handle); ok {
		n.d.remember(h.id, h.f, 0, 0)
	}
	if errno := n.LoopbackNode.Setattr(ctx, nil, in, out); errno != 0 {
		return errno
	}
	if p != NotesName {
		n.d.note(Op{Kind: Truncate, Path: p, File: n.d.nameOf(p, false), Size: int64(size)})
	}
	return 0
}

// Mkdir implements fs.NodeMkdirer.
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	p := path.Join(n.rel(), name)
	errno := n.enter(Mkdir, p)
	defer n.d.mu.Unlock()
	if errno != 0 {
		return nil, errno
	}
	in, errno := n.LoopbackNode.Mkdir(ctx, name, mode, out)
	if errno == 0 {
		n.d.note(Op{Kind: Mkdir, Path: p})
	}
	return in, errno
}

// Rename implements fs.NodeRenamer.
func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	from, p := path.Join(n.rel(), name), path.Join(to.EmbeddedInode().Path(n.Root()), newName)
	errno := n.enter(Rename, p)
	defer n.d.mu.Unlock()
	if errno != 0 {
		return errno
	}
	id := n.d.nameOf(from, false)
	errno = n.LoopbackNode.Rename(ctx, name, to, newName, flags)
	if errno == 0 {
		n.d.note(Op{Kind: Rename, Path: p, From: from, File: id})
	}
	return errno
}

// Link implements fs.NodeLinker.
func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	from, p := target.EmbeddedInode().Path(n.Root()), path.Join(n.rel(), name)
	errno := n.enter(Link, p)
	defer n.d.mu.Unlock()
	if errno != 0 {
		return nil, errno
	}
	in, errno := n.LoopbackNode.Link(ctx, target, name, out)
	if errno == 0 {
		n.d.note(Op{Kind: Link, Path: p, From: from, File: n.d.nameOf(p, false)})
	}
	return in, errno
}

// Unlink implements fs.NodeUnlinker.
func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	p := path.Join(n.rel(), name)
	errno := n.enter(Unlink, p)
	defer n.d.mu.Unlock()
	if errno != 0 {
		return errno
	}
	if errno = n.LoopbackNode.Unlink(ctx, name); errno == 0 {
		n.d.note(Op{Kind: Unlink, Path: p})
	}
	return errno
}

// Rmdir implements fs.NodeRmdirer.
func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	p := path.Join(n.rel(), name)
	errno := n.enter(Rmdir, p)
	defer n.d.mu.Unlock()
	if errno != 0 {
		return errno
	}
	if errno = n.LoopbackNode.Rmdir(ctx, name); errno == 0 {
		n.d.note(Op{Kind: Rmdir, Path: p})
	}
	return errno
}

// OpendirHandle implements fs.NodeOpendirHandler.
func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	errno := n.enter(Open, n.rel())
	n.d.mu.Unlock()
	if errno != 0 {
		return nil, 0, errno
	}
	fh, more, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	read, ok := fh.(interface {
		fs.FileReaddirenter
		fs.FileSeekdirer
		fs.FileReleasedirer
	})
	if !ok {
		return nil, 0, syscall.EIO
	}
	return &folder{FileReaddirenter: read, FileSeekdirer: read, FileReleasedirer: read, n: n}, more, 0
}

// folder is a folder that was opened.
type folder struct {
	fs.FileReaddirenter
	fs.FileSeekdirer
	fs.FileReleasedirer
	n *node
}

// Fsyncdir implements fs.FileFsyncdirer.
func (f *folder) Fsyncdir(context.Context, uint32) syscall.Errno {
	p := f.n.rel()
	errno := f.n.enter(SyncDir, p)
	defer f.n.d.mu.Unlock()
	if errno == 0 {
		f.n.d.note(Op{Kind: SyncDir, Path: p})
	}
	return errno
}

// handle is a file that was opened.
type handle struct {
	d    *Dir
	f    *os.File
	id   int
	path string // when it was opened
}

// Read implements fs.FileReader.
func (h *handle) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n, err := h.f.ReadAt(dest, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fs.ToErrno(err)
	}
	return fuse.ReadResultData(dest[:n]), 0
}

// Write implements fs.FileWriter.
func (h *handle) Write(_ context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	errno, half := h.d.strike(Write, h.path)
	if errno != 0 && !half {
		return 0, errno
	}
	if half {
		data = data[:len(data)/2]
	}
	if h.path == NotesName {
		h.d.noteLine(data)
		return uint32(len(data)), 0
	}
	h.d.remember(h.id, h.f, off, len(data))
	n, err := h.f.WriteAt(data, off)
	if err != nil {
		return 0, fs.ToErrno(err)
	}
	h.d.note(Op{Kind: Write, Path: h.path, File: h.id, Off: off, Data: bytes.Clone(data)})
	return uint32(n), 0
}

// Fsync implements fs.FileFsyncer.
func (h *handle) Fsync(context.Context, uint32) syscall.Errno {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	errno, _ := h.d.strike(Sync, h.path)
	if errno != 0 {
		if h.d.dropping() {
			h.d.drop(h.id, h.f)
		}
		return errno
	}
	h.d.synced(h.id)
	h.d.note(Op{Kind: Sync, Path: h.path, File: h.id})
	return 0
}

// Getattr implements fs.FileGetattrer.
func (h *handle) Getattr(_ context.Context, out *fuse.AttrOut) syscall.Errno {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(h.f.Fd()), &st); err != nil {
		return fs.ToErrno(err)
	}
	out.FromStat(&st)
	return 0
}

// Flush implements fs.FileFlusher.
func (h *handle) Flush(context.Context) syscall.Errno { return 0 }

// Release implements fs.FileReleaser.
func (h *handle) Release(context.Context) syscall.Errno { return fs.ToErrno(h.f.Close()) }
