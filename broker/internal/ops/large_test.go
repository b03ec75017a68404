package ops

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

func create(t *testing.T, dir string) *boltstore.Store {
	t.Helper()
	err := boltstore.Create(dir, "relais-essai")
	var s *boltstore.Store
	if err == nil {
		s, err = boltstore.Open(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// seed of what a generated journal holds.
const seed = 7

// generate appends the events of n messages as a broker makes them at each end:
// sizes and kinds of rows are those of plis, their bytes are not.
func generate(t *testing.T, s journal.Store, n int) {
	t.Helper()
	draw := rand.NewChaCha8([32]byte{seed})
	at := time.Date(2026, 11, 20, 22, 41, 7, 0, time.UTC)
	const group = 200
	for done := 0; done < n; done += group {
		err := s.Update(func(tx journal.Tx) error {
			for i := done; i < min(done+group, n); i++ {
				if err := message(tx, draw, i, at.Add(time.Duration(i)*time.Second)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// message is one pli that was sent, carried, consigned and acted on.
func message(tx journal.Tx, draw *rand.ChaCha8, n int, at time.Time) error {
	junk := func(size int) []byte {
		b := make([]byte, size)
		draw.Read(b)
		return b
	}
	digest := func() string { return hex.EncodeToString(junk(32)) }
	id := fmt.Sprintf("0193b3a0-%04x-7000-8000-%012x", n>>16&0xffff, n)
	body := junk(700)
	binary.BigEndian.PutUint64(body, uint64(n))
	sum := sha256.Sum256(body)
	name := hex.EncodeToString(sum[:])
	put := func(space, key string, size int) journal.Put {
		return journal.Put{Space: space, Key: key, Value: []byte(hex.EncodeToString(junk(size / 2)))}
	}
	first := tx.Position()
	events := []journal.Event{
		{Type: journal.TypePli, ID: id, Digest: digest(), Changes: journal.Changes{Objects: [][]byte{junk(500), junk(230)},
			Blobs: []journal.Blob{{Name: journal.BodyName(name), SHA256: name, Size: int64(len(body)), Bytes: body}},
			Puts:  []journal.Put{put("pli", id, 600), put("idem", digest(), 110), {Space: "sent", Key: "ase-59/" + id, Value: []byte{}}}}},
		{Type: "accepted", ID: id, Digest: digest(), Changes: journal.Changes{Objects: [][]byte{junk(450), junk(230)}, Puts: []journal.Put{put("state", id+"/parquet-lille", 160)},
			Enqueue: []journal.Item{{Topic: "pli", Dest: "parquet-lille", Lane: id[:8], Payload: []byte(id)}},
			Timers:  []journal.Timer{{Key: "overdue/" + id, Due: at.AddDate(0, 0, 8)}}}},
		{Type: journal.TypeDelivered, ID: id, Changes: journal.Changes{Settle: []journal.Settlement{{Seq: (first + 1) << 8, Outcome: journal.Done}}}},
	}
	for _, e := range []string{"consigned", "taken_in_charge"} {
		events = append(events, journal.Event{Type: e, ID: id, Digest: digest(), Changes: journal.Changes{Objects: [][]byte{junk(600), junk(230)},
			Puts: []journal.Put{put("state", id+"/parquet-lille", 160), put("evidence", fmt.Sprintf("%s/%s", id, e), 260), put("unique", id+"/"+e, 64)}}})
	}
	events[4].Timers = []journal.Timer{{Key: "overdue/" + id}}
	if n%100 == 0 { // one in a hundred waits
		events = events[:2]
	}
	for _, e := range events {
		e.At = at
		if _, err := tx.Append(e); err != nil {
			return err
		}
	}
	return nil
}

type largeRecord struct {
	runs.Head
	Messages  int     `json:"messages"`
	Events    uint64  `json:"events"`
	Bytes     int64   `json:"bytes"`
	Generated float64 `json:"generated_seconds"`
	Opened    float64 `json:"opened_seconds"`
	Crashed   float64 `json:"opened_after_a_crash_seconds"`
	Verified  float64 `json:"verified_seconds"`
	PerSecond float64 `json:"events_verified_per_second"`
	Compacted float64 `json:"compacted_seconds"`
	After     int64   `json:"bytes_after_compaction"`
	Heap      uint64  `json:"heap_after_open_bytes"`
}

// TestLargeJournal: see the package comment.
func TestLargeJournal(t *testing.T) {
	ctx, began, n := context.Background(), time.Now(), runs.Number(t, "VAGUEMESTRE_MESSAGES", 20_000)
	if testing.Short() {
		n = min(n, 2000)
	}
	dir, crashed := t.TempDir(), t.TempDir()
	r := largeRecord{Messages: n}
	s := create(t, dir)
	took := func(f func() error) float64 {
		t.Helper()
		start := time.Now()
		if err := f(); err != nil {
			t.Fatal(err)
		}
		return time.Since(start).Seconds()
	}
	r.Generated = took(func() error { generate(t, s, n); return nil })
	// What a crash leaves: the file as it is, rows not folded.
	if err := duplicate(filepath.Join(dir, "journal.db"), filepath.Join(crashed, "journal.db")); err != nil {
		t.Fatal(err)
	}
	var c *boltstore.Store
	r.Crashed = took(func() (err error) { c, err = boltstore.Open(crashed); return err })
	if err := errors.Join(c.Close(), os.Remove(filepath.Join(crashed, "journal.db")), s.Close()); err != nil {
		t.Fatal(err)
	}
	r.Opened = took(func() (err error) { s, err = boltstore.Open(dir); return err })
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	r.Heap = m.HeapAlloc
	r.Compacted = took(func() (err error) { r.Bytes, r.After, err = s.Compact(ctx, 0); return err })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r.Verified = took(func() error {
		rep, err := boltstore.Verify(ctx, dir, nil)
		r.Events = rep.Events
		if err == nil && (rep.Blobs != n || rep.Pending != (n+99)/100) {
			err = fmt.Errorf("%d bodies, %d pending", rep.Blobs, rep.Pending)
		}
		return err
	})
	r.PerSecond = float64(r.Events) / r.Verified
	t.Logf("%d messages, %d events, %d MB: generated in %.1f s, opened in %.2f s (%.2f s after a crash, heap %d MB), verified in %.1f s (%.0f events/s), compacted in %.1f s to %d MB",
		n, r.Events, r.Bytes>>20, r.Generated, r.Opened, r.Crashed, r.Heap>>20, r.Verified, r.PerSecond, r.Compacted, r.After>>20)
	leave(t, "large", "TestLargeJournal", n, began, &r.Head, &r)
}

// duplicate copies a file that nobody writes to now.
func duplicate(from, to string) error {
	b, err := os.Open(from)
	if err != nil {
		return err
	}
	defer b.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.ReadFrom(b)
	return errors.Join(err, f.Close())
}
