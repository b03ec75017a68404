package crash

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// mode is how a commit breaks.
type mode string

const (
	before mode = "before" // nothing of it is written
	after  mode = "after"  // all of it is written, and nobody is told
)

var errCrash = errors.New("crash: planned")

// fuse is a Store that breaks at one commit; from then on nothing works, as of
// a process that is gone. It outlives the stores that it stands before.
type fuse struct {
	mu      sync.Mutex
	at      int // number of the commit that breaks; 0 is none
	mode    mode
	commits int
	points  []string // what each commit was, by its events
	blown   bool
	crashes int
}

// blow arms the fuse: the n-th commit from now breaks.
func (f *fuse) blow(n int, m mode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.mode = f.commits+n, m
}

// disarm lets every commit through.
func (f *fuse) disarm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = 0
}

func (f *fuse) isBlown() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blown
}

// mend lets the broker be opened again.
func (f *fuse) mend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blown = false
}

func (f *fuse) dead() error { return fmt.Errorf("%w: %w", journal.ErrFailed, errCrash) }

// before stands between a journal and its file.
func (f *fuse) before(s journal.Store) journal.Store { return &fused{Store: s, fuse: f} }

type fused struct {
	journal.Store
	fuse *fuse
	gone bool // this store crashed; guarded by fuse.mu
}

func (s *fused) check() error {
	s.fuse.mu.Lock()
	defer s.fuse.mu.Unlock()
	if s.gone {
		return s.fuse.dead()
	}
	return nil
}

// Update counts the commit, and breaks it when its turn has come.
func (s *fused) Update(f func(journal.Tx) error) error {
	if err := s.check(); err != nil {
		return err
	}
	s.fuse.mu.Lock()
	s.fuse.commits++
	now := s.fuse.commits == s.fuse.at
	m := s.fuse.mode
	s.fuse.mu.Unlock()
	var types []string
	err := s.Store.Update(func(tx journal.Tx) error {
		err := f(watched{tx, &types})
		if err == nil && now && m == before {
			return errCrash
		}
		return err
	})
	s.fuse.mu.Lock()
	defer s.fuse.mu.Unlock()
	s.fuse.points = append(s.fuse.points, strings.Join(types, "+"))
	if !now {
		return err
	}
	s.gone, s.fuse.blown = true, true
	s.fuse.crashes++
	return s.fuse.dead()
}

// watched notes what is appended.
type watched struct {
	journal.Tx
	types *[]string
}

func (w watched) Append(e journal.Event) (uint64, error) {
	n, err := w.Tx.Append(e)
	if err == nil {
		*w.types = append(*w.types, e.Type)
	}
	return n, err
}

func (s *fused) View(f func(journal.View) error) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.Store.View(f)
}

func (s *fused) Bodies() journal.Bodies { return fusedBodies{s.Store.Bodies(), s} }

// Seed gives the store its randomness, as the journal asks of it.
func (s *fused) Seed(r io.Reader) {
	if seeded, ok := s.Store.(interface{ Seed(io.Reader) }); ok {
		seeded.Seed(r)
	}
}

// fusedBodies writes and erases nothing once the process is gone.
type fusedBodies struct {
	journal.Bodies
	s *fused
}

func (b fusedBodies) Create() (journal.BodyWriter, error) {
	if err := b.s.check(); err != nil {
		return nil, err
	}
	w, err := b.Bodies.Create()
	return fusedWriter{w, b.s}, err
}

func (b fusedBodies) Open(sha256 string) (journal.Body, error) {
	if err := b.s.check(); err != nil {
		return nil, err
	}
	return b.Bodies.Open(sha256)
}

func (b fusedBodies) Remove(sha256 string) error {
	if err := b.s.check(); err != nil {
		return err
	}
	return b.Bodies.Remove(sha256)
}

type fusedWriter struct {
	journal.BodyWriter
	s *fused
}

func (w fusedWriter) Write(p []byte) (int, error) {
	if err := w.s.check(); err != nil {
		return 0, err
	}
	return w.BodyWriter.Write(p)
}

func (w fusedWriter) Close() (journal.Blob, error) {
	if err := w.s.check(); err != nil {
		return journal.Blob{}, err
	}
	return w.BodyWriter.Close()
}

// fuses is one for each broker of a town.
type fuses map[broker.BrokerID]*fuse

func newFuses(tn *town) fuses {
	fs := fuses{nord: {}, justice: {}}
	tn.Plan.Store = func(b broker.BrokerID, s journal.Store) journal.Store { return fs[b].before(s) }
	return fs
}
