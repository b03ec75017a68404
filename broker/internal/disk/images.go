package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"
)

// sector is what a disk writes whole or not at all, in bytes.
const sector = 512

// Images replays operations and builds what a loss of power could leave after
// each of them. Not safe for concurrent use; Clone gives another worker its own.
type Images struct {
	files   map[int]*content
	kept    tree     // what is durable of the folders
	pending []*entry // entries that are not, in order
}

// content is the bytes of a file.
type content struct {
	kept    File     // durable
	pending []change // what was written since, in order
}

// File is a file of an image: what was written to it, and zeros up to its size.
// A journal reserves megabytes at once.
type File struct {
	Bytes []byte
	Size  int64
}

// change is one write, or one truncation.
type change struct {
	truncate bool
	off      int64 // of a write; the new size of a truncation
	data     []byte
}

// tree holds every entry by its path: the name of a file, or 0 for a folder.
type tree map[string]int

// entry is one change of the folders.
type entry struct {
	path   string
	file   int    // 0 for a folder
	gone   bool   // it takes the path away
	from   string // of a rename inside a folder: taken away with it
	needed *entry // of the half of a rename that takes the old name away: the other half
}

// NewImages is an empty disk.
func NewImages() *Images { return &Images{files: map[int]*content{}, kept: tree{}} }

// Apply does one operation.
func (m *Images) Apply(o Op) {
	switch o.Kind {
	case Create, Link:
		m.pending = append(m.pending, &entry{path: o.Path, file: o.File})
		if m.files[o.File] == nil {
			m.files[o.File] = &content{}
		}
	case Mkdir:
		m.pending = append(m.pending, &entry{path: o.Path})
	case Unlink, Rmdir:
		m.pending = append(m.pending, &entry{path: o.Path, gone: true})
	case Rename:
		m.rename(o)
	case Write:
		c := m.files[o.File]
		c.pending = append(c.pending, change{off: o.Off, data: o.Data})
	case Truncate:
		c := m.files[o.File]
		c.pending = append(c.pending, change{truncate: true, off: o.Size})
	case Sync:
		c := m.files[o.File]
		c.kept = c.whole()
		c.pending = nil
	case SyncDir:
		m.syncDir(o.Path)
	}
}

func (m *Images) rename(o Op) {
	if parent(o.Path) == parent(o.From) {
		m.pending = append(m.pending, &entry{path: o.Path, file: o.File, from: o.From})
		return
	}
	there := &entry{path: o.Path, file: o.File}
	m.pending = append(m.pending, there, &entry{path: o.From, gone: true, needed: there})
}

// syncDir makes the entries of a folder durable, and with the end of a rename
// its beginning.
func (m *Images) syncDir(dir string) {
	due := map[*entry]bool{}
	for _, e := range m.pending {
		if parent(e.path) == dir {
			due[e] = true
			if e.needed != nil {
				due[e.needed] = true
			}
		}
	}
	m.pending = slices.DeleteFunc(m.pending, func(e *entry) bool {
		if due[e] {
			m.kept.change(e)
		}
		return due[e]
	})
}

func (t tree) change(e *entry) {
	if e.gone {
		delete(t, e.path)
	} else {
		t[e.path] = e.file
	}
	if e.from != "" {
		delete(t, e.from)
	}
}

// size is that of the content after the first n changes.
func (c *content) size(n int) int64 {
	size := c.kept.Size
	for _, w := range c.pending[:n] {
		if w.truncate {
			size = w.off
		} else {
			size = max(size, w.end())
		}
	}
	return size
}

func (w *change) end() int64 { return w.off + int64(len(w.data)) }

// whole is the content with all changes.
func (c *content) whole() File {
	return c.after(len(c.pending), func() bool { return true })
}

// after is the content at the size that it had after n changes, with those
// sectors of all writes that keep asks for.
func (c *content) after(n int, keep func() bool) File {
	f := File{Size: c.size(n)}
	reach := int64(len(c.kept.Bytes))
	for _, w := range c.pending {
		reach = max(reach, w.end())
	}
	out := make([]byte, min(reach, f.Size))
	copy(out, c.kept.Bytes)
	for _, w := range c.pending {
		if w.truncate {
			// What a truncation cuts off is gone for good where it took effect;
			// a later size shows zeros there.
			if w.off < int64(len(out)) && keep() {
				clear(out[w.off:])
			}
			continue
		}
		for at := w.off; at < w.end(); {
			end := min((at/sector+1)*sector, w.end())
			if keep() && at < int64(len(out)) {
				copy(out[at:min(end, int64(len(out)))], w.data[at-w.off:])
			}
			at = end
		}
	}
	f.Bytes = out
	return f
}

// Settled says that nothing is pending: there is one image only.
func (m *Images) Settled() bool {
	for _, c := range m.files {
		if len(c.pending) > 0 {
			return false
		}
	}
	return len(m.pending) == 0
}

// Draw builds one image: by path each file, and nil for each folder.
func (m *Images) Draw(draw *rand.Rand) map[string]*File {
	t := m.drawTree(draw)
	out := make(map[string]*File, len(t))
	drawn := map[int]*File{} // two names of one file show the same
	for p, id := range t {
		if !t.reached(p) {
			continue
		}
		if id == 0 {
			out[p] = nil
			continue
		}
		b, ok := drawn[id]
		if !ok {
			b = m.files[id].draw(draw)
			drawn[id] = b
		}
		out[p] = b
	}
	return out
}

func (c *content) draw(draw *rand.Rand) *File {
	if len(c.pending) == 0 {
		return &c.kept
	}
	// Few, half, or most of the sectors, or the first ones only.
	odds := []float64{0, 0.1, 0.5, 0.9, 1}[draw.IntN(5)]
	n := draw.IntN(len(c.pending) + 1)
	f := c.after(n, func() bool { return draw.Float64() < odds })
	return &f
}

// drawTree takes some of the pending entries: any, or the first ones only, as
// a journal of the file system would.
func (m *Images) drawTree(draw *rand.Rand) tree {
	t := make(tree, len(m.kept)+len(m.pending))
	for p, id := range m.kept {
		t[p] = id
	}
	first := len(m.pending)
	if draw.IntN(2) == 0 {
		first = draw.IntN(len(m.pending) + 1)
	}
	odds := []float64{0.5, 1}[draw.IntN(2)]
	blocked, left := map[string]bool{}, map[*entry]bool{}
	for i, e := range m.pending {
		if i >= first || draw.Float64() >= odds || blocked[e.path] || e.from != "" && blocked[e.from] || left[e.needed] {
			blocked[e.path], left[e] = true, true
			if e.from != "" {
				blocked[e.from] = true
			}
			continue
		}
		t.change(e)
	}
	return t
}

// reached says whether all folders above a path are there.
func (t tree) reached(p string) bool {
	for dir := parent(p); dir != ""; dir = parent(dir) {
		if _, ok := t[dir]; !ok {
			return false
		}
	}
	return true
}

// Clone is the same state, to be drawn from elsewhere while this one goes on.
func (m *Images) Clone() *Images {
	c := &Images{files: make(map[int]*content, len(m.files)), kept: make(tree, len(m.kept)), pending: slices.Clone(m.pending)}
	for id, f := range m.files {
		c.files[id] = &content{kept: f.kept, pending: slices.Clone(f.pending)}
	}
	for p, id := range m.kept {
		c.kept[p] = id
	}
	return c
}

// Folder is where images are laid, one after the other. Not safe for concurrent
// use.
type Folder struct {
	Dir     string            // exists
	Mutable func(string) bool // whether who looks at an image may write to a file of that name
	held    map[string]*byte  // where the bytes of the others come from
	buf     []byte
}

// Lay makes the folder what an image has under top. It writes only what
// differs: an image is much like the last.
func (l *Folder) Lay(image map[string]*File, top string) error {
	dir := l.Dir
	if l.held == nil {
		l.held = map[string]*byte{}
	}
	if err := clean(image, top, dir); err != nil {
		return fmt.Errorf("disk: lay an image: %w", err)
	}
	var paths []string
	for p := range image {
		if strings.HasPrefix(p, top+"/") {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths) // folders come before what is in them
	for _, p := range paths {
		to := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(p, top+"/")))
		var err error
		if image[p] == nil {
			err = os.MkdirAll(to, 0o700)
		} else {
			err = l.write(to, image[p])
		}
		if err != nil {
			return fmt.Errorf("disk: lay an image: %w", err)
		}
	}
	return nil
}

// clean removes what the image does not have, or has as something else.
func clean(image map[string]*File, top, dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f, there := image[top+"/"+filepath.ToSlash(name)]
		if there && d.IsDir() == (f == nil) {
			return nil
		}
		if err := os.RemoveAll(path); err != nil || !d.IsDir() {
			return err
		}
		return filepath.SkipDir
	})
}

// page is how much is compared, and written, at once, in bytes.
const page = 4096

func (l *Folder) write(path string, f *File) (err error) {
	from := unsafe.SliceData(f.Bytes)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil || from != nil && l.held[path] == from && info.Size() == f.Size {
		return err
	}
	delete(l.held, path)
	if !l.Mutable(filepath.Base(path)) {
		l.held[path] = from
	}
	l.buf = slices.Grow(l.buf[:0], len(f.Bytes))[:len(f.Bytes)]
	n, err := io.ReadFull(file, l.buf)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	for at := 0; at < len(f.Bytes); at += page {
		part := f.Bytes[at:min(at+page, len(f.Bytes))]
		if at+len(part) <= n && bytes.Equal(part, l.buf[at:at+len(part)]) {
			continue
		}
		if _, err := file.WriteAt(part, int64(at)); err != nil {
			return err
		}
	}
	// To the end of what is written first: what follows reads as zeros.
	return errors.Join(file.Truncate(int64(len(f.Bytes))), file.Truncate(f.Size))
}
