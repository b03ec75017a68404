package wiring_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// stops is a store whose process dies before its commit of that rank.
type stops struct {
	journal.Store
	before int
}

var errStopped = errors.New("stopped")

func (s *stops) Update(f func(journal.Tx) error) error {
	if s.before--; s.before <= 0 {
		return errStopped
	}
	return s.Store.Update(f)
}

// TestRenewSecretIsOneCommit: either the journal says that its secret was
// renewed and names the new one, or neither, wherever the process stops.
func TestRenewSecretIsOneCommit(t *testing.T) {
	for before := 1; before <= 3; before++ {
		ctx := context.Background()
		k := keep(t)
		d, path := k.load(t), filepath.Join(k.dir, "secret")
		old, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		s, err := boltstore.Open(k.dir)
		if err != nil {
			t.Fatal(err)
		}
		n, err := d.RenewSecret(ctx, wiring.Parts{Store: &stops{s, before}})
		renewed := err == nil
		if renewed {
			err = n.Close(ctx)
		}
		if err != nil && !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
		if !renewed { // the right one is found, and put back
			if err := os.WriteFile(path, old, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if n, err = d.Open(ctx, wiring.Parts{}); err != nil {
			t.Fatalf("stopped before commit %d: %v", before, err)
		}
		if noted(t, n, "secret_renewed") != renewed {
			t.Errorf("stopped before commit %d: renewed is %v, and the journal says otherwise", before, renewed)
		}
		if err := n.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
