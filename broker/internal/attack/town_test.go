package attack

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

const (
	nord    = broker.BrokerID("courrier-nord")
	justice = broker.BrokerID("courrier-justice-lille")
	ase     = broker.PartyID("ase-59")
	parquet = broker.PartyID("parquet-lille")
)

// town is two brokers on real journals, which live in one folder and may move to
// a copy of it.
type town struct {
	*wiring.World
	t    *testing.T
	stop context.CancelFunc
	done chan error
}

// newTown makes the town; another life of it has the same keys.
func newTown(t *testing.T) *town {
	t.Helper()
	tn := &town{t: t}
	p := wiring.Plan{Root: t.TempDir(), Demonstration: true}
	p.Brokers, p.Parties = wiring.Lille()
	w, err := wiring.Prepare(p)
	if err == nil {
		err = errors.Join(w.Create(nord), w.Create(justice))
	}
	if err != nil {
		t.Fatal(err)
	}
	tn.World = w
	return tn
}

// elsewhere is the town of the same keys and directory in a copy of its folder.
func (tn *town) elsewhere(t *testing.T, root string) *town {
	t.Helper()
	p := tn.Plan
	p.Root, p.Identities = root, tn.Identities
	w, err := wiring.Prepare(p)
	if err != nil {
		t.Fatal(err)
	}
	return &town{World: w, t: t}
}

// open opens both brokers and lets them deliver.
func (tn *town) open() {
	tn.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	for _, id := range []broker.BrokerID{nord, justice} {
		if _, err := tn.OpenNode(ctx, id); err != nil {
			stop()
			tn.t.Fatal(err)
		}
	}
	tn.stop, tn.done = stop, make(chan error, 1)
	go func() { tn.done <- tn.Run(ctx) }()
}

// close stops and closes both.
func (tn *town) close() {
	tn.t.Helper()
	tn.stop()
	if err := errors.Join(<-tn.done, tn.Close(context.Background())); err != nil {
		tn.t.Fatal(err)
	}
}

// carry sends n signalements and waits until all of them are at the parquet's,
// and known to be.
func (tn *town) carry(n int, key string) {
	tn.t.Helper()
	root, err := sabotage.Root()
	if err != nil {
		tn.t.Fatal(err)
	}
	document, err := os.ReadFile(filepath.Join(root, "schemas/testdata/good/signalement_u0_huit_champs.json"))
	if err != nil {
		tn.t.Fatal(err)
	}
	for i := range n {
		r, err := tn.Nodes[nord].Broker.Accept(context.Background(), broker.Submission{
			From: ase, Kind: schemas.Signalement, To: []broker.PartyID{parquet}, Urgency: broker.U0, Document: schemas.NewPlain(document),
			Pieces: []io.Reader{strings.NewReader("%PDF-1.4 note fictive\n")}, Actor: broker.Actor{Name: "MODÈLE Alix"}, Basis: broker.Declared,
			Key: key + string(rune('a'+i)),
		})
		if err != nil {
			tn.t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
			s, err := tn.Nodes[nord].Broker.Status(r.ID)
			if err == nil && len(s.Pairs) == 1 && s.Pairs[0].State.Progress == broker.Consigned {
				break
			}
			if time.Now().After(deadline) {
				tn.t.Fatal("never consigned")
			}
		}
	}
}

// headsOf lists the heads of a broker's log that another holds, in what it
// received from it, in order.
func (tn *town) headsOf(of, heldBy broker.BrokerID) (heads []boltstore.SignedHead, last journal.Head) {
	tn.t.Helper()
	s, err := boltstore.OpenReadOnly(tn.Dir(heldBy))
	if err != nil {
		tn.t.Fatal(err)
	}
	defer s.Close()
	err = s.View(func(v journal.View) error {
		for n := range v.Size() {
			r, err := v.Record(n)
			if err != nil {
				return err
			}
			for _, o := range r.Objects {
				e, err := broker.ParseEvidence(o)
				if err != nil || e.Log.Broker != of {
					continue
				}
				root, err := hex.DecodeString(e.Log.Root)
				if err != nil || len(root) != 32 {
					return fmt.Errorf("the root of a head: %w", err)
				}
				h := journal.Head{Broker: string(e.Log.Broker), Origin: e.Log.Origin, Size: e.Log.Size, Root: [32]byte(root)}
				if heads = append(heads, boltstore.SignedHead{Text: h.Checkpoint()}); h.Size > last.Size {
					last = h
				}
			}
		}
		return nil
	})
	if err != nil || len(heads) == 0 {
		tn.t.Fatalf("%d heads of %s held by %s: %v", len(heads), of, heldBy, err)
	}
	return heads, last
}

// verify is `journal verify` on the journal of nord in a folder.
func (tn *town) verify(root string, heads ...boltstore.SignedHead) (boltstore.Report, error) {
	check := func(by string, text, sig []byte) error {
		_, _, err := tn.Ring(justice).Verify(by, text, sig)
		return err
	}
	return boltstore.Verify(context.Background(), filepath.Join(root, string(nord)), check, heads...)
}

// copied is a copy of a folder, for its owner only.
func copied(t *testing.T, root string) string {
	t.Helper()
	to := t.TempDir()
	err := os.CopyFS(to, os.DirFS(root))
	if err == nil {
		err = filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			return os.Chmod(path, 0o600)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}
