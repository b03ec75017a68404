package boltstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"vaguemestre/broker/journal"
)

// Store is a journal in a bbolt file. Safe for concurrent use.
type Store struct {
	dir    string
	db     atomic.Pointer[file] // another one after Compact
	broker string
	format string // that of the file
	now    func() time.Time
	rand   io.Reader
	bodies *bodies

	maxSize int // of the file in bytes; 0: none
	foldMax int

	writer     sync.Mutex  // guards pending, compaction
	pending    *pending    // after the last update
	compaction *compaction // that goes on; nil when none does
	compacting sync.Mutex  // held by the one that goes on
	closing    atomic.Bool

	state   atomic.Pointer[state] // the last known to be on disk
	failed  atomic.Pointer[error]
	mu      sync.Mutex // guards the condition that state or failed changes
	settled *sync.Cond
}

var _ journal.Store = (*Store)(nil)

// Option changes what Create and Open take from outside.
type Option func(*Store)

// WithClock dates the first event of a new log; time.Now by default.
func WithClock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// WithRand gives origins and salts; crypto/rand by default. Only a simulation
// may replace it: a salt that can be guessed reveals its record.
func WithRand(r io.Reader) Option { return func(s *Store) { s.rand = r } }

// WithMaxSize bounds the file in bytes: growing beyond fails as a full disk
// does.
func WithMaxSize(n int) Option { return func(s *Store) { s.maxSize = n } }

// WithFoldMax folds as soon as that many rows or events are pending: a short
// history then folds often. It is for tests of what a crash leaves.
func WithFoldMax(n int) Option { return func(s *Store) { s.foldMax = n } }

// Seed replaces WithRand, before the first Update.
func (s *Store) Seed(r io.Reader) { s.rand = r }

// Open opens DATA/journal.db. ErrNoJournal when there is none, ErrFormat when
// this program cannot read it, ErrInUse when another process has it. A copy
// made by Backup begins a new log.
func Open(dir string, o ...Option) (*Store, error) {
	s := newStore(dir, o)
	copied, err := s.open(s.options())
	if err != nil {
		return nil, err
	}
	err = errors.Join(undamaged(s.loadPending), removeHalfMade(dir))
	if err == nil {
		err = s.migrate()
	}
	if err == nil && copied {
		err = s.follow()
	}
	if err != nil {
		return nil, errors.Join(err, s.db.Load().Close())
	}
	return s, nil
}

// OpenReadOnly opens a journal, or a copy of one, without changing a byte.
// Update is refused. Errors as for Open.
func OpenReadOnly(dir string) (*Store, error) {
	s := newStore(dir, nil)
	opt := s.options()
	opt.ReadOnly, opt.InitialMmapSize = true, 0
	if _, err := s.open(opt); err != nil {
		return nil, err
	}
	if err := undamaged(s.loadPending); err != nil {
		return nil, errors.Join(err, s.db.Load().Close())
	}
	return s, nil
}

func newStore(dir string, o []Option) *Store {
	s := &Store{dir: dir, now: time.Now, rand: rand.Reader, foldMax: foldMax}
	for _, f := range o {
		f(s)
	}
	s.settled = sync.NewCond(&s.mu)
	s.bodies = newBodies(s)
	return s
}

func (s *Store) options() *bolt.Options {
	return &bolt.Options{
		Timeout:         time.Second,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: 4 << 30, // address space: a remap would wait for every reader
		NoStatistics:    true,
		MaxSize:         s.maxSize,
	}
}

func (s *Store) open(opt *bolt.Options) (copied bool, err error) {
	path := filepath.Join(s.dir, fileName)
	if err := exists(path); err != nil {
		return false, err
	}
	if copied, err = hasCopyMark(path); err != nil {
		return false, err
	}
	if err := wholeFile(path); err != nil {
		return false, err
	}
	// Looked at before it is opened for writing: bbolt may write on its own.
	if !opt.ReadOnly {
		if err := s.peek(path); err != nil {
			return false, err
		}
		if err := settle(path); err != nil {
			return false, err
		}
	}
	db, err := openFile(path, opt)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return false, journal.ErrInUse
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return false, fmt.Errorf("%w: %w", journal.ErrFormat, err)
	case err != nil:
		return false, fmt.Errorf("boltstore: open: %w", err)
	}
	s.db.Store(&file{DB: db})
	if err := undamaged(s.identify); err != nil {
		return false, errors.Join(err, db.Close())
	}
	return copied, nil
}

// openFile opens what may be no bbolt file at all: bbolt trusts the pages that
// it reads, and panics.
func openFile(path string, opt *bolt.Options) (db *bolt.DB, err error) {
	err = undamaged(func() (err error) {
		db, err = bolt.Open(path, 0o600, opt)
		return err
	})
	if err != nil {
		return nil, err
	}
	return db, nil
}

// undamaged reads, and makes ErrFormat of the panic with which bbolt meets a
// page that is not what it should be: Verify says which.
func undamaged(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%w: damaged", journal.ErrFormat)
		}
	}()
	return read()
}

// peek opens the file read-only to know its format.
func (s *Store) peek(path string) error {
	opt := &bolt.Options{Timeout: time.Second, ReadOnly: true, NoStatistics: true}
	db, err := openFile(path, opt)
	if errors.Is(err, berrors.ErrTimeout) {
		return journal.ErrInUse
	}
	if err != nil {
		return fmt.Errorf("%w: %w", journal.ErrFormat, err)
	}
	r := &Store{dir: s.dir}
	r.db.Store(&file{DB: db})
	return errors.Join(undamaged(r.identify), db.Close())
}

// identify reads whose journal it is, and whether this program can read it.
func (s *Store) identify() error {
	return s.db.Load().View(func(btx *bolt.Tx) error {
		meta := btx.Bucket([]byte(bMeta.String()))
		if meta == nil {
			return journal.ErrFormat
		}
		s.format = string(meta.Get([]byte("format")))
		if s.format != format && s.format != formatUnsummed {
			return journal.ErrFormat
		}
		for b := range nBuckets {
			if btx.Bucket([]byte(b.String())) == nil {
				return fmt.Errorf("%w: no bucket %s", journal.ErrFormat, b)
			}
		}
		s.broker = string(meta.Get([]byte("broker")))
		return nil
	})
}

// exists refuses to guess: bbolt would make a file.
func exists(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return journal.ErrNoJournal
	}
	if err != nil {
		return fmt.Errorf("boltstore: open: %w", err)
	}
	return nil
}

// errUnchanged spares a transaction that wrote nothing its two fsyncs.
var errUnchanged = errors.New("boltstore: nothing to write")

// Update implements journal.Store.
func (s *Store) Update(f func(journal.Tx) error) error {
	return s.update(func(t *tx) error { return f(t) })
}

func (s *Store) update(f func(*tx) error) error {
	s.writer.Lock()
	defer s.writer.Unlock()
	if err := s.failed.Load(); err != nil {
		return *err
	}
	var refused error // by f
	var t *tx
	var id int64
	db := s.db.Load()
	err := db.Update(func(btx *bolt.Tx) error {
		id = int64(btx.ID())
		t = &tx{view: view{s: s, tx: btx, pending: s.pending.copy()}}
		if refused = f(t); refused != nil && t.broken == nil {
			return refused
		}
		refused = nil
		if !t.wrote {
			return errUnchanged
		}
		return t.finish()
	})
	if (refused != nil || err != nil) && t != nil {
		s.pending.objects.forget(t.noted)
	}
	switch {
	case refused != nil:
		return refused
	case err == errUnchanged:
		return nil
	case err != nil && s.closedOr(err) == journal.ErrClosed:
		return journal.ErrClosed
	case err != nil:
		return s.fail(err)
	}
	s.pending = t.pending
	if s.compaction != nil {
		s.compaction.dropped = append(s.compaction.dropped, t.dropped...)
	}
	s.mu.Lock()
	s.state.Store(&state{db: db, id: id, pending: t.pending.copy()})
	s.mu.Unlock()
	s.settled.Broadcast()
	s.bodies.entered(t.bodies)
	return nil
}

// fail is final: nothing of this process may trust the file any more.
func (s *Store) fail(cause error) error {
	err := fmt.Errorf("%w: %w", journal.ErrFailed, cause)
	s.mu.Lock()
	s.failed.CompareAndSwap(nil, &err)
	s.mu.Unlock()
	s.settled.Broadcast()
	return *s.failed.Load()
}

func (s *Store) closedOr(err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return journal.ErrClosed
	}
	return fmt.Errorf("boltstore: %w", err)
}

// Bodies implements journal.Store.
func (s *Store) Bodies() journal.Bodies { return s.bodies }

// Free implements journal.Store.
func (s *Store) Free() (uint64, error) { return freeBytes(s.dir) }

// Close implements journal.Store. It ends a compaction, which leaves no trace.
func (s *Store) Close() error {
	s.closing.Store(true)
	s.compacting.Lock()
	defer s.compacting.Unlock()
	if !s.db.Load().IsReadOnly() {
		// So that the next Open has nothing to derive. Where it fails nothing is
		// lost: the records are there.
		_ = undamaged(func() error {
			return s.update(func(t *tx) error {
				if t.pending.from < t.Position() {
					t.fold()
				}
				return nil
			})
		})
	}
	if err := s.db.Load().Close(); err != nil {
		return fmt.Errorf("boltstore: close: %w", err)
	}
	return nil
}

// Backup implements journal.Store.
func (s *Store) Backup(ctx context.Context, w io.Writer) error { return s.backup(ctx, w) }
