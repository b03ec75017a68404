package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker/journal"
)

// compaction is one Compact at work. The copy is made under one read
// transaction; what was committed since is copied under another, and the rest
// with the writer held: that is what commits wait for, a group or two. Rows are
// not folded meanwhile, so that the derived buckets stay as they were copied.
type compaction struct {
	s     *Store
	ctx   context.Context
	spare uint64
	db    *bolt.DB // the new file

	tx    *bolt.Tx // in db
	bytes int      // written in tx

	next    [nBuckets][]byte // of buckets that grow: the first key not copied
	rows    uint64           // meta "rows" of the derived buckets that were copied
	dropped [][]byte         // rows of blob.bytes that commits took away since; guarded by Store.writer
}

// chunk is how much one transaction of the new file holds, in bytes.
const chunk = 32 << 20

// Compact implements journal.Store.
func (s *Store) Compact(ctx context.Context, spare uint64) (before, after int64, err error) {
	if !s.compacting.TryLock() {
		return 0, 0, journal.ErrBusy
	}
	defer s.compacting.Unlock()
	c := &compaction{s: s, ctx: ctx, spare: spare}
	path := filepath.Join(s.dir, fileName)
	f, err := os.CreateTemp(s.dir, fileName+".new-*")
	if err != nil {
		return 0, 0, fmt.Errorf("boltstore: compact: %w", err)
	}
	defer os.Remove(f.Name()) // the link that is left when it failed
	if err := f.Close(); err != nil {
		return 0, 0, fmt.Errorf("boltstore: compact: %w", err)
	}
	opt := s.options()
	opt.NoSync = true // until it is whole
	if c.db, err = bolt.Open(f.Name(), 0o600, opt); err != nil {
		return 0, 0, fmt.Errorf("boltstore: compact: %w", err)
	}
	c.db.AllocSize = 1 << 20 // else what it grows by may be more than it gives back
	s.begin(c)
	defer s.begin(nil)
	if err := c.copy(); err != nil {
		return 0, 0, errors.Join(err, c.abandon())
	}
	old := s.db.Load()
	before = fileSize(path)
	if err := c.swap(f.Name(), path); err != nil {
		return 0, 0, err
	}
	// Views of the old file go on, as long as they like; nobody begins another,
	// and nothing else waits for them.
	old.readers.Lock()
	defer old.readers.Unlock()
	if err := old.Close(); err != nil {
		return 0, 0, fmt.Errorf("boltstore: close what was compacted: %w", err)
	}
	return before, fileSize(path), nil
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0 // only told
	}
	return info.Size()
}

func (s *Store) begin(c *compaction) {
	s.writer.Lock()
	defer s.writer.Unlock()
	s.compaction = c
}

// copy makes the copy, and then what was committed during that.
func (c *compaction) copy() error {
	if err := c.round(c.all); err != nil {
		return err
	}
	return c.round(c.since)
}

// round copies from one durable state.
func (c *compaction) round(f func(*view) error) error {
	v, err := c.s.view()
	if err != nil {
		return err
	}
	defer v.end()
	if err := errors.Join(f(v), c.flush()); err != nil {
		return err
	}
	return c.db.Sync()
}

// all copies every bucket.
func (c *compaction) all(v *view) error {
	c.rows = readU64(v.bucket(bMeta).Get([]byte(metaRows)))
	for b := range nBuckets {
		if err := c.rowsFrom(v, b, nil); err != nil {
			return err
		}
	}
	return nil
}

// since copies what commits have written after the last round.
func (c *compaction) since(v *view) error {
	if readU64(v.bucket(bMeta).Get([]byte(metaRows))) != c.rows {
		return fmt.Errorf("boltstore: compact: %w", journal.ErrBusy)
	}
	for b := range nBuckets {
		var err error
		switch b {
		case bEvents, bObjects, bBlobBytes:
			err = c.rowsFrom(v, b, c.next[b])
		case bTiles:
			err = c.tiles(v)
		case bMeta, bLogs, bCheckpoints: // a few rows each
			err = c.rowsFrom(v, b, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rowsFrom copies the rows of a bucket from a key on.
func (c *compaction) rowsFrom(v *view, b bucket, from []byte) error {
	if _, err := c.into(b); err != nil {
		return err
	}
	cur := v.bucket(b).Cursor()
	for k, value := cur.Seek(from); k != nil; k, value = cur.Next() {
		if err := c.put(b, k, value); err != nil {
			return err
		}
		if b == bEvents || b == bObjects || b == bBlobBytes {
			c.next[b] = append(append(c.next[b][:0], k...), 0) // the least key after it
		}
	}
	return nil
}

// tiles copies the tiles that grew: those of level 0 that are new, and those
// above, which are few.
func (c *compaction) tiles(v *view) error {
	have, err := c.into(bTiles)
	if err != nil {
		return err
	}
	for _, l := range v.logs() {
		for level := byte(0); level < 8; level++ {
			from := tileKey(l.row.base, level, 0)
			last := have.Cursor()
			k, _ := last.Seek(tileKey(l.row.base, level+1, 0))
			if k == nil {
				k, _ = last.Last()
			} else {
				k, _ = last.Prev()
			}
			if bytes.HasPrefix(k, from[:9]) {
				from = bytes.Clone(k)
			}
			if err := c.tilesOf(v, from); err != nil {
				return err
			}
			if have, err = c.into(bTiles); err != nil { // another transaction, perhaps
				return err
			}
		}
	}
	return nil
}

// tilesOf copies the tiles of one level from a key on.
func (c *compaction) tilesOf(v *view, from []byte) error {
	level := from[:len(from)-8]
	cur := v.bucket(bTiles).Cursor()
	for k, value := cur.Seek(from); bytes.HasPrefix(k, level); k, value = cur.Next() {
		if err := c.put(bTiles, k, value); err != nil {
			return err
		}
	}
	return nil
}

// into is a bucket of the new file, in a transaction.
func (c *compaction) into(b bucket) (*bolt.Bucket, error) {
	if c.tx == nil {
		tx, err := c.db.Begin(true)
		if err != nil {
			return nil, fmt.Errorf("boltstore: compact: %w", err)
		}
		c.tx = tx
	}
	bucket, err := c.tx.CreateBucketIfNotExists([]byte(b.String()))
	if err != nil {
		return nil, fmt.Errorf("boltstore: compact: %w", err)
	}
	bucket.FillPercent = 0.95 // in the order of keys
	return bucket, nil
}

func (c *compaction) put(b bucket, key, value []byte) error {
	in, err := c.into(b)
	if err == nil {
		err = in.Put(key, value)
	}
	if err != nil {
		return fmt.Errorf("boltstore: compact: %w", err)
	}
	if c.bytes += len(key) + len(value); c.bytes < chunk {
		return nil
	}
	return c.flush()
}

// flush commits what was put, and looks whether to go on.
func (c *compaction) flush() error {
	if c.tx == nil {
		return nil
	}
	err := c.tx.Commit()
	c.tx, c.bytes = nil, 0
	if err != nil {
		return fmt.Errorf("boltstore: compact: %w", err)
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if c.s.closing.Load() {
		return journal.ErrClosed
	}
	if free, err := c.s.Free(); err == nil && free < c.spare {
		return fmt.Errorf("boltstore: compact: %w", journal.ErrNoSpace)
	}
	return nil
}

// abandon closes the new file, which is removed.
func (c *compaction) abandon() error {
	if c.tx != nil {
		_ = c.tx.Rollback() // nothing of it counts
		c.tx = nil
	}
	return c.db.Close()
}

// swap copies what is left with the writer held, and takes the place of the old
// file. From the rename on, an error is final: which file a crash leaves is not
// known, and commits would go to one of the two.
func (c *compaction) swap(from, to string) (err error) {
	s := c.s
	s.writer.Lock()
	defer s.writer.Unlock()
	renamed := false
	defer func() {
		if err != nil && renamed {
			err = s.fail(err)
		} else if err != nil {
			err = errors.Join(err, c.abandon())
		}
	}()
	if err := s.failed.Load(); err != nil {
		return *err
	}
	if err := c.round(c.since); err != nil {
		return err
	}
	if err := c.drop(); err != nil {
		return err
	}
	c.db.NoSync, c.db.AllocSize = false, s.db.Load().AllocSize
	if err := c.db.Sync(); err != nil {
		return fmt.Errorf("boltstore: compact: %w", err)
	}
	var id int64
	if err := c.db.View(func(tx *bolt.Tx) error { id = int64(tx.ID()); return nil }); err != nil {
		return fmt.Errorf("boltstore: compact: %w", err)
	}
	renamed = true
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("boltstore: compact: %w", err)
	}
	if err := syncDir(s.dir); err != nil {
		return err
	}
	s.mu.Lock()
	made := &file{DB: c.db}
	s.state.Store(&state{db: made, id: id, pending: s.pending.copy()})
	s.db.Store(made)
	s.mu.Unlock()
	s.settled.Broadcast()
	s.compaction = nil // commits fold again
	return nil
}

// drop takes away the bytes of blobs that were erased since they were copied.
func (c *compaction) drop() error {
	in, err := c.into(bBlobBytes)
	for _, key := range c.dropped {
		if err == nil {
			err = in.Delete(key)
		}
	}
	if err != nil {
		return fmt.Errorf("boltstore: compact: %w", err)
	}
	return c.flush()
}
