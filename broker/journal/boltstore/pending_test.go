package boltstore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// killed is a journal whose process ended without Close: some rows are folded,
// some pending.
func killed(t *testing.T, foldMax int) (dir string, head journal.Head) {
	t.Helper()
	s := newStore(t, t.TempDir(), boltstore.WithFoldMax(foldMax))
	brokertest.RandomHistory(t, s, 11, 160)
	dir = t.TempDir()
	short(t, s, filepath.Join(dir, "journal.db"))
	if err := s.View(func(v journal.View) error { head = v.Head(); return nil }); err != nil {
		t.Fatal(err)
	}
	return dir, head
}

// rowsAt is meta "rows", and how many events there are.
func rowsAt(t *testing.T, dir string) (rows, events []byte) {
	t.Helper()
	tamper(t, dir, "meta", func(_ *testing.T, b *bolt.Bucket) {
		rows = bytes.Clone(b.Get([]byte("rows")))
		k, _ := b.Tx().Bucket([]byte("events")).Cursor().Last()
		events = bytes.Clone(k)
	})
	return rows, events
}

// TestPendingAfterKill: what was pending when the process was killed is there
// again, from a journal opened either way, and is folded by Close.
func TestPendingAfterKill(t *testing.T) {
	for _, foldMax := range []int{1, 40, 250, 1 << 20} {
		dir, head := killed(t, foldMax)
		if rows, events := rowsAt(t, dir); foldMax == 40 && (bytes.Equal(rows, u64(0)) || bytes.Compare(rows, events) >= 0) {
			t.Fatalf("nothing is folded, or nothing pending: %x of %x", rows, events)
		}
		r, err := boltstore.OpenReadOnly(dir)
		if err != nil {
			t.Fatal(err)
		}
		err = r.View(func(v journal.View) error {
			brokertest.CheckView(t, v)
			return nil
		})
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		if rep, err := verify(dir); err != nil || rep.Head != head {
			t.Errorf("before it is opened: %v", err)
		}
		s := openStore(t, dir, boltstore.WithFoldMax(foldMax))
		brokertest.RandomHistory(t, s, 12, 80)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if rows, events := rowsAt(t, dir); bytes.Compare(rows, events) <= 0 {
			t.Errorf("Close left rows pending: %x of %x", rows, events)
		}
		if _, err := verify(dir); err != nil {
			t.Errorf("after Close: %v", err)
		}
	}
}

// TestPendingTampered: a changed row is found where others are pending; so is a
// position that claims more, or less, than what is in the file.
func TestPendingTampered(t *testing.T) {
	from, _ := killed(t, 40)
	rows, events := rowsAt(t, from)
	copyOf := func(t *testing.T) string {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, bucket := range []string{"puts", "blobs", "object.index", "items", "timers"} {
		dir := copyOf(t)
		tamper(t, dir, bucket, func(t *testing.T, b *bolt.Bucket) {
			k, _ := b.Cursor().First()
			if err := b.Delete(bytes.Clone(k)); err != nil {
				t.Fatal(err)
			}
		})
		if _, err := verify(dir); err == nil {
			t.Errorf("a row of %s was deleted, and not missed", bucket)
		}
	}
	for _, wrong := range [][]byte{nil, {0}, u64(1 << 40), u64(0), events, plus(rows, 1), plus(rows, -1)} {
		dir := copyOf(t)
		tamper(t, dir, "meta", func(t *testing.T, b *bolt.Bucket) {
			if wrong == nil {
				b.Delete([]byte("rows"))
			} else {
				put(t, b, []byte("rows"), wrong)
			}
		})
		if _, err := boltstore.Verify(context.Background(), dir, nil); err == nil {
			t.Errorf("rows at %x instead of %x is not found", wrong, rows)
		}
	}
}

// TestPendingDamaged: a record that is needed and cannot be read is refused
// before any write.
func TestPendingDamaged(t *testing.T) {
	dir, _ := killed(t, 40)
	tamper(t, dir, "events", func(t *testing.T, b *bolt.Bucket) {
		k, v := b.Cursor().Last()
		put(t, b, bytes.Clone(k), v[:len(v)-1])
	})
	if _, err := boltstore.Open(dir); !errors.Is(err, journal.ErrFormat) {
		t.Errorf("Open: %v", err)
	}
	if _, err := boltstore.OpenReadOnly(dir); !errors.Is(err, journal.ErrFormat) {
		t.Errorf("OpenReadOnly: %v", err)
	}
}

// TestPendingViews: a view keeps its state while rows are folded under it.
func TestPendingViews(t *testing.T) {
	s := newStore(t, t.TempDir(), boltstore.WithFoldMax(40))
	brokertest.RandomHistory(t, s, 13, 30)
	err := s.View(func(v journal.View) error {
		before := brokertest.ReplayOf(t, v)
		done := make(chan struct{})
		go func() { defer close(done); brokertest.RandomHistory(t, s, 14, 120) }()
		<-done
		brokertest.CheckView(t, v)
		if after := brokertest.ReplayOf(t, v); len(after.Objects) != len(before.Objects) {
			t.Errorf("%d objects, then %d", len(before.Objects), len(after.Objects))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPendingRefused: a transaction that was refused leaves no row, whatever
// comes to the same place after it.
func TestPendingRefused(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	refused := errors.New("refused")
	for i, object := range []string{"un", "deux", "un", "trois"} {
		err := s.Update(func(tx journal.Tx) error {
			_, err := tx.Append(journal.Event{Type: "noted", At: start, Changes: journal.Changes{Objects: [][]byte{[]byte(object)}}})
			if err == nil && i%2 == 0 {
				return refused
			}
			return err
		})
		if (i%2 == 0) != errors.Is(err, refused) {
			t.Fatal(err)
		}
	}
	err := s.View(func(v journal.View) error {
		for object, held := range map[string]bool{"un": false, "deux": true, "trois": true} {
			if _, err := v.Object(sum([]byte(object))); (err == nil) != held {
				t.Errorf("%s: %v", object, err)
			}
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := verify(dir); err != nil {
		t.Error(err)
	}
}

// TestPendingBytes: what is pending is bounded in bytes too: an item or a row
// may be 1 MiB.
func TestPendingBytes(t *testing.T) {
	s := newStore(t, t.TempDir())
	defer s.Close()
	large := bytes.Repeat([]byte("x"), 1<<20)
	const n = 128
	for i := range n {
		err := s.Update(func(tx journal.Tx) error {
			_, err := tx.Append(journal.Event{Type: "noted", At: start, Changes: journal.Changes{
				Puts: []journal.Put{{Space: "s", Key: fmt.Sprint(i), Value: large}}}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 96<<20 {
		t.Errorf("%d events of 1 MiB each, all durable, keep %d MiB of memory (8192 may)", n, m.HeapAlloc>>20)
	}
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func plus(b []byte, n int64) []byte { return u64(binary.BigEndian.Uint64(b) + uint64(n)) }
