package brokertest

import (
	"fmt"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// Fact is what an evidence says of a pli.
type Fact struct {
	Event     broker.Event
	ID        string
	Recipient broker.PartyID // "" where it holds for all
}

// Facts is what the leaves of one journal say, read without its projections: a
// harness holds it against what a client was answered.
type Facts struct {
	Plis   map[string]int    // how many leaves each id has
	Events map[Fact][]string // digests of the evidences, in the order of the leaves
	Leaves int
}

// ReadFacts reads every leaf of all logs of a journal.
func ReadFacts(j *journal.Journal) (f Facts, err error) {
	err = j.View(func(v journal.View) error {
		f, err = ViewFacts(v)
		return err
	})
	return f, err
}

// ViewFacts is ReadFacts in one state of a journal.
func ViewFacts(v journal.View) (Facts, error) {
	f := Facts{Plis: map[string]int{}, Events: map[Fact][]string{}}
	for _, h := range v.Logs() {
		log, err := v.Log(h.Origin)
		if err != nil {
			return f, err
		}
		f.Leaves += int(h.Size)
		for n := range h.Size {
			if err := f.read(v, log, n); err != nil {
				return f, fmt.Errorf("leaf %d: %w", n, err)
			}
		}
	}
	return f, nil
}

func (f *Facts) read(v journal.View, log journal.Log, n uint64) error {
	b, err := log.Leaf(n)
	if err != nil {
		return err
	}
	leaf, err := journal.ParseLeaf(b)
	if err != nil {
		return err
	}
	if leaf.Type == journal.TypePli {
		f.Plis[leaf.ID]++
	}
	if _, ok := broker.LookupEvent(broker.Event(leaf.Type)); !ok {
		return nil
	}
	text, err := v.Object(leaf.Digest)
	if err != nil {
		return err
	}
	e, err := broker.ParseEvidence(text)
	if err != nil {
		return err
	}
	fact := Fact{e.Event, e.ID, e.Recipient}
	f.Events[fact] = append(f.Events[fact], leaf.Digest)
	return nil
}
