package boltstore

import (
	"errors"
	"sync"

	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker/journal"
)

// file is an open bbolt file, with its readers: bbolt would have every one of
// them wait for the longest when it is closed.
type file struct {
	*bolt.DB
	readers sync.RWMutex
}

// state is a durable state of the journal: what the file holds after a
// transaction, and what is pending beside it.
type state struct {
	db      *file
	id      int64 // of the transaction in db
	pending *pending
}

// View implements journal.Store.
func (s *Store) View(f func(journal.View) error) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	defer v.end()
	return f(v)
}

// view is one durable state, to be ended.
func (s *Store) view() (*view, error) {
	for {
		if err := s.failed.Load(); err != nil {
			return nil, *err
		}
		db := s.db.Load()
		if !db.readers.TryRLock() {
			continue // it was compacted meanwhile, and is being closed
		}
		btx, err := db.Begin(false)
		if err != nil {
			db.readers.RUnlock()
			if db != s.db.Load() {
				continue
			}
			return nil, s.closedOr(err)
		}
		v := &view{s: s, db: db, tx: btx}
		now, err := s.wait(db, int64(btx.ID()))
		if err == nil && now.db == db && now.id == int64(btx.ID()) {
			v.pending = now.pending
			return v, nil
		}
		// Rarely, the next one is durable already: its rows are not these.
		if rerr := v.end(); err != nil || rerr != nil {
			return nil, errors.Join(err, rerr)
		}
	}
}

// end rolls back what view began.
func (v *view) end() error {
	defer v.db.readers.RUnlock()
	return v.tx.Rollback()
}

// wait returns the first state seen that is that of the transaction or later,
// once it is on disk: bbolt shows it before the last fsync returns.
func (s *Store) wait(db *file, id int64) (*state, error) {
	later := func(now *state) bool { return now.db != db || id <= now.id }
	if now := s.state.Load(); later(now) {
		return now, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for !later(s.state.Load()) && s.failed.Load() == nil {
		s.settled.Wait()
	}
	if err := s.failed.Load(); err != nil {
		return nil, *err
	}
	return s.state.Load(), nil
}
