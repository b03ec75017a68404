package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// copyMark ends the page that follows a copy.
const copyMark = "\nvaguemestre journal copy 1\n"

// backup streams one state and the copy mark. It is a long read transaction:
// the file grows meanwhile, commits go on.
func (s *Store) backup(ctx context.Context, w io.Writer) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	defer v.end()
	if _, err := v.tx.WriteTo(&cancelWriter{ctx: ctx, w: w}); err != nil {
		return fmt.Errorf("boltstore: backup: %w", err)
	}
	if _, err := w.Write(copyPage(s.db.Load().Info().PageSize)); err != nil {
		return fmt.Errorf("boltstore: backup: %w", err)
	}
	return nil
}

// copyPage is the page that follows a copy: the mark again and again, so that
// no flipped bit makes an original of it.
func copyPage(size int) []byte {
	page := make([]byte, size)
	for at := size - len(copyMark); at >= 0; at -= len(copyMark) {
		copy(page[at:], copyMark)
	}
	return page
}

// cancelWriter stops a long copy when its context ends.
type cancelWriter struct {
	ctx context.Context
	w   io.Writer
}

// Write implements io.Writer.
func (c *cancelWriter) Write(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(b)
}

// IsCopy says whether the journal in a directory is a copy that was never
// opened for writing since.
func IsCopy(dir string) (bool, error) { return hasCopyMark(filepath.Join(dir, fileName)) }

// hasCopyMark says whether the file was made by Backup and never opened for
// writing since.
func hasCopyMark(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("boltstore: open: %w", err)
	}
	defer f.Close()
	at, _, err := findCopyMark(f)
	return at >= 0, err
}

// findCopyMark finds where the marks of a copy begin: it ends with one, as the
// first copies did, or with a page that holds it more than once. at is -1 when
// it is none.
func findCopyMark(f *os.File) (at, size int64, err error) {
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return -1, 0, fmt.Errorf("boltstore: open: %w", err)
	}
	tail := make([]byte, min(size, int64(os.Getpagesize())))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return -1, 0, fmt.Errorf("boltstore: open: %w", err)
	}
	mark := []byte(copyMark)
	if !bytes.HasSuffix(tail, mark) && bytes.Count(tail, mark) < 2 {
		return -1, size, nil
	}
	return size - int64(len(tail)-bytes.Index(tail, mark)), size, nil
}

// follow begins a new log in a copy, then takes the mark off.
func (s *Store) follow() error {
	err := s.update(func(t *tx) error { return s.beginLog(t, t.log()) })
	if err != nil {
		return fmt.Errorf("boltstore: begin a log in a copy: %w", err)
	}
	return dropCopyMark(filepath.Join(s.dir, fileName))
}

// dropCopyMark overwrites the marks where the file still ends with them: the
// page may be in use by now, in which case they are gone already.
func dropCopyMark(path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("boltstore: take the copy mark off: %w", err)
	}
	at, size, err := findCopyMark(f)
	if err != nil || at < 0 {
		return errors.Join(err, f.Close())
	}
	_, err = f.WriteAt(make([]byte, size-at), at)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("boltstore: take the copy mark off: %w", err)
	}
	return nil
}
