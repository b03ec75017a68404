package export

import (
	"errors"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// fact is what a leaf must say.
type fact struct {
	pos              uint64 // journal.View.Position
	kind, id, digest string
}

// facts lists the leaves of the export: the pli, the deposit, the evidences.
func (e *exporting) facts() []fact {
	d := e.d
	out := []fact{
		{d.Position, journal.TypePli, d.ID, broker.Digest(d.HeaderBytes)},
		{d.DepositPosition, string(broker.Accepted), d.ID, broker.Digest(d.Deposit)},
	}
	for _, v := range d.Evidences {
		out = append(out, fact{v.Position, string(v.Evidence.Event), d.ID, broker.Digest(v.Bytes)})
	}
	return out
}

// foundLog is the log that holds the facts.
type foundLog struct {
	head    journal.Head
	numbers []uint64 // of their leaves in that log
	leaves  [][]byte
	last    uint64 // the highest number of them
}

// findLog finds the log that holds all the facts, by their positions.
func findLog(j *journal.Journal, facts []fact) (foundLog, error) {
	var out foundLog
	err := j.View(func(v journal.View) error {
		base, ok := uint64(0), false
		if out.head, base, ok = logAt(v.Logs(), facts[0].pos); !ok {
			return errLeaf
		}
		for _, f := range facts {
			if f.pos < base || f.pos-base >= out.head.Size {
				return ErrSpread
			}
			out.numbers = append(out.numbers, f.pos-base)
			out.last = max(out.last, f.pos-base)
		}
		l, err := v.Log(out.head.Origin)
		if err != nil {
			return err
		}
		out.leaves, err = leavesOf(l, out.numbers, facts)
		return err
	})
	return out, err
}

// logAt is the log that a position is in, and the position of its event 0.
func logAt(heads []journal.Head, pos uint64) (h journal.Head, base uint64, ok bool) {
	for _, h := range heads {
		if pos-base < h.Size {
			return h, base, true
		}
		base += h.Size
	}
	return journal.Head{}, 0, false
}

// errLeaf: the journal does not hold what its own records say. Verifying it
// tells where.
var errLeaf = errors.New("export: a leaf of the journal does not say what its record does")

// leavesOf reads the leaves of the facts, each under its number.
func leavesOf(l journal.Log, numbers []uint64, facts []fact) (leaves [][]byte, err error) {
	for i, f := range facts {
		b, err := l.Leaf(numbers[i])
		if err != nil {
			return nil, err
		}
		leaf, err := journal.ParseLeaf(b)
		if err != nil {
			return nil, err
		}
		if leaf.N != numbers[i] || leaf.Type != f.kind || leaf.ID != f.id || leaf.Digest != f.digest {
			return nil, errLeaf
		}
		leaves = append(leaves, b)
	}
	return leaves, nil
}
