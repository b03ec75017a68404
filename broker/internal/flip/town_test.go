package flip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/crypto/seal"
	"vaguemestre/schemas"
)

const (
	nord    = broker.BrokerID("courrier-nord")
	justice = broker.BrokerID("courrier-justice-lille")
	ase     = broker.PartyID("ase-59")
	parquet = broker.PartyID("parquet-lille")
)

// newWorld makes the brokers of the demonstration with keys drawn from a fixed
// seed: the child has the same ones, and unlocks none (0.3 s each).
func newWorld(root string, created time.Time) (*wiring.World, error) {
	p := wiring.Plan{Root: root, Demonstration: true, Passphrase: []byte("only for this test"), Identities: map[string]*seal.Identity{}}
	p.Brokers, p.Parties = wiring.Lille()
	draw := rand.NewChaCha8([32]byte{59})
	for _, owner := range []string{string(nord), string(justice), string(ase), string(parquet), "je-lille"} {
		id, err := seal.Generate(owner, seal.Options{SignOnly: owner == string(nord) || owner == string(justice), Created: created, Rand: draw})
		if err != nil {
			return nil, err
		}
		p.Identities[owner] = id
	}
	return wiring.Prepare(p)
}

// letters is how many are sent: the last ones stay in the queue.
const (
	letters = 12
	waiting = 2 // of them
)

// submission number n, the same to the byte each time.
func submission(n int) (broker.Submission, error) {
	root, err := sabotage.Root()
	if err != nil {
		return broker.Submission{}, err
	}
	paper, err := os.ReadFile(filepath.Join(root, "schemas", "testdata", "good", "signalement_u0_huit_champs.json"))
	if err != nil {
		return broker.Submission{}, err
	}
	piece := fmt.Appendf(nil, "%%PDF-1.4 piece fictive %d\n", n)
	if n == 1 {
		piece = append(piece, bytes.Repeat([]byte("blanc "), 15<<10)...) // its body is a file
	}
	return broker.Submission{
		From: ase, Kind: schemas.Signalement, To: []broker.PartyID{parquet}, Urgency: broker.U0, Document: schemas.NewPlain(paper),
		Pieces: []io.Reader{bytes.NewReader(piece)}, Key: fmt.Sprintf("lettre-%d", n),
		Actor: broker.Actor{Name: "MODÈLE Alix", Function: "cadre d'astreinte"}, Basis: broker.Declared,
	}, nil
}

// sample is what is flipped: a closed data directory and a backup.
type sample struct {
	created time.Time
	ids     []string
	live    string
	backup  string
}

func newSample(t *testing.T) sample {
	t.Helper()
	ctx := context.Background()
	s := sample{created: time.Now().Add(-time.Hour).Truncate(time.Second), backup: filepath.Join(t.TempDir(), "copy")}
	w, err := newWorld(t.TempDir(), s.created)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []broker.BrokerID{nord, justice} {
		_, err := os.Stat(w.Dir(b))
		if errors.Is(err, os.ErrNotExist) {
			err = w.Create(b)
		}
		if err == nil {
			_, err = w.OpenNode(ctx, b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.ids = send(t, w, 0, letters-waiting)
	deliver(t, w)
	for i, id := range s.ids[:4] {
		a := broker.Act{ID: id, Party: parquet, Event: broker.TakenInCharge, Reason: "suivi", Actor: broker.Actor{Name: "SPÉCIMEN Dominique", Function: "greffe"}, Basis: broker.Declared}
		if i == 3 {
			a.Event, a.Reason = broker.Opened, ""
		}
		if _, err := w.Nodes[justice].Broker.Acknowledge(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	deliver(t, w)
	n := w.Nodes[nord].Broker
	_, err = n.AddToken(ctx, broker.Token{Digest: strings.Repeat("5a", 32), Hint: "essaiHnt", Application: "logiciel-essai", Party: ase, Rights: []broker.Right{broker.RightSend}})
	if err := errors.Join(err, n.Purge(ctx, s.ids[4]), n.Note(ctx, s.ids[0], "export_opened")); err != nil {
		t.Fatal(err)
	}
	for range 256 { // a full tile of the tree
		if err := n.Note(ctx, "", "export_opened"); err != nil {
			t.Fatal(err)
		}
	}
	s.ids = append(s.ids, send(t, w, letters-waiting, letters)...)
	d, err := wiring.Load(w.Dir(nord), nil)
	if err == nil {
		_, err = d.Backup(ctx, w.Nodes[nord], s.backup, wiring.BackupOptions{})
	}
	s.live = w.Dir(nord)
	if err := errors.Join(err, w.Close(ctx), short(filepath.Join(s.live, "journal.db"))); err != nil {
		t.Fatal(err)
	}
	return s
}

func send(t *testing.T, w *wiring.World, from, to int) (ids []string) {
	t.Helper()
	for n := from; n < to; n++ {
		sub, err := submission(n)
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.Nodes[nord].Broker.Accept(context.Background(), sub)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

// deliver empties both queues, in this goroutine.
func deliver(t *testing.T, w *wiring.World) {
	t.Helper()
	far := time.Now().AddDate(1, 0, 0)
	for again := true; again; {
		again = false
		for _, n := range w.Nodes {
			for _, it := range dueItems(n.Journal, far) {
				again = true
				if err := n.Broker.Deliver(context.Background(), it); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func dueItems(j *journal.Journal, now time.Time) (due []journal.Item) {
	_ = j.View(func(v journal.View) error { // a failed journal has none
		for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
			for _, dest := range v.Dests(topic) {
				due = append(due, v.Heads(topic, dest, now, 1000)...)
			}
		}
		return nil
	})
	return due
}

// short cuts off what the file grew by and does not use.
func short(path string) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	var size int64
	err = db.View(func(tx *bolt.Tx) error { size = tx.Size(); return nil })
	return errors.Join(err, db.Close(), os.Truncate(path, size))
}
