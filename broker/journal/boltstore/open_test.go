package boltstore_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

var update = flag.Bool("update", false, "write the golden files again")

func TestCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := boltstore.Open(dir); !errors.Is(err, journal.ErrNoJournal) {
		t.Errorf("open without a directory: %v", err)
	}
	s := newStore(t, dir)
	if err := boltstore.Create(dir, "relais-essai"); !errors.Is(err, journal.ErrDuplicate) {
		t.Errorf("created twice: %v", err)
	}
	if _, err := boltstore.Open(dir); !errors.Is(err, journal.ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "journal.db" {
		t.Errorf("files left: %v, %v", entries, err)
	}
	info, err := os.Stat(filepath.Join(dir, "journal.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := boltstore.Create(t.TempDir(), "Relais"); err == nil {
		t.Error("a broker with a capital")
	}
}

// TestCreateCut: whatever a crash leaves of a creation, there is no journal,
// and the next creation makes one.
func TestCreateCut(t *testing.T) {
	made := t.TempDir()
	newStore(t, made).Close()
	whole, err := os.ReadFile(filepath.Join(made, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for cut := 0; cut <= 160<<10; cut += 6 << 10 { // what it writes is in the first 160 KiB
		dir := t.TempDir()
		half := bytes.Clone(whole[:cut])
		if cut > 0 && r.IntN(2) == 0 { // a sector that never reached the disk
			at := r.IntN(cut) / 512 * 512
			clear(half[at:min(at+512, cut)])
		}
		if err := os.WriteFile(filepath.Join(dir, "journal.db.new-1"), half, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := boltstore.Open(dir); !errors.Is(err, journal.ErrNoJournal) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		newStore(t, dir).Close()
		if _, err := verify(dir); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*new*")); len(left) != 0 {
			t.Errorf("cut at %d: %v is still there", cut, left)
		}
	}
}

// TestOpenForeign: what is no journal, no whole one, or one of another format
// is refused before any write, without a panic.
func TestOpenForeign(t *testing.T) {
	made := t.TempDir()
	newStore(t, made).Close()
	whole, err := os.ReadFile(filepath.Join(made, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"text": []byte("ceci n'est pas un journal"), "zeros": make([]byte, 1<<16)}
	for cut := 1; cut < 20_000; cut += 1500 {
		files["cut at "+time.Duration(cut).String()] = whole[:cut]
	}
	later := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(later, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	tamper(t, filepath.Dir(later), "meta", func(t *testing.T, b *bolt.Bucket) { put(t, b, []byte("format"), []byte("vaguemestre journal 3")) })
	if files["a later format"], err = os.ReadFile(later); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		dir := t.TempDir()
		path := filepath.Join(dir, "journal.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := boltstore.Open(dir); !errors.Is(err, journal.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := verify(dir); err == nil {
			t.Errorf("%s: verified", name)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
}

// TestOpenFlips: a journal with a flipped bit opens, or is refused as damaged;
// it never panics.
func TestOpenFlips(t *testing.T) {
	from, _ := killed(t, 40)
	good, err := os.ReadFile(filepath.Join(from, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	r, refused := rand.New(rand.NewPCG(3, 4)), 0
	const n = 200
	for range n {
		dir, bad := t.TempDir(), bytes.Clone(good)
		// Heads of pages, where a flip does most harm.
		at := r.IntN(len(bad)/4096)*4096 + r.IntN(64)
		bad[at] ^= byte(1) << r.IntN(8)
		if err := os.WriteFile(filepath.Join(dir, "journal.db"), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := boltstore.OpenReadOnly(dir)
		if err == nil {
			err = s.Close()
		} else if !errors.Is(err, journal.ErrFormat) {
			t.Errorf("byte %d: %v", at, err)
		}
		if err != nil {
			refused++
		}
		if s, err := boltstore.Open(dir); err == nil {
			s.Close()
		} else if !errors.Is(err, journal.ErrFormat) {
			t.Errorf("byte %d, for writing: %v", at, err)
		}
	}
	if refused == 0 {
		t.Error("no flip did any harm: the test looks at nothing")
	}
	t.Logf("%d of %d refused", refused, n)
}

// TestFormat1: a journal that an early program of format 1 wrote still verifies,
// is brought to the format of this one, and goes on.
func TestFormat1(t *testing.T) {
	b, err := unpack(filepath.Join("testdata", "format-1.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journal.db"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	rep, err := boltstore.Verify(context.Background(), dir, checkSample)
	if err != nil || rep.Signatures != 1 {
		t.Fatalf("%+v, %v", rep, err)
	}
	const head = "relais-essai/log/d9877ece6d368aac1a6f419ec627c76b\n86\n8EXC0k/I4a9gS328XdCyztYZPM08i3LxWZ8Rw2q3R6o=\n"
	if got := string(rep.Head.Checkpoint()); got != head {
		t.Errorf("head %q", got)
	}
	r, err := boltstore.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	s := openStore(t, dir)
	brokertest.RandomHistory(t, s, 2, 40)
	s.Close()
	if _, err := verify(dir, given([]byte(head))...); err != nil {
		t.Error(err)
	}
	tamper(t, dir, "meta", func(t *testing.T, b *bolt.Bucket) {
		if got := string(b.Get([]byte("format"))); got != "vaguemestre journal 2" {
			t.Errorf("after it was opened: %q", got)
		}
	})
}

func unpack(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func setFormat(t *testing.T, dir, format string) {
	t.Helper()
	tamper(t, dir, "meta", func(t *testing.T, b *bolt.Bucket) { put(t, b, []byte("format"), []byte(format)) })
}

// TestFull: when the file cannot grow, the commit that needed it fails for
// good, nothing answered is lost, and the journal opens again.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	newStore(t, dir).Close()
	s := openStore(t, dir, boltstore.WithMaxSize(1<<20))
	j, err := journal.New(s, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var kept uint64
	for err == nil && kept < 1000 {
		var c journal.Committed
		c, err = j.Commit(context.Background(), func(journal.View) (journal.Batch, error) {
			return journal.Batch{Events: []journal.Event{{Type: "noted", Changes: journal.Changes{Objects: [][]byte{junk(20_000)}}}}}, nil
		})
		if err == nil {
			kept = c.First
		}
	}
	if !errors.Is(err, journal.ErrFailed) || kept == 0 {
		t.Fatalf("after %d commits: %v", kept, err)
	}
	if err := s.View(func(journal.View) error { return nil }); !errors.Is(err, journal.ErrFailed) {
		t.Errorf("a read after the failure: %v", err)
	}
	if err := s.Update(func(journal.Tx) error { return nil }); !errors.Is(err, journal.ErrFailed) {
		t.Errorf("a write after the failure: %v", err)
	}
	if err := j.Close(context.Background()); !errors.Is(err, journal.ErrFailed) {
		t.Errorf("close: %v", err)
	}
	if rep, err := verify(dir); err != nil || rep.Size < kept+1 {
		t.Errorf("size %d of %d: %v", rep.Size, kept+1, err)
	}
	brokertest.MustAppend(t, openStore(t, dir), journal.Event{Type: "noted"})
}

// TestReadOnly: a copy is read without changing a byte.
func TestReadOnly(t *testing.T) {
	sm := newSample(t)
	path := filepath.Join(sm.dir, "journal.db")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := boltstore.OpenReadOnly(sm.dir)
	if err != nil {
		t.Fatal(err)
	}
	s.View(func(v journal.View) error {
		if v.Head() != sm.head {
			t.Errorf("head %v", v.Head())
		}
		return nil
	})
	if err := s.Update(func(tx journal.Tx) error { _, err := tx.Append(journal.Event{Type: "noted", At: start}); return err }); err == nil {
		t.Error("it was written to")
	}
	s.Close()
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file was changed: %v", err)
	}
}
