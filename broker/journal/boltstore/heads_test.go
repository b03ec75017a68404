package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// fixedRand gives the same origin and salts each time.
func fixedRand() io.Reader {
	var seed [32]byte
	return rand.NewChaCha8(seed)
}

// written makes a journal of n events; the one at odd says something else.
func written(t *testing.T, n, odd int) (dir string, heads [][]byte) {
	t.Helper()
	dir = t.TempDir()
	s := newStore(t, dir, boltstore.WithRand(fixedRand()), boltstore.WithClock(func() time.Time { return start }))
	for i := range n {
		e := journal.Event{Type: journal.TypeNoted, ID: "pli"}
		if i == odd {
			e.ID = "autre"
		}
		brokertest.MustAppend(t, s, e)
		s.View(func(v journal.View) error { heads = append(heads, v.Head().Checkpoint()); return nil })
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, heads
}

func given(texts ...[]byte) (out []boltstore.SignedHead) {
	for _, text := range texts {
		out = append(out, boltstore.SignedHead{Text: text})
	}
	return out
}

// TestVerifyRehashed: whoever rewrites an event and recomputes the whole tree
// is found with a head that somebody kept, and only so.
func TestVerifyRehashed(t *testing.T) {
	_, heads := written(t, 20, -1)
	forged, _ := written(t, 20, 11)
	if _, err := verify(forged); err != nil {
		t.Fatalf("the forgery should be whole in itself: %v", err)
	}
	_, err := verify(forged, given(heads[19], heads[5], heads[15])...)
	var fork *boltstore.HeadError
	if !errors.As(err, &fork) || !fork.Known || fork.Good != 7 {
		t.Errorf("%v, want a fork after the head of size 7", err)
	}
	if _, err := verify(forged, given(heads[5])...); err != nil {
		t.Errorf("a head from before the forged event: %v", err)
	}
}

// TestVerifyCut: a tail that was cut off is found with a head that covers it.
func TestVerifyCut(t *testing.T) {
	_, heads := written(t, 20, -1)
	cut, _ := written(t, 12, -1)
	_, err := verify(cut, given(heads[11], heads[19])...)
	var bad *boltstore.BadRecordError
	if !errors.As(err, &bad) || bad.N != 13 {
		t.Errorf("%v, want record 13 missing", err)
	}
	other := t.TempDir()
	newStore(t, other).Close()
	var fork *boltstore.HeadError
	if _, err := verify(other, given(heads[3])...); !errors.As(err, &fork) || fork.Known {
		t.Errorf("a head of another log: %v", err)
	}
}

// TestBackup copies while others write; the copy verifies, and begins a new
// log when it is opened for writing.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	j, err := journal.New(s, journal.Options{Sign: func(context.Context, []byte) ([]byte, error) { return []byte("signature"), nil }})
	if err != nil {
		t.Fatal(err)
	}
	brokertest.RandomHistory(t, s, 3, 40)
	stop, stopped := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			_, err := j.Commit(context.Background(), func(journal.View) (journal.Batch, error) {
				return journal.Batch{Events: []journal.Event{{Type: "noted", Changes: journal.Changes{Enqueue: []journal.Item{{Topic: "t0", Lane: "a"}}}}}}, nil
			})
			if err != nil {
				stopped <- err
				return
			}
		}
	}()
	copied := t.TempDir()
	var buf bytes.Buffer
	err = j.Backup(context.Background(), &buf)
	close(stop)
	if err := errors.Join(err, <-stopped, j.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(copied, "journal.db")
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := verify(copied)
	if err != nil || len(before.Logs) != 1 {
		t.Fatalf("the copy: %+v, %v", before.Logs, err)
	}
	original, err := verify(dir, given(before.Head.Checkpoint())...)
	if err != nil || original.Events < before.Events {
		t.Fatalf("the original: %v", err)
	}
	checkFollows(t, copied, before)
}

// checkFollows opens the copy, works on it, and verifies both its logs.
func checkFollows(t *testing.T, copied string, before boltstore.Report) {
	t.Helper()
	s := openStore(t, copied)
	seqs := map[uint64]bool{}
	err := s.View(func(v journal.View) error {
		logs := v.Logs()
		if len(logs) != 2 || logs[0] != before.Head || v.Head().Origin == before.Origin || v.Head().Size != 1 {
			t.Errorf("logs %v", logs)
		}
		e, err := v.Record(0)
		if err != nil || e.Type != journal.TypeLog || len(e.Objects) != 1 || !bytes.Equal(e.Objects[0], before.Checkpoint()) || e.Digest != sum(e.Objects[0]) {
			t.Errorf("event 0 does not name the log before: %+v, %v", e, err)
		}
		for _, it := range v.Heads("t0", "", start.AddDate(1, 0, 0), 10) {
			seqs[it.Seq] = true
		}
		old, err := v.Log(before.Origin)
		if err != nil {
			return err
		}
		if _, _, err := old.Checkpoint(); err != nil {
			t.Errorf("the checkpoint of the log before: %v", err)
		}
		_, err = old.Leaf(before.Size - 1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	brokertest.RandomHistory(t, s, 4, 100)
	s.View(func(v journal.View) error {
		for _, it := range v.Heads("t0", "", start.AddDate(1, 0, 0), 10) {
			delete(seqs, it.Seq)
		}
		return nil
	})
	j, err := journal.New(s, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	proof, err := j.ProofIn(context.Background(), before.Origin, []uint64{0, before.Size - 1}, before.Size)
	if err != nil || len(proof) != 2 {
		t.Errorf("a proof in the log before: %v", err)
	}
	if err := j.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	after, err := verify(copied, given(before.Checkpoint())...)
	if err != nil || len(after.Logs) != 2 || after.Size < 101 || after.Events != before.Events+after.Size {
		t.Fatalf("both logs: %+v, %v", after, err)
	}
	again := openStore(t, copied) // the mark is gone: no third log
	again.View(func(v journal.View) error {
		if n := len(v.Logs()); n != 2 {
			t.Errorf("%d logs after it was opened again", n)
		}
		return nil
	})
}

// TestBackupCutOpen: a crash after the new log began and before the mark was
// taken off begins one log more.
func TestBackupCutOpen(t *testing.T) {
	sm := newSample(t)
	s := openStore(t, sm.dir)
	var buf bytes.Buffer
	if err := s.Backup(context.Background(), &buf); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.db")
	if err := errors.Join(os.CopyFS(dir, os.DirFS(sm.dir)), os.WriteFile(path, buf.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	mark := buf.Bytes()[bytes.LastIndexByte(buf.Bytes(), 0)+1:]
	openStore(t, dir).Close()
	b, err := os.ReadFile(path)
	if err := errors.Join(err, os.WriteFile(path, append(b, mark...), 0o600)); err != nil {
		t.Fatal(err)
	}
	openStore(t, dir).Close()
	rep, err := verify(dir, given(sm.head.Checkpoint())...)
	if err != nil || len(rep.Logs) != 3 {
		t.Errorf("%d logs: %v", len(rep.Logs), err)
	}
}
