package boltstore

import (
	"errors"
	"testing"
	"time"

	"vaguemestre/broker/journal"
)

// TestViewWaits: a state that bbolt shows before its last fsync returned is
// not shown; when that fsync fails it never is.
func TestViewWaits(t *testing.T) {
	for _, fails := range []bool{false, true} {
		dir := t.TempDir()
		if err := Create(dir, "relais-essai"); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		now := s.state.Load()
		s.state.Store(&state{db: now.db, id: now.id - 1, pending: now.pending}) // as between the meta page and its fsync
		seen := make(chan error)
		go func() { seen <- s.View(func(journal.View) error { return nil }) }()
		select {
		case err := <-seen:
			t.Fatalf("a state that is not durable was shown: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		if fails {
			s.fail(errors.New("essai"))
		} else {
			s.mu.Lock()
			s.state.Store(now)
			s.mu.Unlock()
			s.settled.Broadcast()
		}
		if err := <-seen; errors.Is(err, journal.ErrFailed) != fails {
			t.Errorf("fails=%v: %v", fails, err)
		}
		s.Close()
	}
}
