package export_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/export"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/crypto/keyring"
	"vaguemestre/schemas"
)

const (
	nord    = broker.BrokerID("courrier-nord")
	justice = broker.BrokerID("courrier-justice-lille")
	ase     = broker.PartyID("ase-59")
	parquet = broker.PartyID("parquet-lille")
	juge    = broker.PartyID("je-lille")
)

// world is two brokers on real journals and keys, and whoever holds all keys.
type world struct {
	*wiring.World
	t   *testing.T
	all *keyring.Ring // every private key: for forgers

	mu  sync.Mutex
	now time.Time // guarded by mu
}

// clock goes on by 20 ms each time that it is asked.
func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(20 * time.Millisecond)
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func homes() map[string]broker.BrokerID {
	return map[string]broker.BrokerID{string(ase): nord, string(parquet): justice, string(juge): justice}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, all: keyring.New(), now: time.Now().Add(-2 * time.Hour).Truncate(time.Second)}
	p := wiring.Plan{Root: t.TempDir(), Demonstration: true, Now: w.clock}
	p.Brokers, p.Parties = wiring.Lille()
	p.Brokers[1].Hosting = directory.HostingShared
	var err error
	if w.World, err = wiring.Make(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	for owner, id := range w.Identities {
		w.all.AddIdentity(owner, id)
	}
	t.Cleanup(func() {
		if err := w.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) at(id broker.BrokerID) *broker.Broker { return w.Nodes[id].Broker }

func (w *world) fpr(owner string) string { return string(w.Identities[owner].Cert().Fingerprint()) }

// pump delivers what is due, until nothing is.
func (w *world) pump() {
	w.t.Helper()
	for moved := true; moved; {
		moved = false
		for _, n := range w.Nodes {
			for _, it := range w.due(n.Broker) {
				moved = true
				if err := n.Broker.Deliver(context.Background(), it); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
}

func (w *world) due(b *broker.Broker) (items []journal.Item) {
	w.t.Helper()
	err := b.Journal().View(func(v journal.View) error {
		for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
			dests := v.Dests(topic)
			slices.Reverse(dests) // the parquet before the juge, as in the golden export
			for _, dest := range dests {
				items = append(items, v.Heads(topic, dest, w.clock(), 64)...)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return items
}

func read(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rapport is a PDF of the demonstration: fictitious.
func rapport(t testing.TB) []byte {
	return read(t, "../../cmd/vaguemestre/papers/pdf/rapport.pdf")
}

// deposit makes a pli and carries it.
func (w *world) deposit(key string, piece []byte) string {
	w.t.Helper()
	r, err := w.at(nord).Accept(context.Background(), broker.Submission{
		From: ase, Kind: schemas.Signalement, To: []broker.PartyID{parquet}, Cc: []broker.PartyID{juge}, Urgency: broker.U0,
		Document: schemas.NewPlain(read(w.t, "../../schemas/testdata/good/signalement_u0_huit_champs.json")),
		Pieces:   []io.Reader{bytes.NewReader(piece)},
		Actor:    broker.Actor{Name: "Claude MODÈLE", Function: "cadre d'astreinte"}, Basis: broker.Declared, Key: key,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.pump()
	return r.ID
}

func (w *world) act(a broker.Act) {
	w.t.Helper()
	a.Actor = broker.Actor{Name: "Alix SPÉCIMEN", Function: "substitut de permanence"}
	if a.Basis == "" {
		a.Basis = broker.Authenticated
	}
	if _, err := w.at(homes()[string(a.Party)]).Acknowledge(context.Background(), a); err != nil {
		w.t.Fatal(err)
	}
	w.pump()
}

// story is the exchange of the golden export: deposited, consigned twice,
// opened, taken in charge.
func (w *world) story() string {
	w.t.Helper()
	w.deposit("another", []byte("%PDF-1.4 autre note fictive\n"))
	id := w.deposit("story", rapport(w.t))
	w.advance(5 * time.Minute)
	w.act(broker.Act{ID: id, Party: parquet, Event: broker.Opened})
	w.advance(6 * time.Minute)
	w.act(broker.Act{
		ID: id, Party: parquet, Event: broker.TakenInCharge, DoneAt: w.clock().Add(-time.Minute),
		Number: "26/0000/FICTIF", Reason: "Appel à l'astreinte ;\nréquisitions \"à suivre\".", Place: "Permanence fictive, Lille",
	})
	return id
}

func (w *world) export(id string, by broker.BrokerID, o export.Options) (string, export.Summary) {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "preuve")
	s, err := export.Write(context.Background(), w.at(by), id, dir, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return dir, s
}

func (w *world) anchors() []export.Anchor { return export.Anchors(w.Directory) }

func verify(dir string, anchors []export.Anchor) (export.Report, error) {
	return export.Verify(dir, anchors, keyring.Verifier{})
}

// goldenAnchors are those of the test keys of the wire folder.
func goldenAnchors(t testing.TB) (out []export.Anchor) {
	t.Helper()
	for _, line := range strings.Fields(string(read(t, "../testdata/wire/keys/anchors"))) {
		a, err := export.ParseAnchor(line)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}
