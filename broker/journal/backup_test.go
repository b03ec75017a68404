package journal_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// TestBackupUnsigned: a broker whose key no longer serves is still copied, with
// everything that was committed; one whose disk failed is not.
func TestBackupUnsigned(t *testing.T) {
	refuse := func(context.Context, []byte) ([]byte, error) { return nil, errors.New("the key has expired") }
	j, s, _ := newJournal(t, journal.Options{Sign: refuse}, nil)
	c := commit(t, j, putting("a", "1"))
	var b bytes.Buffer
	if err := j.Backup(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journal.db"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if rep, err := boltstore.Verify(context.Background(), dir, nil); err != nil || rep.Head != c.Head {
		t.Errorf("%+v, %v", rep.Head, err)
	}

	s.refuse.Store(true)
	_, err := j.Commit(context.Background(), func(journal.View) (journal.Batch, error) { return putting("b", "2"), nil })
	if !errors.Is(err, journal.ErrFailed) {
		t.Fatal(err)
	}
	if err := j.Backup(context.Background(), &b); !errors.Is(err, journal.ErrFailed) {
		t.Errorf("after a failed write: %v", err)
	}
}
