package journal

import "fmt"

// check says whether all events of a batch can be applied to the state of v,
// before the first is: an engine has no savepoint to return to. It also lists
// the work that the settlements touch.
func (j *Journal) check(v View, events []Event) ([]Work, error) {
	var work []Work
	var settled map[uint64]bool // gone through an earlier event of this batch
	for i := range events {
		e := &events[i]
		if e.At.IsZero() {
			e.At = j.o.Now()
		}
		if i > 0 { // Append checks the first itself before it writes
			if err := e.Check(); err != nil {
				return nil, err
			}
		}
		if err := j.checkBodies(v, e.Blobs); err != nil {
			return nil, err
		}
		for _, s := range e.Settle {
			it, ok := settles(v, s)
			if !ok || settled[s.Seq] {
				return nil, ErrGone
			}
			work = append(work, Work{Topic: it.Topic, Dest: it.Dest})
			if s.Outcome != Retry {
				if settled == nil {
					settled = map[uint64]bool{}
				}
				settled[s.Seq] = true
			}
		}
	}
	return work, nil
}

// settles finds the item of a settlement where its outcome wants it: pending,
// or among the dead letters.
func settles(v View, s Settlement) (Item, bool) {
	if s.Outcome != Requeue {
		return v.Item(s.Seq)
	}
	letters := v.Letters(s.Seq, 1)
	if len(letters) == 0 || letters[0].Seq != s.Seq {
		return Item{}, false
	}
	return letters[0], true
}

// checkBodies wants the file of every blob that comes without its bytes and is
// not held yet.
func (j *Journal) checkBodies(v View, blobs []Blob) error {
	for i := range blobs {
		if blobs[i].Bytes != nil || v.HasBlob(blobs[i].Name) {
			continue
		}
		if !isHex64(blobs[i].SHA256) {
			return invalid("Blobs.SHA256", "not 64 lower-case hex digits")
		}
		b, err := j.store.Bodies().Open(blobs[i].SHA256)
		if err != nil {
			return fmt.Errorf("journal: body of a blob: %w", err)
		}
		size := b.Size()
		if err := b.Close(); err != nil {
			return fmt.Errorf("journal: body of a blob: %w", err)
		}
		if size != blobs[i].Size {
			return invalid("Blobs.Size", "not the size of the body")
		}
	}
	return nil
}
