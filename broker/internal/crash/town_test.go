package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/inproc"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/wiring"
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

var both = []broker.BrokerID{nord, justice}

// town is the two brokers of the demonstration. Their keys are drawn from a
// seed, so that every life of the child process has the same ones without
// unlocking any (0.3 s each).
type town struct {
	root  string
	now   func() time.Time
	list  directory.Listing
	rings map[broker.BrokerID]*keyring.Ring
	net   *inproc.Net
	nodes map[broker.BrokerID]*wiring.Node
	// What a test may put in between; nil leaves it as it is.
	store   func(broker.BrokerID, journal.Store) journal.Store
	carrier func(broker.BrokerID, broker.Carrier) broker.Carrier
}

// newTown makes keys, created at a time, and no file.
func newTown(root string, seed uint64, created time.Time, now func() time.Time) (*town, error) {
	tn := &town{root: root, now: now, rings: map[broker.BrokerID]*keyring.Ring{}, nodes: map[broker.BrokerID]*wiring.Node{}}
	draw := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	brokers, parties := wiring.Lille()
	tn.list = directory.Listing{Demonstration: true, Policy: wiring.Policy()}
	for _, b := range both {
		tn.rings[b] = keyring.New()
	}
	add := func(owner string, home broker.BrokerID, signOnly bool) (string, error) {
		id, err := seal.Generate(owner, seal.Options{SignOnly: signOnly, Created: created, Rand: draw})
		if err != nil {
			return "", err
		}
		for b, ring := range tn.rings {
			if b == home {
				ring.AddIdentity(owner, id)
			} else {
				ring.AddCert(owner, id.Cert())
			}
		}
		return string(id.Cert().Fingerprint()), nil
	}
	for _, b := range brokers {
		fpr, err := add(string(b.ID), b.ID, true)
		if err != nil {
			return nil, err
		}
		b.Certificates = []string{fpr}
		tn.list.Brokers = append(tn.list.Brokers, b)
	}
	for _, p := range parties {
		fpr, err := add(string(p.ID), p.Home, false)
		if err != nil {
			return nil, err
		}
		p.Certificates = []string{fpr}
		tn.list.Parties = append(tn.list.Parties, p)
	}
	dir, err := directory.New(tn.list)
	if err != nil {
		return nil, err
	}
	tn.net = inproc.New(dir)
	return tn, nil
}

func (tn *town) dir(b broker.BrokerID) string { return filepath.Join(tn.root, string(b)) }

// create makes the data directories.
func (tn *town) create() error {
	for _, b := range both {
		if err := boltstore.Create(tn.dir(b), string(b), boltstore.WithClock(tn.now)); err != nil {
			return err
		}
	}
	return nil
}

// open opens a broker, or opens it again, and joins it to the net.
func (tn *town) open(ctx context.Context, id broker.BrokerID) error {
	l := tn.list
	l.Self = id
	dir, err := directory.New(l)
	if err != nil {
		return err
	}
	carrier := tn.net.Carrier(id)
	if tn.carrier != nil {
		carrier = tn.carrier(id, carrier)
	}
	p := wiring.Parts{
		ID: id, Dir: tn.dir(id), Directory: dir, Keys: tn.rings[id], Secret: bytes.Repeat([]byte(id)[:8], 4),
		Carrier: carrier, Now: tn.now, MinFree: 1 << 20, Log: slog.New(slog.DiscardHandler),
	}
	if tn.store != nil {
		s, err := boltstore.Open(p.Dir, boltstore.WithClock(tn.now))
		if err != nil {
			return err
		}
		p.Store = tn.store(id, s)
	}
	n, err := wiring.Open(ctx, p)
	if err != nil {
		return err
	}
	tn.nodes[id] = n
	tn.net.Join(id, n.Broker)
	return nil
}

func (tn *town) openAll(ctx context.Context) error {
	for _, b := range both {
		if err := tn.open(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// leave closes a broker and takes it off the net. Of one that crashed the
// errors mean nothing.
func (tn *town) leave(ctx context.Context, id broker.BrokerID) error {
	tn.net.Join(id, nil)
	n := tn.nodes[id]
	delete(tn.nodes, id)
	if n == nil {
		return nil
	}
	return n.Close(ctx)
}

func (tn *town) closeAll(ctx context.Context) error {
	return errors.Join(tn.leave(ctx, nord), tn.leave(ctx, justice))
}

// run delivers and fires timers on both brokers until the context ends.
func (tn *town) run(ctx context.Context) error {
	errs := make(chan error, len(both))
	for _, n := range tn.nodes {
		go func() { errs <- n.Run(ctx) }()
	}
	return errors.Join(<-errs, <-errs)
}

func homeOf(p broker.PartyID) broker.BrokerID {
	if p == ase {
		return nord
	}
	return justice
}

// letter is one submission, made out of its number only: a repetition is the
// same to the byte.
type letter struct {
	number  int
	from    broker.PartyID
	to, cc  []broker.PartyID
	kind    schemas.Kind
	urgency broker.Urgency
	paper   string
	piece   []byte
}

// largePiece is a piece whose body does not fit in the journal file.
const largePiece = 90 << 10

// newLetter goes through all directions, between the brokers and inside one,
// and through both places of a body.
func newLetter(number int) letter {
	l := letter{number: number}
	switch number % 4 {
	case 0:
		l.from, l.to, l.cc, l.kind, l.urgency = ase, []broker.PartyID{parquet}, []broker.PartyID{juge}, schemas.Signalement, broker.U0
	case 1:
		l.from, l.to, l.kind, l.urgency = parquet, []broker.PartyID{ase}, schemas.Transmission, broker.U1
	case 2:
		l.from, l.to, l.cc, l.kind, l.urgency = ase, []broker.PartyID{juge}, []broker.PartyID{parquet}, schemas.Transmission, broker.U2
	case 3:
		l.from, l.to, l.cc, l.kind, l.urgency = parquet, []broker.PartyID{juge}, []broker.PartyID{ase}, schemas.Transmission, broker.U0
	}
	l.paper = "transmission_complement.json"
	if l.kind == schemas.Signalement {
		l.paper = "signalement_u0_huit_champs.json"
	}
	l.piece = fmt.Appendf(nil, "%%PDF-1.4 pièce fictive numéro %d\n", number)
	if number%5 == 0 {
		l.piece = append(l.piece, bytes.Repeat([]byte("blanc "), largePiece/6)...)
	}
	return l
}

// key is the idempotency key of a letter.
func (l letter) key() string { return fmt.Sprintf("lettre-%d", l.number) }

// acting is the recipient that will act.
func (l letter) acting() broker.PartyID { return l.to[0] }

func (l letter) recipients() []broker.PartyID {
	return append(append([]broker.PartyID{}, l.to...), l.cc...)
}

// homes lists the brokers that hold the letter.
func (l letter) homes() []broker.BrokerID {
	for _, p := range l.recipients() {
		if homeOf(p) != homeOf(l.from) {
			return both
		}
	}
	return []broker.BrokerID{homeOf(l.from)}
}

// submission gives the letter to Accept.
func (l letter) submission() (broker.Submission, error) {
	root, err := sabotage.Root()
	if err != nil {
		return broker.Submission{}, err
	}
	paper, err := os.ReadFile(filepath.Join(root, "schemas", "testdata", "good", l.paper))
	if err != nil {
		return broker.Submission{}, err
	}
	return broker.Submission{
		From: l.from, Kind: l.kind, To: l.to, Cc: l.cc, Urgency: l.urgency, Document: schemas.NewPlain(paper),
		Pieces: []io.Reader{bytes.NewReader(l.piece)}, Key: l.key(),
		Actor: broker.Actor{Name: "MODÈLE Alix", Function: "cadre d'astreinte"}, Basis: broker.Declared,
	}, nil
}

// act is what the acting recipient says of the letter.
func (l letter) act(id string) broker.Act {
	return broker.Act{
		ID: id, Party: l.acting(), Event: broker.TakenInCharge, Reason: "suivi",
		Actor: broker.Actor{Name: "SPÉCIMEN Dominique", Function: "greffe"}, Basis: broker.Declared,
	}
}

// strays lists what is in a data directory and should not be: a body that the
// journal does not hold, or a file of any other name.
func (tn *town) strays(id broker.BrokerID) ([]string, error) {
	var out []string
	j := tn.nodes[id].Journal
	root := tn.dir(id)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path)
		held := name == "journal.db"
		if parts := strings.Split(filepath.ToSlash(name), "/"); len(parts) == 3 && parts[0] == "bodies" {
			err = j.View(func(v journal.View) error {
				held = v.HasBlob(journal.BodyName(parts[2]))
				return nil
			})
		}
		if !held {
			out = append(out, name)
		}
		return err
	})
	return out, err
}
