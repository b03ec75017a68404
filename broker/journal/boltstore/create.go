package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker/journal"
)

// Create makes DATA/journal.db for a broker, with event 0 of its first log. A
// crash leaves either no journal or a whole one. ErrDuplicate when there is
// one already.
func Create(dir, broker string, o ...Option) (err error) {
	final := filepath.Join(dir, fileName)
	if _, err := os.Lstat(final); err == nil {
		return journal.ErrDuplicate
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("boltstore: create: %w", err)
	}
	// bbolt's first write is not safe against a crash, hence another name
	// until the file is whole. Random: nobody else may be writing to it.
	f, err := os.CreateTemp(dir, fileName+".new-*")
	if err != nil {
		return fmt.Errorf("boltstore: create: %w", err)
	}
	defer os.Remove(f.Name()) // the link that is left after success, too
	if err := f.Close(); err != nil {
		return fmt.Errorf("boltstore: create: %w", err)
	}
	if err := initialise(f.Name(), dir, broker, o); err != nil {
		return err
	}
	// A link fails where a rename would replace the journal of somebody who
	// was faster.
	if err := os.Link(f.Name(), final); errors.Is(err, fs.ErrExist) {
		return journal.ErrDuplicate
	} else if err != nil {
		return fmt.Errorf("boltstore: create: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(filepath.Clean(dir)))
}

// initialise writes a whole journal into the file.
func initialise(path, dir, broker string, o []Option) (err error) {
	s := newStore(dir, o)
	db, err := bolt.Open(path, 0o600, s.options())
	if err != nil {
		return fmt.Errorf("boltstore: create: %w", err)
	}
	s.db.Store(&file{DB: db})
	s.broker, s.format = broker, format
	err = s.db.Load().Update(func(btx *bolt.Tx) error {
		for b := range nBuckets {
			if _, err := btx.CreateBucket([]byte(b.String())); err != nil {
				return err
			}
		}
		meta := btx.Bucket([]byte(bMeta.String()))
		if err := meta.Put([]byte("format"), []byte(format)); err != nil {
			return err
		}
		if err := meta.Put([]byte("broker"), []byte(broker)); err != nil {
			return err
		}
		if err := meta.Put([]byte(metaRows), u64(0)); err != nil {
			return err
		}
		sum, err := sumRows(btx)
		if err != nil {
			return err
		}
		if err := meta.Put([]byte(metaSum), sum.encode()); err != nil {
			return err
		}
		return s.beginLog(&tx{view: view{s: s, tx: btx, pending: newPending(0)}}, nil)
	})
	err = errors.Join(err, s.db.Load().Sync(), s.db.Load().Close())
	if err != nil {
		return fmt.Errorf("boltstore: create: %w", err)
	}
	return nil
}

// removeHalfMade removes what a crash in Create left: there is a journal.
func removeHalfMade(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, fileName+".new-*"))
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		return fmt.Errorf("boltstore: open: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("boltstore: sync a directory: %w", err)
	}
	err = errors.Join(d.Sync(), d.Close())
	if err != nil {
		return fmt.Errorf("boltstore: sync a directory: %w", err)
	}
	return nil
}
