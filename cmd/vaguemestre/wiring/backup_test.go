package wiring_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"vaguemestre/broker"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

// A backup taken while the broker lives holds the large bodies, that are files
// beside the journal: the copy verifies, and opens with the same passphrase.
// A copy that lacks one is found.
func TestBackup(t *testing.T) {
	ctx := context.Background()
	passphrase := []byte("only for this test")
	brokers, parties := wiring.Lille()
	w, err := wiring.Make(ctx, wiring.Plan{Root: t.TempDir(), Demonstration: true, Brokers: brokers, Parties: parties, Passphrase: passphrase})
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
	_, err = n.Broker.Accept(ctx, broker.Submission{
		From: "ase-59", Kind: schemas.Signalement, To: []broker.PartyID{"parquet-lille"}, Urgency: broker.U0,
		Document: schemas.NewPlain(text), Pieces: []io.Reader{bytes.NewReader(bytes.Repeat([]byte("%PDF-1.4 large "), 20_000))},
		Actor: broker.Actor{Name: "MODÈLE Alix"}, Basis: broker.Declared, Key: "k",
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := wiring.Load(w.Dir("courrier-nord"), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "copy")
	if err := d.Backup(ctx, n, out); err != nil {
		t.Fatal(err)
	}
	if rep, err := boltstore.Verify(ctx, out, nil); err != nil || rep.Size == 0 {
		t.Errorf("the copy does not verify: %v", err)
	}
	copied, err := wiring.Load(out, passphrase)
	if err != nil || !copied.Keys.Has("ase-59") {
		t.Errorf("the copy does not open: %v", err)
	}
	bodies, err := filepath.Glob(filepath.Join(out, "bodies", "*", "*"))
	if err != nil || len(bodies) != 1 {
		t.Fatalf("%d bodies in the copy, %v", len(bodies), err)
	}
	if err := os.Remove(bodies[0]); err != nil {
		t.Fatal(err)
	}
	var bad *boltstore.BadRecordError
	if _, err := boltstore.Verify(ctx, out, nil); !errors.As(err, &bad) {
		t.Errorf("a lacking body: %v", err)
	}
	if err := d.Backup(ctx, n, out); !errors.Is(err, wiring.ErrNotEmpty) {
		t.Errorf("over another copy: %v", err)
	}
}
