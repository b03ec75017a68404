package sim

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"vaguemestre/broker"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/schemas"
)

// papers are the documents that are sent, by kind.
type papers map[schemas.Kind]schemas.Plain

func readPapers() (papers, error) {
	root, err := sabotage.Root()
	if err != nil {
		return nil, err
	}
	p := papers{}
	for kind, file := range map[schemas.Kind]string{schemas.Signalement: "signalement_u0_huit_champs.json", schemas.Transmission: "transmission_complement.json"} {
		b, err := os.ReadFile(filepath.Join(root, "schemas", "testdata", "good", file))
		if err != nil {
			return nil, err
		}
		p[kind] = schemas.NewPlain(b)
	}
	return p, nil
}

// letter is one submission, the same to the byte each time it is made.
type letter struct {
	number   int
	from     broker.PartyID
	to, cc   []broker.PartyID
	kind     schemas.Kind
	urgency  broker.Urgency
	answers  int // number of the letter that it answers, in its thread; -1: none
	piece    []byte
	silent   bool // nobody acts on it before the end
	receipts []broker.Receipt
	asked    bool            // it was submitted, with an answer or without
	acts     []broker.Event  // said by the acting recipient, answered
	forged   map[string]bool // evidences that somebody made up
}

func (l *letter) recipients() []broker.PartyID {
	return append(append([]broker.PartyID{}, l.to...), l.cc...)
}

// id is "" until a receipt came.
func (l *letter) id() string {
	if len(l.receipts) == 0 {
		return ""
	}
	return l.receipts[0].ID
}

// newLetter draws one of the directions: between the homes both ways, inside
// one, with copies at the other.
func newLetter(number int, draw *rand.Rand) *letter {
	l := &letter{number: number, kind: schemas.Transmission, answers: -1, forged: map[string]bool{}}
	switch draw.IntN(6) {
	case 0:
		l.from, l.to, l.cc, l.kind = ase, []broker.PartyID{parquet}, []broker.PartyID{juge}, schemas.Signalement
	case 1:
		l.from, l.to = parquet, []broker.PartyID{ase}
	case 2:
		l.from, l.to, l.cc = ase, []broker.PartyID{juge}, []broker.PartyID{parquet}
	case 3:
		l.from, l.to, l.cc = parquet, []broker.PartyID{juge}, []broker.PartyID{ase}
	case 4:
		l.from, l.to = service, []broker.PartyID{ase, juge}
	case 5:
		l.from, l.to = juge, []broker.PartyID{ase, service}
	}
	l.urgency = []broker.Urgency{broker.U0, broker.U1, broker.U2}[draw.IntN(3)]
	l.silent = draw.IntN(3) == 0
	if number > 0 && draw.IntN(2) == 0 {
		l.answers = draw.IntN(number)
	}
	l.piece = fmt.Appendf(nil, "%%PDF-1.4 pièce fictive numéro %d\n", number)
	if draw.IntN(60) == 0 { // a body that does not fit in the journal
		l.piece = append(l.piece, bytes.Repeat([]byte("blanc "), 10_000)...)
	}
	return l
}

// knows says whether a party may answer a pli: it has sent it and its receipt
// is there, or it has received it.
func (p *play) knows(party broker.PartyID, pli string) bool {
	sent, received, err := p.houses[homeOf(party)].broker.Plis(party)
	return err == nil && pli != "" && (slices.Contains(sent, pli) || slices.Contains(received, pli))
}

// submission gives the letter to Accept. A reply goes in the thread of what it
// answers, when that one is known by the first time it is asked.
func (p *play) submission(l *letter) broker.Submission {
	s := broker.Submission{
		From: l.from, Kind: l.kind, To: l.to, Cc: l.cc, Urgency: l.urgency, Document: p.scene.papers[l.kind],
		Pieces: []io.Reader{bytes.NewReader(l.piece)}, Key: fmt.Sprintf("lettre-%d", l.number),
		Actor: broker.Actor{Name: "MODÈLE Alix", Function: "cadre d'astreinte"}, Basis: broker.Declared,
	}
	if !l.asked && l.answers >= 0 && !p.knows(l.from, p.letters[l.answers].id()) {
		l.answers = -1
	}
	if l.answers >= 0 {
		first := p.letters[l.answers].receipts[0]
		s.ReplyTo, s.Thread = first.ID, first.Thread
	}
	return s
}
