package wiring_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

// kept is a data directory at rest whose journal holds one pli, accepted under
// the key of accepted, and what unlocks it.
type kept struct {
	dir, other string // of the broker, and of the one it writes to
	id         string
}

var passphrase = []byte("only for this test")

func keep(t *testing.T) kept {
	t.Helper()
	ctx := context.Background()
	brokers, parties := wiring.Lille()
	w, err := wiring.Make(ctx, wiring.Plan{Root: t.TempDir(), Demonstration: true, Brokers: brokers, Parties: parties, Passphrase: passphrase})
	if err != nil {
		t.Fatal(err)
	}
	r := accepted(t, w.Nodes["courrier-nord"])
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return kept{w.Dir("courrier-nord"), w.Dir("courrier-justice-lille"), r.ID}
}

// accepted submits the same signalement under the same key, every time.
func accepted(t *testing.T, n *wiring.Node) broker.Receipt {
	t.Helper()
	text, err := os.ReadFile("../papers/06-signalement-sans-reponse.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := n.Broker.Accept(context.Background(), broker.Submission{
		From: "ase-59", Kind: schemas.Signalement, To: []broker.PartyID{"parquet-lille"}, Urgency: broker.U0,
		Document: schemas.NewPlain(text), Pieces: []io.Reader{strings.NewReader("%PDF-1.4 note fictive\n")},
		Actor: broker.Actor{Name: "MODÈLE Alix"}, Basis: broker.Declared, Key: "k",
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (k kept) load(t *testing.T) *wiring.Data {
	t.Helper()
	d, err := wiring.Load(k.dir, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// size is the number of leaves of a journal that verifies.
func (k kept) size(t *testing.T) uint64 {
	t.Helper()
	r, err := boltstore.Verify(context.Background(), k.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.Size
}

// refuses opens a node that must not open.
func refuses(t *testing.T, d *wiring.Data, want error) {
	t.Helper()
	n, err := d.Open(context.Background(), wiring.Parts{})
	if !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
	if err == nil {
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// A broker without the secret that its journal was written under does not
// start, and changes nothing: it would accept again what it has accepted.
func TestSecretIsNeverDrawnAgain(t *testing.T) {
	k := keep(t)
	d, path, size := k.load(t), filepath.Join(k.dir, "secret"), k.size(t)
	secret, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refuses(t, d, wiring.ErrNoSecret)
	if _, err := os.Lstat(path); err == nil {
		t.Error("another secret was drawn")
	}
	another, err := os.ReadFile(filepath.Join(k.other, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{
		"that of another broker": another, "one bit off": append(bytes.Clone(secret[:31]), secret[31]^1),
		"empty": {}, "too short": secret[:31], "too long": append(bytes.Clone(secret), '\n'),
	} {
		t.Run(what, func(t *testing.T) {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			refuses(t, d, wiring.ErrSecret)
		})
	}
	if got := k.size(t); got != size {
		t.Errorf("%d leaves, %d before", got, size)
	}
	if err := os.WriteFile(path, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := d.Open(context.Background(), wiring.Parts{})
	if err != nil {
		t.Fatalf("the right secret: %v", err)
	}
	if r := accepted(t, n); !r.Repeated || r.ID != k.id {
		t.Errorf("a repeated call: %s, repeated %v", r.ID, r.Repeated)
	}
	if err := n.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// The secret is of its owner only, and a plain file.
func TestSecretIsOfItsOwner(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, bytes.Repeat([]byte{7}, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602, 0o610, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := wiring.Secret(dir); !errors.Is(err, wiring.ErrSecretExposed) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if b, err := wiring.Secret(dir); err != nil || len(b) != 32 {
			t.Errorf("mode %o: %d bytes, %v", mode, len(b), err)
		}
	}
	linked := t.TempDir()
	name := strings.Repeat("x", 32) // so that the link is as long as a secret
	if err := errors.Join(os.Rename(path, filepath.Join(linked, name)), os.Symlink(name, filepath.Join(linked, "secret"))); err != nil {
		t.Fatal(err)
	}
	if _, err := wiring.Secret(linked); !errors.Is(err, wiring.ErrSecret) {
		t.Errorf("a link: %v", err)
	}
}

// A person may go on without the secret. That is journaled, and what is lost is
// what is said: a call that is repeated is accepted again.
func TestRenewSecret(t *testing.T) {
	ctx := context.Background()
	k := keep(t)
	d, path := k.load(t), filepath.Join(k.dir, "secret")
	if _, err := d.RenewSecret(ctx, wiring.Parts{}); !errors.Is(err, wiring.ErrSecretHeld) {
		t.Errorf("a secret that is there: %v", err)
	}
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
	if _, err := d.RenewSecret(ctx, wiring.Parts{}); !errors.Is(err, journal.ErrInUse) {
		t.Errorf("while another process has it: %v", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("a secret stays that the journal does not name")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	n, err := d.RenewSecret(ctx, wiring.Parts{})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(ctx); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.ReadFile(path)
	if err != nil || bytes.Equal(fresh, old) {
		t.Fatalf("the same secret, or %v", err)
	}
	if n, err = d.Open(ctx, wiring.Parts{}); err != nil {
		t.Fatal(err)
	}
	if !noted(t, n, "secret_renewed") {
		t.Error("it is not journaled")
	}
	if r := accepted(t, n); r.Repeated || r.ID == k.id {
		t.Error("a call answered under the old secret is recognised")
	}
	if err := n.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, d, wiring.ErrSecret)
	k.size(t)
}

// noted says whether a use is in the journal.
func noted(t *testing.T, n *wiring.Node, word string) (found bool) {
	t.Helper()
	err := n.Journal.View(func(v journal.View) error {
		v.Scan("use", "", "", func(_ string, value []byte) bool {
			found = found || string(value) == word
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A backup without its secret could not be opened.
func TestBackupWantsTheSecret(t *testing.T) {
	ctx := context.Background()
	k := keep(t)
	d := k.load(t)
	n, err := d.Open(ctx, wiring.Parts{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(k.dir, "secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Backup(ctx, n, filepath.Join(t.TempDir(), "copy"), wiring.BackupOptions{}); !errors.Is(err, wiring.ErrNoSecret) {
		t.Errorf("backup: %v", err)
	}
	if err := n.Close(ctx); err != nil {
		t.Error(err)
	}
}
