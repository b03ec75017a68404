package demo

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"vaguemestre/broker"
	"vaguemestre/schemas"
)

// Board is what everybody may see of the demonstration. It is safe for
// concurrent use.
type Board struct {
	mu      sync.Mutex
	view    View          // guarded by mu
	changed chan struct{} // guarded by mu; closed at the next change
}

// View is one state of the board. Its slices are never changed afterwards.
type View struct {
	Version int // grows with each change
	Plis    []PliView
	Ended   string // what became of it, in French; "" while it plays
}

// PliView is the timeline of one pli.
type PliView struct {
	Number  int
	ID      string
	Kind    schemas.Kind
	Label   string // of the kind
	Order   bool   // it transmits an order of a magistrate
	From    broker.PartyID
	To, Cc  []broker.PartyID
	Urgency broker.Urgency
	Thread  string
	Waiting []broker.PartyID // recipients of whom an act is expected
	Facts   []FactView
}

// FactView is one evidence, verified.
type FactView struct {
	Event       broker.Event
	Label       string
	Recipient   broker.PartyID // "" where it holds for all
	At          time.Time
	By          string // party or broker
	Fingerprint string // of the certificate that signed
}

func newBoard() *Board { return &Board{changed: make(chan struct{})} }

// Look returns the present state, and a channel that is closed when it is no
// longer so.
func (b *Board) Look() (View, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.view, b.changed
}

// put shows plis if they differ in anything that is shown.
func (b *Board) put(plis []PliView) {
	b.mu.Lock()
	defer b.mu.Unlock()
	count := func(list []PliView) (n int) {
		for _, p := range list {
			n += 1 + len(p.Facts)
		}
		return n
	}
	// Evidences are only ever added.
	if count(plis) != count(b.view.Plis) {
		b.view.Plis = plis
		b.tell()
	}
}

// End says in French what became of the demonstration.
func (b *Board) End(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.view.Ended = what
	b.tell()
}

// tell is called with mu held.
func (b *Board) tell() {
	b.view.Version++
	close(b.changed)
	b.changed = make(chan struct{})
}

// refresh reads every pli again from the journal of its sender's home, and
// verifies each signature.
func (d *Demo) refresh() error {
	plis := make([]PliView, 0, len(d.plis))
	for _, p := range d.plis {
		v, err := d.viewOf(p)
		if err != nil {
			return fmt.Errorf("pli %d: %w", p.number, err)
		}
		plis = append(plis, v)
	}
	d.board.put(plis)
	return nil
}

func (d *Demo) viewOf(p *pli) (PliView, error) {
	b := d.at(p.letter.from)
	dossier, err := b.Dossier(p.id)
	if err != nil {
		return PliView{}, err
	}
	row, _ := schemas.Lookup(p.letter.kind)
	h := dossier.Header
	v := PliView{
		Number: p.number, ID: p.id, Kind: p.letter.kind, Label: row.Label, Order: p.order, From: h.From, To: h.To, Cc: h.Cc,
		Urgency: h.Urgency, Thread: p.thread, Waiting: slices.Clone(h.To),
	}
	deposit, err := d.factOf(b, dossier.Deposit, dossier.DepositSig)
	if err != nil {
		return v, err
	}
	v.Facts = append(v.Facts, deposit)
	for _, e := range dossier.Evidences {
		f, err := d.factOf(b, e.Bytes, e.Sig)
		if err != nil {
			return v, err
		}
		v.Facts = append(v.Facts, f)
		if row, _ := broker.LookupEvent(f.Event); row.Act {
			v.Waiting = slices.DeleteFunc(v.Waiting, func(w broker.PartyID) bool { return w == f.Recipient })
		}
	}
	// The order of the journal is that of arrival; people read that of time.
	slices.SortStableFunc(v.Facts, func(a, b FactView) int { return a.At.Compare(b.At) })
	return v, nil
}

// factOf reads an evidence and finds whose signature it really has.
func (d *Demo) factOf(b *broker.Broker, text, sig []byte) (FactView, error) {
	digest := broker.Digest(text)
	if f, known := d.facts[digest]; known {
		return f, nil
	}
	e, err := broker.ParseEvidence(text)
	if err != nil {
		return FactView{}, err
	}
	fpr, _, err := d.world.Ring(b.ID()).Verify(e.By, text, sig)
	if err != nil {
		return FactView{}, fmt.Errorf("%s: %w", e.Event, err)
	}
	row, _ := broker.LookupEvent(e.Event)
	f := FactView{Event: e.Event, Label: row.Label, Recipient: e.Recipient, At: e.SignedAt(), By: e.By, Fingerprint: fpr}
	d.facts[digest] = f
	return f, nil
}
