package journal

import (
	"context"
	"errors"
)

// Done ends an item that was carried, for the pli id. The items of one group
// share an event of TypeDelivered, which names the pli when it is alone: under
// load a leaf for each would cost more than the item did. ErrGone when it was
// settled before; else as Commit.
func (j *Journal) Done(ctx context.Context, seq uint64, id string) error {
	o := &op{ctx: ctx, done: true, seq: seq, id: id, answer: make(chan struct{})}
	if err := j.send(o); err != nil {
		return err
	}
	<-o.answer
	return o.err
}

// carried applies the operations of Done in a group, before all others: these
// see what they leave. The error ends the whole group.
func (j *Journal) carried(tx Tx, group []*op, change *changes) error {
	var some []*op // maxList at most
	for _, o := range group {
		if !o.done {
			continue
		}
		if some = append(some, o); len(some) == maxList {
			if err := j.deliver(tx, some, change); err != nil {
				return err
			}
			some = some[:0]
		}
	}
	return j.deliver(tx, some, change)
}

func (j *Journal) deliver(tx Tx, ops []*op, change *changes) error {
	e := Event{Type: TypeDelivered, At: j.o.Now()}
	var work []Work
	seen := map[uint64]bool{}
	for _, o := range ops {
		it, ok := tx.Item(o.seq)
		switch o.err = o.ctx.Err(); {
		case o.err != nil:
		case !ok || seen[o.seq]:
			o.err = ErrGone
		default:
			seen[o.seq] = true
			e.ID, e.Settle = o.id, append(e.Settle, Settlement{Seq: o.seq, Outcome: Done})
			work = append(work, Work{Topic: it.Topic, Dest: it.Dest})
		}
	}
	if len(e.Settle) == 0 {
		return nil
	}
	if len(e.Settle) > 1 {
		e.ID = ""
	}
	if _, err := tx.Append(e); errors.Is(err, ErrFailed) {
		return err
	} else if err != nil {
		for _, o := range ops {
			o.err = err
		}
		return nil
	}
	change.add([]Event{e}, work)
	for _, o := range ops {
		if o.err == nil && o.id != "" {
			change.ids[o.id] = struct{}{}
		}
	}
	return nil
}
