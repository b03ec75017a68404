package journal

import (
	"cmp"
	"encoding/hex"
	"errors"
	"slices"
	"time"
)

// Replay is what the records of a file say that it holds: the rule for every
// projection, written without an engine. Verify and the suite of stores compare
// with it.
type Replay struct {
	Objects map[[32]byte]uint64 // where each was first kept: position << 8 | index
	Blobs   map[string]Trace[HeldBlob]
	Puts    map[[2]string]Trace[[]byte] // by space and key
	Items   map[uint64]Trace[Item]      // pending, by Seq
	Letters map[uint64]Trace[Item]      // dead, by Seq
	Timers  map[string]Trace[Timer]
}

// Trace is a value and the event that last changed it.
type Trace[T any] struct {
	Value T
	By    uint64 // position: the number of the event, counted over all logs
	Gone  bool   // that event took it away
}

// HeldBlob is a blob that no record has erased.
type HeldBlob struct {
	Pos    uint64 // position << 8 | index where it was kept
	SHA256 [32]byte
	Size   int64
	Inline bool
}

// ErrReplay says that a record does what the state before it does not allow.
var ErrReplay = errors.New("journal: the record settles what is not there")

// NewReplay is the state before the first record.
func NewReplay() *Replay {
	return &Replay{
		Objects: map[[32]byte]uint64{},
		Blobs:   map[string]Trace[HeldBlob]{},
		Puts:    map[[2]string]Trace[[]byte]{},
		Items:   map[uint64]Trace[Item]{},
		Letters: map[uint64]Trace[Item]{},
		Timers:  map[string]Trace[Timer]{},
	}
}

// Apply plays the record of the event at that position.
func (p *Replay) Apply(pos uint64, r *Record) error {
	for i, sum := range r.Objects {
		if _, ok := p.Objects[sum]; !ok {
			p.Objects[sum] = pos<<8 | uint64(i)
		}
	}
	for i := range r.Blobs {
		b := &r.Blobs[i]
		held := HeldBlob{Pos: pos<<8 | uint64(i), Size: b.Size, Inline: r.Inline[i]}
		hex.Decode(held.SHA256[:], []byte(b.SHA256))
		if old, ok := p.Blobs[b.Name]; ok && !old.Gone && old.Value.SHA256 == held.SHA256 {
			continue
		}
		p.Blobs[b.Name] = Trace[HeldBlob]{Value: held, By: pos}
	}
	for _, name := range r.Erase {
		p.Blobs[name] = Trace[HeldBlob]{By: pos, Gone: true}
	}
	for i := range r.Puts {
		put := &r.Puts[i]
		p.Puts[[2]string{put.Space, put.Key}] = Trace[[]byte]{Value: put.Value, By: pos, Gone: put.Value == nil}
	}
	if err := p.work(pos, r); err != nil {
		return err
	}
	for _, t := range r.Timers {
		p.Timers[t.Key] = Trace[Timer]{Value: t, By: pos, Gone: t.Due.IsZero()}
	}
	return nil
}

func (p *Replay) work(pos uint64, r *Record) error {
	index := uint64(0)
	enter := func(it Item) {
		it.Seq = pos<<8 | index
		it.Enter(r.At)
		index++
		p.Items[it.Seq] = Trace[Item]{Value: it, By: pos}
	}
	// What the event enqueues cannot be settled by it: nobody knows its Seq.
	for i := range r.Settle {
		s := &r.Settle[i]
		from := p.Items
		if s.Outcome == Requeue {
			from = p.Letters
		}
		if _, ok := from[s.Seq]; !ok {
			return ErrReplay
		}
	}
	for _, it := range r.Enqueue {
		enter(it)
	}
	for i := range r.Settle {
		s := &r.Settle[i]
		it := p.Items[s.Seq].Value
		switch s.Outcome {
		case Done:
			delete(p.Items, s.Seq)
		case Retry:
			it.Due, it.Reason = s.At, s.Reason
			it.Attempts++
			p.Items[s.Seq] = Trace[Item]{Value: it, By: pos}
		case Dead:
			delete(p.Items, s.Seq)
			it.Reason = s.Reason
			p.Letters[s.Seq] = Trace[Item]{Value: it, By: pos}
		case Requeue:
			it = p.Letters[s.Seq].Value
			delete(p.Letters, s.Seq)
			enter(it)
		}
	}
	return nil
}

// Heads lists the Seq of the head of every lane: its first urgent item, or its
// first.
func (p *Replay) Heads() map[uint64]bool {
	type lane struct{ topic, dest, name string }
	heads := map[uint64]bool{}
	first := map[lane]Item{}
	for seq, tr := range p.Items {
		it := tr.Value
		if it.Lane == "" {
			heads[seq] = true
			continue
		}
		l := lane{it.Topic, it.Dest, it.Lane}
		old, ok := first[l]
		if !ok || it.Urgent && !old.Urgent || it.Urgent == old.Urgent && it.Seq < old.Seq {
			first[l] = it
		}
	}
	for _, it := range first {
		heads[it.Seq] = true
	}
	return heads
}

// DueHeads lists what View.Heads must: the due heads of (topic, dest), urgent
// first, then by due time, then by entry.
func (p *Replay) DueHeads(topic, dest string, now time.Time, n int) []Item {
	var out []Item
	for seq := range p.Heads() {
		it := p.Items[seq].Value
		if it.Topic == topic && it.Dest == dest && it.Ready(now) {
			out = append(out, it)
		}
	}
	sortDue(out)
	return out[:min(n, len(out))]
}

// sortDue orders heads as they are to be tried: urgent first, then by due
// time, then by entry.
func sortDue(items []Item) {
	slices.SortFunc(items, func(a, b Item) int {
		if a.Urgent != b.Urgent {
			if a.Urgent {
				return -1
			}
			return 1
		}
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Seq, b.Seq))
	})
}
