package export_test

import (
	"bytes"
	"context"
	"crypto/rand"
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
	"vaguemestre/broker/inproc"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/crypto/keyring"
	"vaguemestre/crypto/seal"
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
	t       *testing.T
	dir     *directory.Directory
	all     *keyring.Ring // every private key: for forgers
	owners  map[string]*seal.Identity
	brokers map[broker.BrokerID]*broker.Broker
	rings   map[broker.BrokerID]*keyring.Ring
	data    map[broker.BrokerID]string // data directory
	net     *inproc.Net

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
	w := &world{t: t, all: keyring.New(), owners: map[string]*seal.Identity{}, brokers: map[broker.BrokerID]*broker.Broker{}, rings: map[broker.BrokerID]*keyring.Ring{}, data: map[broker.BrokerID]string{}}
	w.now = time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	for _, owner := range []string{string(ase), string(parquet), string(juge), string(nord), string(justice)} {
		_, isParty := homes()[owner]
		id, err := seal.Generate(owner+" (clé d'essai, sans valeur)", seal.Options{SignOnly: !isParty, Created: w.now.Add(-24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		w.owners[owner] = id
		w.all.AddIdentity(owner, id)
	}
	w.dir = w.listing()
	w.net = inproc.New(w.dir)
	for _, id := range []broker.BrokerID{nord, justice} {
		w.join(id)
	}
	return w
}

func (w *world) fpr(owner string) string { return string(w.owners[owner].Cert().Fingerprint()) }

func (w *world) listing() *directory.Directory {
	w.t.Helper()
	party := func(id broker.PartyID, role directory.Role, institution string) directory.Party {
		return directory.Party{
			ID: id, Role: role, Institution: institution, Departement: "59",
			Home: homes()[string(id)], Certificates: []string{w.fpr(string(id))}, Telephone: "03 00 00 00 00",
		}
	}
	d, err := directory.New(directory.Listing{
		Demonstration: true,
		Brokers: []directory.Broker{
			{ID: nord, Libelle: "Courrier du Département du Nord", Certificates: []string{w.fpr(string(nord))}},
			{ID: justice, Libelle: "Courrier du tribunal judiciaire de Lille", Certificates: []string{w.fpr(string(justice))}, Hosting: directory.HostingShared},
		},
		Parties: []directory.Party{
			party(ase, directory.RoleASE, "Département du Nord"),
			party(parquet, directory.RoleParquet, "Parquet de Lille"),
			party(juge, directory.RoleJuge, "Tribunal pour enfants de Lille"),
		},
		Policy: []directory.PolicyRow{
			{Kind: "signalement", From: "ase", To: "juge", Copy: true, Article: "CASF L221-4"},
			{Kind: "signalement", From: "ase", To: "parquet", Article: "CASF L226-4 I"},
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// join makes a broker with the private keys of its own house only.
func (w *world) join(id broker.BrokerID) {
	w.t.Helper()
	data := w.t.TempDir()
	if err := boltstore.Create(data, string(id), boltstore.WithClock(w.clock)); err != nil {
		w.t.Fatal(err)
	}
	w.open(id, data)
}

// open makes a broker on a journal that exists.
func (w *world) open(id broker.BrokerID, data string) {
	w.t.Helper()
	ctx, ring := context.Background(), keyring.New()
	for owner, identity := range w.owners {
		if owner == string(id) || homes()[owner] == id {
			ring.AddIdentity(owner, identity)
		} else {
			ring.AddCert(owner, identity.Cert())
		}
	}
	store, err := boltstore.Open(data, boltstore.WithClock(w.clock))
	if err != nil {
		w.t.Fatal(err)
	}
	sign := func(ctx context.Context, text []byte) ([]byte, error) {
		sig, _, err := ring.Sign(ctx, string(id), text, w.clock())
		return sig, err
	}
	j, err := journal.New(store, journal.Options{Broker: string(id), Now: w.clock, Sign: sign, MinFree: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := j.Close(ctx); err != nil {
			w.t.Error(err)
		}
	})
	b, err := broker.New(ctx, broker.Options{
		ID: id, Directory: w.dir, Keys: ring, Journal: j, Carrier: w.net.Carrier(id),
		Now: w.clock, Rand: rand.Reader, Secret: bytes.Repeat([]byte{7}, 32),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.brokers[id], w.rings[id], w.data[id] = b, ring, data
	w.net.Join(id, b)
}

// pump delivers what is due, until nothing is.
func (w *world) pump() {
	w.t.Helper()
	for moved := true; moved; {
		moved = false
		for _, b := range w.brokers {
			for _, it := range w.due(b) {
				moved = true
				if err := b.Deliver(context.Background(), it); err != nil {
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
	r, err := w.brokers[nord].Accept(context.Background(), broker.Submission{
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
	if _, err := w.brokers[homes()[string(a.Party)]].Acknowledge(context.Background(), a); err != nil {
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
	s, err := export.Write(context.Background(), w.brokers[by], id, dir, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return dir, s
}

func (w *world) anchors() []export.Anchor { return export.Anchors(w.dir) }

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
