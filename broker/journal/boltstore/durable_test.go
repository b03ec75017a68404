package boltstore

import (
	"crypto/sha256"
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
		id := s.durable.Load()
		s.durable.Store(id - 1) // as between the meta page and its fsync
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
			s.durable.Store(id)
			s.mu.Unlock()
			s.settled.Broadcast()
		}
		if err := <-seen; errors.Is(err, journal.ErrFailed) != fails {
			t.Errorf("fails=%v: %v", fails, err)
		}
		s.Close()
	}
}

// TestRecentMoves: objects are found before, while and after they move to the
// index, also from a state before the move and after opening again.
func TestRecentMoves(t *testing.T) {
	dir := t.TempDir()
	if err := Create(dir, "relais-essai"); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var n uint64
	add := func(events int) {
		err := s.Update(func(tx journal.Tx) error {
			for range events {
				e := journal.Event{Type: "noted", At: time.UnixMilli(1)}
				for range 256 {
					n++
					e.Objects = append(e.Objects, u64(n/2)) // each twice
				}
				if _, err := tx.Append(e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	check := func(v journal.View, upTo uint64) {
		t.Helper()
		for i := uint64(1); i <= upTo/2; i += 97 {
			if _, _, ok := v.(*view).object(sum256(u64(i))); !ok {
				t.Fatalf("object %d of %d is not found", i, upTo/2)
			}
		}
	}
	add(2 * recentMax / 256)
	err = s.View(func(v journal.View) error {
		old := n
		done := make(chan struct{})
		go func() { defer close(done); add(1) }() // moves
		<-done
		if s.recent.n > 300 {
			t.Errorf("%d rows were not moved", s.recent.n)
		}
		check(v, old)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	add(1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	add(1)
	s.View(func(v journal.View) error { check(v, n); return nil })
	s.Close()
	rep, err := Verify(t.Context(), dir, nil)
	if err != nil || rep.Objects != int(n/2)+1 {
		t.Errorf("%d objects of %d: %v", rep.Objects, n/2+1, err)
	}
}

func sum256(b []byte) [32]byte { return sha256.Sum256(b) }
