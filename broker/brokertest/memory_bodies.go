package brokertest

import (
	"bytes"
	"io/fs"

	"vaguemestre/broker/journal"
)

// memoryBodies is where a Disk keeps large ciphertext.
type memoryBodies Memory

var _ journal.Bodies = (*memoryBodies)(nil)

// Create implements journal.Bodies.
func (b *memoryBodies) Create() (journal.BodyWriter, error) {
	if (*Memory)(b).Gone() {
		return nil, errGone
	}
	return &memoryWriter{b: b}, nil
}

// Open implements journal.Bodies.
func (b *memoryBodies) Open(sha256 string) (journal.Body, error) {
	b.disk.mu.Lock()
	defer b.disk.mu.Unlock()
	if b.gone {
		return nil, errGone
	}
	if blob, ok := b.disk.now.blobs.Get(journal.BodyName(sha256)); ok && blob.Bytes != nil {
		return memoryBody{bytes.NewReader(blob.Bytes)}, nil
	}
	if file, ok := b.disk.files[sha256]; ok {
		return memoryBody{bytes.NewReader(file)}, nil
	}
	return nil, journal.ErrNotFound
}

// Remove implements journal.Bodies.
func (b *memoryBodies) Remove(sha256 string) error {
	b.disk.mu.Lock()
	defer b.disk.mu.Unlock()
	if b.gone {
		return errGone
	}
	delete(b.disk.files, sha256)
	delete(b.fresh, sha256)
	return nil
}

// Hold implements journal.Bodies. There is no backup that would need it.
func (b *memoryBodies) Hold() (release func() error) { return func() error { return nil } }

// Sweep implements journal.Bodies.
func (b *memoryBodies) Sweep() (removed int, err error) {
	b.disk.mu.Lock()
	defer b.disk.mu.Unlock()
	if b.gone {
		return 0, errGone
	}
	for digest := range b.disk.files {
		if _, named := b.disk.now.blobs.Get(journal.BodyName(digest)); !named && !b.fresh[digest] {
			delete(b.disk.files, digest)
			removed++
		}
	}
	return removed, nil
}

// Files is the number of large bodies, named or not.
func (d *Disk) Files() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.files)
}

// memoryWriter takes one body.
type memoryWriter struct {
	b     *memoryBodies
	buf   bytes.Buffer
	ended bool
}

// Write implements io.Writer.
func (w *memoryWriter) Write(p []byte) (int, error) {
	if w.ended {
		return 0, fs.ErrClosed
	}
	return w.buf.Write(p)
}

// Close implements journal.BodyWriter.
func (w *memoryWriter) Close() (journal.Blob, error) {
	if w.ended {
		return journal.Blob{}, fs.ErrClosed
	}
	w.ended = true
	blob := journal.NewBlob(w.buf.Bytes())
	if len(blob.Bytes) <= journal.InlineBody {
		return blob, nil
	}
	w.b.disk.mu.Lock()
	defer w.b.disk.mu.Unlock()
	if w.b.gone {
		return journal.Blob{}, errGone
	}
	w.b.disk.files[blob.SHA256] = blob.Bytes
	w.b.fresh[blob.SHA256] = true
	return journal.Blob{Name: blob.Name, SHA256: blob.SHA256, Size: blob.Size}, nil
}

// Abort implements journal.BodyWriter.
func (w *memoryWriter) Abort() { w.ended = true }

type memoryBody struct{ *bytes.Reader }

// Close implements io.Closer.
func (memoryBody) Close() error { return nil }
