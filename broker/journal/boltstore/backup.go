package boltstore

import (
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
	defer v.tx.Rollback()
	if _, err := v.tx.WriteTo(&cancelWriter{ctx: ctx, w: w}); err != nil {
		return fmt.Errorf("boltstore: backup: %w", err)
	}
	page := make([]byte, s.db.Info().PageSize)
	copy(page[len(page)-len(copyMark):], copyMark)
	if _, err := w.Write(page); err != nil {
		return fmt.Errorf("boltstore: backup: %w", err)
	}
	return nil
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

// hasCopyMark says whether the file was made by Backup and never opened for
// writing since.
func hasCopyMark(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("boltstore: open: %w", err)
	}
	defer f.Close()
	tail := make([]byte, len(copyMark))
	if _, err := f.Seek(-int64(len(tail)), io.SeekEnd); err != nil {
		return false, nil // shorter than the mark: not a copy, nor a journal
	}
	if _, err := io.ReadFull(f, tail); err != nil {
		return false, fmt.Errorf("boltstore: open: %w", err)
	}
	return string(tail) == copyMark, nil
}

// follow begins a new log in a copy, then takes the mark off.
func (s *Store) follow() error {
	err := s.update(func(t *tx) error { return s.beginLog(t, t.log()) })
	if err != nil {
		return fmt.Errorf("boltstore: begin a log in a copy: %w", err)
	}
	return dropCopyMark(filepath.Join(s.dir, fileName))
}

// dropCopyMark overwrites the mark where the file still ends with it: the page
// may be in use by now, in which case the mark is gone already.
func dropCopyMark(path string) (err error) {
	marked, err := hasCopyMark(path)
	if err != nil || !marked {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("boltstore: take the copy mark off: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt(make([]byte, len(copyMark)), info.Size()-int64(len(copyMark)))
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("boltstore: take the copy mark off: %w", err)
	}
	return nil
}
