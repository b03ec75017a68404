package boltstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"vaguemestre/broker/journal"
)

// bodies keeps large ciphertext in DATA/bodies/<aa>/<sha256>.
type bodies struct {
	s    *Store
	root string

	mu    sync.Mutex
	open  map[string]bool // names of temporary files being written
	fresh map[string]bool // digests made here and not yet in the journal

	sweeps int      // going on
	joined []string // digests that entered the journal during them: no longer fresh once they end

	holds int             // going on
	later map[string]bool // digests to be removed when they end
}

var _ journal.Bodies = (*bodies)(nil)

func newBodies(s *Store) *bodies {
	return &bodies{s: s, root: filepath.Join(s.dir, "bodies"), open: map[string]bool{}, fresh: map[string]bool{}, later: map[string]bool{}}
}

func (b *bodies) path(digest string) string { return filepath.Join(b.root, digest[:2], digest) }

func isDigest(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size && hex.EncodeToString(raw) == s
}

// check wants the file of a blob, whole.
func (b *bodies) check(blob *journal.Blob) error {
	info, err := os.Stat(b.path(blob.SHA256))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("boltstore: body of a blob: %w", journal.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("boltstore: body of a blob: %w", err)
	}
	if info.Size() != blob.Size {
		return &journal.InvalidError{Field: "Blobs.Size", Reason: "not the size of the body"}
	}
	return nil
}

// Create implements journal.Bodies. Nothing is on disk until the body is too
// large to stay in memory.
func (b *bodies) Create() (journal.BodyWriter, error) {
	return &bodyWriter{b: b, small: make([]byte, 0, usualBody)}, nil
}

// Open implements journal.Bodies.
func (b *bodies) Open(digest string) (journal.Body, error) {
	if !isDigest(digest) {
		return nil, journal.ErrNotFound
	}
	var small []byte
	err := b.s.View(func(v journal.View) (err error) {
		small, err = v.Blob(journal.BodyName(digest))
		return err
	})
	if err == nil {
		return smallBody{bytes.NewReader(small)}, nil
	}
	if !errors.Is(err, journal.ErrNotFound) {
		return nil, err
	}
	f, err := os.Open(b.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, journal.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("boltstore: open a body: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("boltstore: open a body: %w", err), f.Close())
	}
	return fileBody{f, info.Size()}, nil
}

// Remove implements journal.Bodies.
func (b *bodies) Remove(digest string) error {
	if !isDigest(digest) {
		return nil
	}
	b.mu.Lock()
	delete(b.fresh, digest)
	if b.holds > 0 {
		b.later[digest] = true
		b.mu.Unlock()
		return nil
	}
	b.mu.Unlock()
	return b.unlink(digest)
}

// unlink erases the file of a body.
func (b *bodies) unlink(digest string) error {
	err := os.Remove(b.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("boltstore: remove a body: %w", err)
	}
	return syncDir(filepath.Dir(b.path(digest)))
}

// Sweep implements journal.Bodies.
func (b *bodies) Sweep() (removed int, err error) {
	if !b.beginSweep() {
		return 0, nil
	}
	defer b.endSweep()
	named, err := b.named()
	if err != nil {
		return 0, err
	}
	err = filepath.WalkDir(b.root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || b.wanted(path, d.Name(), named) {
			return err
		}
		removed++
		return os.Remove(path)
	})
	if err != nil {
		return removed, fmt.Errorf("boltstore: sweep: %w", err)
	}
	return removed, nil
}

func (b *bodies) wanted(path, name string, named map[string]bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if filepath.Base(filepath.Dir(path)) == "tmp" {
		return b.open[path]
	}
	return named[name] || b.fresh[name] || b.holds > 0
}

// named lists the digests of all blobs whose bytes are in files.
func (b *bodies) named() (map[string]bool, error) {
	out := map[string]bool{}
	err := b.s.View(func(v journal.View) error {
		c := v.(*view).cursor(bBlobs)
		for k, row := c.seek(nil); k != nil; k, row = c.next() {
			if r, ok := parseBlob(row); ok && !r.inline {
				out[hex.EncodeToString(r.sum[:])] = true
			}
		}
		return nil
	})
	return out, err
}

// usualBody is room for a document and a short piece, in bytes.
const usualBody = 16 << 10

// bodyWriter gathers a small body in memory, and a larger one in a temporary
// file.
type bodyWriter struct {
	b     *bodies
	small []byte
	f     *os.File  // nil while the body is small
	sum   hash.Hash // of what is in f
	size  int64     // of f
	ended bool
}

// Write implements io.Writer.
func (w *bodyWriter) Write(p []byte) (int, error) {
	if w.ended {
		return 0, fs.ErrClosed
	}
	if w.f == nil && len(w.small)+len(p) > journal.InlineBody {
		if err := w.spill(); err != nil {
			return 0, err
		}
	}
	if w.f == nil {
		w.small = append(w.small, p...)
		return len(p), nil
	}
	return len(p), w.write(p)
}

func (w *bodyWriter) write(p []byte) error {
	if _, err := w.f.Write(p); err != nil {
		return fmt.Errorf("boltstore: write a body: %w", err)
	}
	w.sum.Write(p)
	w.size += int64(len(p))
	return nil
}

func (w *bodyWriter) spill() error {
	tmp := filepath.Join(w.b.root, "tmp")
	if err := makeDir(tmp); err != nil {
		return err
	}
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	f, err := os.CreateTemp(tmp, "body-*") // 0600
	if err != nil {
		return fmt.Errorf("boltstore: write a body: %w", err)
	}
	w.b.open[f.Name()] = true
	w.f, w.sum = f, sha256.New()
	small := w.small
	w.small = nil
	return w.write(small)
}

// Close implements journal.BodyWriter.
func (w *bodyWriter) Close() (journal.Blob, error) {
	if w.ended {
		return journal.Blob{}, fs.ErrClosed
	}
	if w.f == nil {
		w.ended = true
		return journal.NewBlob(w.small), nil
	}
	digest := hex.EncodeToString(w.sum.Sum(nil))
	blob := journal.Blob{Name: journal.BodyName(digest), SHA256: digest, Size: w.size}
	defer w.Abort()
	if err := w.f.Sync(); err != nil {
		return journal.Blob{}, fmt.Errorf("boltstore: sync a body: %w", err)
	}
	final := w.b.path(digest)
	if err := makeDir(filepath.Dir(final)); err != nil {
		return journal.Blob{}, err
	}
	w.b.mu.Lock()
	w.b.fresh[digest] = true // before it can be swept
	delete(w.b.later, digest)
	w.b.mu.Unlock()
	if err := os.Rename(w.f.Name(), final); err != nil {
		return journal.Blob{}, fmt.Errorf("boltstore: keep a body: %w", err)
	}
	return blob, syncDir(filepath.Dir(final))
}

// Abort implements journal.BodyWriter.
func (w *bodyWriter) Abort() {
	if w.ended {
		return
	}
	w.ended, w.small = true, nil
	if w.f == nil {
		return
	}
	w.f.Close()           // its content no longer counts
	os.Remove(w.f.Name()) // gone already after Close; Sweep takes what stays
	w.b.mu.Lock()
	delete(w.b.open, w.f.Name())
	w.b.mu.Unlock()
}

// makeDir makes a directory that survives a crash, with its parent.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("boltstore: make a directory: %w", err)
	}
	if err := syncDir(filepath.Dir(dir)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(filepath.Dir(dir)))
}

type smallBody struct{ *bytes.Reader }

// Close implements io.Closer.
func (smallBody) Close() error { return nil }

type fileBody struct {
	*os.File
	size int64
}

// Size implements journal.Body.
func (b fileBody) Size() int64 { return b.size }

var _ io.ReaderAt = fileBody{}
