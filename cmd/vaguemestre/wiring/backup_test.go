package wiring_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
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
	inv, err := d.Backup(ctx, n, out, wiring.BackupOptions{})
	if err != nil || inv.Files == 0 || len(inv.Holds) < 4 || len(inv.Lacks) == 0 {
		t.Fatalf("%+v, %v", inv, err)
	}
	if err := wiring.CheckBackup(ctx, out); err != nil {
		t.Errorf("the copy differs from its own list: %v", err)
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
	checkListed(t, out)
	if err := os.Remove(bodies[0]); err != nil {
		t.Fatal(err)
	}
	var bad *boltstore.BadRecordError
	if _, err := boltstore.Verify(ctx, out, nil); !errors.As(err, &bad) {
		t.Errorf("a lacking body: %v", err)
	}
	if _, err := d.Backup(ctx, n, out, wiring.BackupOptions{}); !errors.Is(err, wiring.ErrNotEmpty) {
		t.Errorf("over another copy: %v", err)
	}
}

// checkListed: any changed file of a copy is named, until it is started.
func checkListed(t *testing.T, out string) {
	t.Helper()
	for _, name := range []string{"secret", "vaguemestre.toml", "journal.db", "backup.json", "SHA256SUMS"} {
		path := filepath.Join(out, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(good)
		bad[len(bad)-1] ^= 1 // in the journal: a mark of a copy
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := wiring.CheckBackup(context.Background(), out); !errors.Is(err, wiring.ErrBackup) {
			t.Errorf("%s with a flipped bit: %v", name, err)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A copy without keys says so; with the folder put back it opens, and its list
// is gone.
func TestBackupWithoutKeys(t *testing.T) {
	ctx := context.Background()
	passphrase := []byte("only for this test")
	brokers, parties := wiring.Lille()
	w, err := wiring.Make(ctx, wiring.Plan{Root: t.TempDir(), Demonstration: true, Brokers: brokers, Parties: parties, Passphrase: passphrase})
	if err != nil {
		t.Fatal(err)
	}
	dir, out := w.Dir("courrier-nord"), filepath.Join(t.TempDir(), "copy")
	d, err := wiring.Load(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := d.Backup(ctx, w.Nodes["courrier-nord"], out, wiring.BackupOptions{WithoutKeys: true})
	if err := errors.Join(err, w.Close(ctx)); err != nil {
		t.Fatal(err)
	}
	if len(inv.Lacks) < 2 {
		t.Errorf("it does not say that it lacks the keys: %+v", inv)
	}
	if _, err := os.Stat(filepath.Join(out, "keys")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("keys in the copy: %v", err)
	}
	if err := os.CopyFS(filepath.Join(out, "keys"), os.DirFS(filepath.Join(dir, "keys"))); err != nil {
		t.Fatal(err)
	}
	if err := wiring.CheckBackup(ctx, out); err != nil {
		t.Errorf("with the keys put back: %v", err)
	}
	if err := filepath.WalkDir(filepath.Join(out, "keys"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	back, err := wiring.Load(out, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	n, err := back.Open(ctx, wiring.Parts{Carrier: wiring.Unreached{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(out, "SHA256SUMS")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the list of a backup that was started: %v", err)
	}
}
