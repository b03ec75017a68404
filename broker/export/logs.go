package export

import (
	"errors"
	"slices"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// fact is what a leaf must say.
type fact struct {
	n                uint64
	kind, id, digest string
}

// facts lists the leaves of the export: the pli, the deposit, the evidences.
func (e *exporting) facts() []fact {
	d := e.d
	out := []fact{
		{d.Leaf, journal.TypePli, d.ID, broker.Digest(d.HeaderBytes)},
		{d.DepositLeaf, string(broker.Accepted), d.ID, broker.Digest(d.Deposit)},
	}
	for _, v := range d.Evidences {
		out = append(out, fact{v.Leaf, string(v.Evidence.Event), d.ID, broker.Digest(v.Bytes)})
	}
	return out
}

// foundLog is the log that holds the facts.
type foundLog struct {
	head   journal.Head
	leaves [][]byte
	last   uint64 // the highest number of them
}

// findLog looks for the log that holds all the facts, from the one in course
// back: numbers begin again in the log that follows a restored backup.
func findLog(j *journal.Journal, facts []fact) (foundLog, error) {
	var out foundLog
	err := j.View(func(v journal.View) error {
		heads := v.Logs()
		for _, h := range slices.Backward(heads) {
			l, err := v.Log(h.Origin)
			if err != nil {
				return err
			}
			leaves, ok, err := leavesOf(l, facts)
			if err != nil {
				return err
			}
			if ok {
				out.head, out.leaves = h, leaves
				return nil
			}
		}
		return ErrSpread
	})
	for _, f := range facts {
		out.last = max(out.last, f.n)
	}
	return out, err
}

// leavesOf reads the leaves of the facts; ok is false when one says another.
func leavesOf(l journal.Log, facts []fact) (leaves [][]byte, ok bool, err error) {
	for _, f := range facts {
		b, err := l.Leaf(f.n)
		if errors.Is(err, journal.ErrNotFound) || errors.Is(err, journal.ErrSize) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		leaf, err := journal.ParseLeaf(b)
		if err != nil {
			return nil, false, err
		}
		if leaf.N != f.n || leaf.Type != f.kind || leaf.ID != f.id || leaf.Digest != f.digest {
			return nil, false, nil
		}
		leaves = append(leaves, b)
	}
	return leaves, true, nil
}
