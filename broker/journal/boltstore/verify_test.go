package boltstore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// sample is a closed journal with every kind of row, and what its records say
// that it holds.
type sample struct {
	dir    string
	replay *journal.Replay
	head   journal.Head
}

func newSample(t testing.TB) sample {
	t.Helper()
	dir := t.TempDir()
	s := newStore(t, dir, boltstore.WithFoldMax(1)) // every row is in the file
	brokertest.RandomHistory(t, s, 7, 160)
	keepHead(t, s)
	w, err := s.Bodies().Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(bytes.Repeat([]byte("scelle"), 20_000)); err != nil {
		t.Fatal(err)
	}
	blob, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	brokertest.MustAppend(t, s, journal.Event{Type: "pli", Changes: journal.Changes{Blobs: []journal.Blob{blob}}})
	sm := sample{dir: t.TempDir()}
	if err := os.CopyFS(sm.dir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	short(t, s, filepath.Join(sm.dir, "journal.db"))
	err = s.View(func(v journal.View) error {
		sm.replay, sm.head = brokertest.ReplayOf(t, v), v.Head()
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	// An export of records does not tell which blobs are in the file.
	for name, b := range sm.replay.Blobs {
		b.Value.Inline = b.Value.SHA256 != mustHex(blob.SHA256)
		sm.replay.Blobs[name] = b
	}
	return sm
}

// short writes the pages in use only: a file grows by 16 MiB at a time.
func short(t testing.TB, s *boltstore.Store, path string) {
	t.Helper()
	var b bytes.Buffer
	err := s.Backup(context.Background(), &b)
	b.Truncate(b.Len() - os.Getpagesize()) // the copy mark
	if err := errors.Join(err, os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func mustHex(s string) (out [32]byte) {
	hex.Decode(out[:], []byte(s))
	return out
}

func keepHead(t testing.TB, s journal.Store) (text []byte) {
	t.Helper()
	err := s.Update(func(tx journal.Tx) error {
		text = tx.Head().Checkpoint()
		return tx.KeepCheckpoint(text, []byte("signature"))
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// copyOf copies a data directory.
func (sm sample) copyOf(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(sm.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func verify(dir string, heads ...boltstore.SignedHead) (boltstore.Report, error) {
	return boltstore.Verify(context.Background(), dir, nil, heads...)
}

func TestVerifySample(t *testing.T) {
	sm := newSample(t)
	var signed int
	check := func(broker string, text, sig []byte) error {
		signed++
		if broker != "relais-essai" || string(sig) != "signature" {
			t.Errorf("asked to check %q for %q", sig, broker)
		}
		return nil
	}
	rep, err := boltstore.Verify(context.Background(), sm.copyOf(t), check)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Head != sm.head || rep.Signatures != 1 || signed != 1 || rep.Objects != len(sm.replay.Objects) ||
		rep.Pending != len(sm.replay.Items) || rep.Letters != len(sm.replay.Letters) || rep.Blobs == 0 || rep.Rows == 0 || rep.Timers == 0 {
		t.Errorf("report %+v", rep)
	}
	wrong := errors.New("wrong")
	if _, err := boltstore.Verify(context.Background(), sm.dir, func(string, []byte, []byte) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("a kept checkpoint with a wrong signature: %v", err)
	}
}

// tamper changes one bucket of the file without its program.
func tamper(t *testing.T, dir, bucket string, f func(*testing.T, *bolt.Bucket)) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, "journal.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { f(t, tx.Bucket([]byte(bucket))); return nil })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

type kv struct{ k, v []byte }

func all(b *bolt.Bucket) (out []kv) {
	b.ForEach(func(k, v []byte) error {
		out = append(out, kv{bytes.Clone(k), bytes.Clone(v)})
		return nil
	})
	return out
}

func put(t *testing.T, b *bolt.Bucket, k, v []byte) {
	if err := b.Put(k, v); err != nil {
		t.Fatal(err)
	}
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-1] ^= 1
	return b
}

// blame says which event the replay holds answerable for a row.
func (sm sample) blame(bucket string, k []byte) (uint64, bool) {
	last8 := func() uint64 { return binary.BigEndian.Uint64(k[len(k)-8:]) }
	switch bucket {
	case "events":
		return last8(), true
	case "objects", "object.index":
		return last8() >> 8, true
	case "blob.bytes":
		return last8() >> 8, true
	case "items", "due", "lanes":
		return sm.replay.Items[last8()].By, true
	case "letters":
		return sm.replay.Letters[last8()].By, true
	case "blobs":
		return sm.replay.Blobs[string(k)].By, true
	case "timers":
		return sm.replay.Timers[string(k)].By, true
	case "timer.due":
		return sm.replay.Timers[string(k[8:])].By, true
	case "puts":
		space, key, _ := bytes.Cut(k, []byte{0})
		return sm.replay.Puts[[2]string{string(space), string(key)}].By, true
	}
	return 0, false
}

var buckets = []string{"meta", "logs", "checkpoints", "events", "tiles", "objects", "object.index", "blobs",
	"blob.bytes", "puts", "items", "lanes", "due", "counts", "letters", "timers", "timer.due"}

// TestVerifyTampered: any row altered, deleted, exchanged, doubled or added is
// found, and the event that it belongs to is named.
func TestVerifyTampered(t *testing.T) {
	sm := newSample(t)
	for _, bucket := range buckets {
		for _, act := range []string{"alter", "delete", "swap", "duplicate", "insert"} {
			if bucket == "checkpoints" && act == "delete" {
				continue // it is there for convenience: Verify cannot miss it
			}
			t.Run(bucket+"/"+act, func(t *testing.T) {
				dir := sm.copyOf(t)
				var want []uint64
				tamper(t, dir, bucket, func(t *testing.T, b *bolt.Bucket) { want = sm.apply(t, b, bucket, act) })
				_, err := boltstore.Verify(context.Background(), dir, checkSample)
				if err == nil {
					t.Fatal("not found")
				}
				var bad *boltstore.BadRecordError
				if !errors.As(err, &bad) {
					if !errors.Is(err, journal.ErrFormat) || bucket != "meta" {
						t.Fatalf("found, but named no record: %v", err)
					}
				} else if len(want) > 0 && bad.N != slices.Min(want) {
					t.Errorf("%v, want record %d", err, slices.Min(want))
				}
			})
		}
	}
}

// checkSample is the signature of keepHead.
func checkSample(_ string, _, sig []byte) error {
	if string(sig) != "signature" {
		return errors.New("wrong signature")
	}
	return nil
}

// apply changes the bucket, and lists the events concerned when they are
// known.
func (sm sample) apply(t *testing.T, b *bolt.Bucket, bucket, act string) (want []uint64) {
	rows := all(b)
	if len(rows) == 0 {
		t.Fatal("nothing to alter")
	}
	i := len(rows) / 2
	r := rows[i]
	blame := func(k []byte) {
		if by, ok := sm.blame(bucket, k); ok {
			want = append(want, by)
		}
	}
	switch act {
	case "alter":
		blame(r.k)
		if len(r.v) > 0 {
			put(t, b, r.k, flip(r.v))
			break
		}
		want = nil // the row moved: one is missing, another has no record
		fallthrough
	case "delete":
		if err := b.Delete(r.k); err != nil {
			t.Fatal(err)
		}
		if act == "delete" {
			blame(r.k)
		} else {
			put(t, b, flip(r.k), nil)
		}
	case "swap":
		if len(rows) < 2 || len(rows[0].v) == 0 || bytes.Equal(rows[0].v, rows[len(rows)-1].v) {
			t.Skip("no two rows to exchange")
		}
		last := rows[len(rows)-1]
		put(t, b, rows[0].k, last.v)
		put(t, b, last.k, rows[0].v)
		blame(rows[0].k)
		blame(last.k)
	case "duplicate":
		k := bytes.Clone(rows[len(rows)-1].k)
		k[len(k)-1] += 3
		put(t, b, k, rows[len(rows)-1].v)
	case "insert":
		put(t, b, append(bytes.Clone(r.k), 'z'), []byte("intrus"))
	}
	return want
}

// TestVerifyBodies: a body on disk that is altered, cut or gone.
func TestVerifyBodies(t *testing.T) {
	sm := newSample(t)
	for name, f := range map[string]func(path string, b []byte) error{
		"altered": func(p string, b []byte) error { return os.WriteFile(p, flip(b), 0o600) },
		"cut":     func(p string, b []byte) error { return os.Truncate(p, int64(len(b)-1)) },
		"gone":    func(p string, _ []byte) error { return os.Remove(p) },
	} {
		dir := sm.copyOf(t)
		files, err := filepath.Glob(filepath.Join(dir, "bodies", "??", "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("bodies: %v, %v", files, err)
		}
		b, err := os.ReadFile(files[0])
		if err := errors.Join(err, f(files[0], b)); err != nil {
			t.Fatal(err)
		}
		_, err = verify(dir)
		var bad *boltstore.BadRecordError
		if !errors.As(err, &bad) || bad.N != sm.head.Size-1 {
			t.Errorf("%s: %v, want record %d", name, err, sm.head.Size-1)
		}
	}
}

// TestVerifyFlips: a flipped bit anywhere is reported, or changes nothing that
// is ever read; never a panic, never a hang.
func TestVerifyFlips(t *testing.T) {
	sm := newSample(t)
	dir := sm.copyOf(t)
	path := filepath.Join(dir, "journal.db")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := dump(t, path)
	n, missed := 100, 0
	if testing.Short() {
		n = 30
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range n {
		bad := bytes.Clone(good)
		at, bit := r.IntN(len(bad)), byte(1)<<r.IntN(8)
		bad[at] ^= bit
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := verify(dir); err != nil {
			continue
		}
		missed++
		if got := dump(t, path); !slices.EqualFunc(got, want, func(a, b kv) bool { return bytes.Equal(a.k, b.k) && bytes.Equal(a.v, b.v) }) {
			t.Errorf("bit %08b of byte %d changes the content unseen", bit, at)
		}
	}
	t.Logf("%d of %d flips changed nothing", missed, n)
}

func dump(t *testing.T, path string) (out []kv) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			out = append(append(out, kv{bytes.Clone(name), nil}), all(b)...)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestVerifyCycle: a page that is its own child would be read for ever.
func TestVerifyCycle(t *testing.T) {
	dir := newSample(t).copyOf(t)
	path := filepath.Join(dir, "journal.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size, done := os.Getpagesize(), 0
	for at := 2 * size; at+size <= len(b); at += size {
		if binary.LittleEndian.Uint64(b[at:]) == uint64(at/size) && binary.LittleEndian.Uint16(b[at+8:]) == 1 {
			binary.LittleEndian.PutUint64(b[at+16+8:], uint64(at/size))
			done++
		}
	}
	if done == 0 {
		t.Fatal("no branch page in the sample")
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var bad *boltstore.BadRecordError
	if _, err := verify(dir); !errors.As(err, &bad) {
		t.Errorf("a cycle: %v", err)
	}
}
