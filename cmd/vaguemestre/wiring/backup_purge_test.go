package wiring_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

// meanwhile does something between the copy of the journal and that of the
// bodies.
type meanwhile struct {
	journal.Store
	do func()
}

func (m *meanwhile) Backup(ctx context.Context, w io.Writer) error {
	err := m.Store.Backup(ctx, w)
	m.do()
	return err
}

// A body that is purged while a backup goes on is in the copy, whose journal
// names it, and gone here once the backup ends.
func TestBackupDuringAPurge(t *testing.T) {
	ctx := context.Background()
	var store *meanwhile
	brokers, parties := wiring.Lille()
	w, err := wiring.Make(ctx, wiring.Plan{
		Root: t.TempDir(), Demonstration: true, Brokers: brokers, Parties: parties, Passphrase: []byte("only for this test"),
		Store: func(id broker.BrokerID, s journal.Store) journal.Store {
			if id != "courrier-nord" {
				return s
			}
			store = &meanwhile{Store: s}
			return store
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	text, err := os.ReadFile("../papers/06-signalement-sans-reponse.json")
	if err != nil {
		t.Fatal(err)
	}
	n := w.Nodes["courrier-nord"]
	r, err := n.Broker.Accept(ctx, broker.Submission{
		From: "ase-59", Kind: schemas.Signalement, To: []broker.PartyID{"parquet-lille"}, Urgency: broker.U0,
		Document: schemas.NewPlain(text), Pieces: []io.Reader{bytes.NewReader(bytes.Repeat([]byte("%PDF-1.4 large "), 20_000))},
		Actor: broker.Actor{Name: "MODÈLE Alix"}, Basis: broker.Declared, Key: "k",
	})
	if err != nil {
		t.Fatal(err)
	}
	store.do = func() {
		if err := n.Broker.Purge(ctx, r.ID); err != nil {
			t.Error(err)
		}
	}
	d, err := wiring.Load(w.Dir("courrier-nord"), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "copy")
	if _, err := d.Backup(ctx, n, out, wiring.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Verify(ctx, out, nil); err != nil {
		t.Errorf("the copy does not verify: %v", err)
	}
	for dir, want := range map[string]int{out: 1, w.Dir("courrier-nord"): 0} {
		if bodies, err := filepath.Glob(filepath.Join(dir, "bodies", "*", "*")); err != nil || len(bodies) != want {
			t.Errorf("%d bodies, want %d: %v", len(bodies), want, err)
		}
	}
}
