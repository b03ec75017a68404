package boltstore

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"testing"

	"vaguemestre/broker/journal"
)

func holdStore(t *testing.T) *Store {
	t.Helper()
	dir := t.TempDir()
	if err := Create(dir, "relais-essai"); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// made writes a large body that the journal does not name yet.
func made(t *testing.T, s *Store, fill byte) journal.Blob {
	t.Helper()
	w, err := s.Bodies().Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(bytes.Repeat([]byte{fill}, journal.InlineBody+1)); err != nil {
		t.Fatal(err)
	}
	b, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func keep(t *testing.T, s *Store, c journal.Changes) {
	t.Helper()
	err := s.Update(func(tx journal.Tx) error {
		_, err := tx.Append(journal.Event{Type: journal.TypeNoted, At: s.now(), Changes: c})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFreshBodiesEnter: memory holds only the bodies that no commit names yet,
// and a sweep takes none of them, nor one that enters while it goes on.
func TestFreshBodiesEnter(t *testing.T) {
	s := holdStore(t)
	for i := range byte(20) {
		keep(t, s, journal.Changes{Blobs: []journal.Blob{made(t, s, i)}})
	}
	if n := len(s.bodies.fresh); n != 0 {
		t.Errorf("%d digests of journaled bodies stay in memory", n)
	}
	if !s.bodies.beginSweep() {
		t.Fatal("no sweep")
	}
	named, err := s.bodies.named()
	if err != nil {
		t.Fatal(err)
	}
	late := made(t, s, 20)
	keep(t, s, journal.Changes{Blobs: []journal.Blob{late}})
	if !s.bodies.wanted(s.bodies.path(late.SHA256), late.SHA256, named) {
		t.Error("a body that entered during a sweep would be swept")
	}
	s.bodies.endSweep()
	if n := len(s.bodies.fresh); n != 0 {
		t.Errorf("%d digests stay after the sweep", n)
	}
}

// TestHold: what is removed while the files are held goes with the last
// release, unless it was made again.
func TestHold(t *testing.T) {
	s := holdStore(t)
	gone, again := made(t, s, 'a'), made(t, s, 'b')
	keep(t, s, journal.Changes{Blobs: []journal.Blob{gone, again}})
	there := func(b journal.Blob) bool {
		_, err := os.Stat(s.bodies.path(b.SHA256))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return err == nil
	}
	first, second := s.Bodies().Hold(), s.Bodies().Hold()
	keep(t, s, journal.Changes{Erase: []string{gone.Name, again.Name}})
	for _, b := range []journal.Blob{gone, again} {
		if err := s.Bodies().Remove(b.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.Bodies().Sweep(); n != 0 || err != nil {
		t.Errorf("swept %d held files: %v", n, err)
	}
	keep(t, s, journal.Changes{Blobs: []journal.Blob{made(t, s, 'b')}})
	for range 2 { // the second call of a release is nothing
		if err := first(); err != nil {
			t.Fatal(err)
		}
	}
	if !there(gone) || !there(again) {
		t.Error("erased while another hold goes on")
	}
	if err := second(); err != nil {
		t.Fatal(err)
	}
	if there(gone) || !there(again) {
		t.Errorf("after the release: removed one %v, made again %v", there(gone), there(again))
	}
}
