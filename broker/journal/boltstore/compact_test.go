package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// erasing commits blobs, then erases most, so that there is space to give back.
func erasing(t *testing.T, j *journal.Journal, from, to int) {
	t.Helper()
	commit := func(c journal.Changes) {
		_, err := j.Commit(context.Background(), func(journal.View) (journal.Batch, error) {
			return journal.Batch{Events: []journal.Event{{Type: "noted", Changes: c}}}, nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	var names []string
	for n := from; n < to; n++ {
		b := junk(20_000)
		blob := journal.Blob{Name: journal.BodyName(sum(b)), SHA256: sum(b), Size: int64(len(b)), Bytes: b}
		commit(journal.Changes{Blobs: []journal.Blob{blob}, Objects: [][]byte{junk(300)}, Puts: []journal.Put{{Space: "kept", Key: fmt.Sprint(n), Value: []byte("x")}}})
		if n%10 > 0 {
			names = append(names, blob.Name)
		}
	}
	for _, name := range names {
		commit(journal.Changes{Erase: []string{name}})
	}
}

// TestCompact: space is given back while commits and reads go on; nothing is
// lost, and the log is the same.
func TestCompact(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	s := newStore(t, dir, boltstore.WithFoldMax(50))
	brokertest.RandomHistory(t, s, 3, 200)
	j, err := journal.New(s, journal.Options{Sign: func(context.Context, []byte) ([]byte, error) { return []byte("signature"), nil }})
	if err != nil {
		t.Fatal(err)
	}
	erasing(t, j, 0, 600) // past a tile of the tree, several times
	text, _, err := j.Checkpoint(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { erasing(t, j, 600, 900) })
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			err := j.View(func(v journal.View) error {
				if _, ok := v.Get("kept", "7"); !ok {
					t.Error("a row is gone")
				}
				return nil
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 3 {
		before, after, err := j.Compact(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 && after > before/2 {
			t.Errorf("%d bytes, then %d", before, after)
		}
		t.Logf("%d bytes, then %d", before, after)
	}
	wg.Go(func() { erasing(t, j, 900, 1000) })
	close(stop)
	wg.Wait()
	if _, after, err := j.Compact(ctx); err != nil || after > 8<<20 { // 100 bodies of 20 kB, and the records
		t.Errorf("%d bytes after all, %v", after, err)
	}
	err = s.View(func(v journal.View) error {
		for n := range 1000 {
			if _, ok := v.Get("kept", fmt.Sprint(n)); !ok {
				return fmt.Errorf("commit %d is lost", n)
			}
		}
		return nil
	})
	if err := errors.Join(err, j.Close(ctx)); err != nil {
		t.Fatal(err)
	}
	if rep, err := boltstore.Verify(ctx, dir, nil, given(text)...); err != nil {
		t.Errorf("%+v, %v", rep.Head, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("files left: %v, %v", entries, err)
	}
	brokertest.MustAppend(t, openStore(t, dir), journal.Event{Type: "noted"})
}

// TestCompactRefused: without the space for it, or once it is told to stop, the
// old file stays, and goes on.
func TestCompactRefused(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	brokertest.RandomHistory(t, s, 4, 50)
	if _, _, err := s.Compact(context.Background(), 1<<62); !errors.Is(err, journal.ErrNoSpace) {
		t.Errorf("without space: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := s.Compact(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("told to stop: %v", err)
	}
	brokertest.RandomHistory(t, s, 5, 50)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Compact(context.Background(), 0); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := verify(dir); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*new*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestCompactCut: a crash before the rename leaves the old file whole beside
// any part of the new one.
func TestCompactCut(t *testing.T) {
	sm := newSample(t)
	whole, err := os.ReadFile(filepath.Join(sm.dir, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut <= len(whole); cut += len(whole)/8 + 1 {
		dir := sm.copyOf(t)
		if err := os.WriteFile(filepath.Join(dir, "journal.db.new-5"), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := openStore(t, dir)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if rep, err := verify(dir); err != nil || rep.Head != sm.head {
			t.Errorf("cut at %d: %v", cut, err)
		}
		after, err := os.ReadDir(dir)
		if err != nil || len(after) != 2 { // journal.db, bodies
			t.Errorf("cut at %d: %v, %v", cut, after, err)
		}
	}
}
