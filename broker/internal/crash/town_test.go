package crash

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
	"time"

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
	juge    = broker.PartyID("je-lille")
)

var both = []broker.BrokerID{nord, justice}

// town is the two brokers of the demonstration, which may crash. Their keys
// are drawn from a seed, so that every life of the child process has the same
// ones without unlocking any (0.3 s each).
type town struct {
	*wiring.World
}

// newTown makes keys, created at a time, and no file.
func newTown(root string, seed uint64, created time.Time, now func() time.Time) (*town, error) {
	p := wiring.Plan{Root: root, Demonstration: true, Now: now, Identities: map[string]*seal.Identity{}}
	p.Brokers, p.Parties = wiring.Lille()
	draw := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	for _, owner := range []string{string(nord), string(justice), string(ase), string(parquet), string(juge)} {
		id, err := seal.Generate(owner, seal.Options{SignOnly: owner == string(nord) || owner == string(justice), Created: created, Rand: draw})
		if err != nil {
			return nil, err
		}
		p.Identities[owner] = id
	}
	w, err := wiring.Prepare(p)
	if err != nil {
		return nil, err
	}
	return &town{w}, nil
}

// create makes the data directories.
func (tn *town) create() error { return errors.Join(tn.Create(nord), tn.Create(justice)) }

// open opens a broker, or opens it again, and joins it to the net.
func (tn *town) open(ctx context.Context, id broker.BrokerID) error {
	_, err := tn.OpenNode(ctx, id)
	return err
}

func (tn *town) openAll(ctx context.Context) error {
	return errors.Join(tn.open(ctx, nord), tn.open(ctx, justice))
}

// leave closes a broker and takes it off the net. Of one that crashed the
// errors mean nothing.
func (tn *town) leave(ctx context.Context, id broker.BrokerID) error {
	tn.Net.Join(id, nil)
	n := tn.Nodes[id]
	delete(tn.Nodes, id)
	if n == nil {
		return nil
	}
	return n.Close(ctx)
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
	j := tn.Nodes[id].Journal
	root := tn.Dir(id)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path)
		held := name == "journal.db" || name == "secret"
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
