package brokertest

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"vaguemestre/broker/journal"
)

// memoryView reads one state of a Disk.
type memoryView struct {
	*memory
	disk *Disk
}

var _ journal.View = (*memoryView)(nil)

// Head implements journal.View.
func (v *memoryView) Head() journal.Head {
	return journal.Head{Broker: v.disk.broker, Origin: v.disk.origin, Size: v.frontier.Size, Root: v.frontier.Root()}
}

// Size implements journal.View.
func (v *memoryView) Size() uint64 { return v.frontier.Size }

// Position implements journal.View: there is one log.
func (v *memoryView) Position() uint64 { return v.frontier.Size }

// Logs implements journal.View.
func (v *memoryView) Logs() []journal.Head { return []journal.Head{v.Head()} }

// Log implements journal.View.
func (v *memoryView) Log(origin string) (journal.Log, error) {
	if origin != v.disk.origin {
		return nil, journal.ErrNotFound
	}
	return v, nil
}

// Hashes implements journal.Log.
func (v *memoryView) Hashes() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			if x < 0 || x >= int64(len(v.hashes)) {
				return nil, journal.ErrNotFound
			}
			out[i] = v.hashes[x]
		}
		return out, nil
	})
}

// Leaf implements journal.Log.
func (v *memoryView) Leaf(n uint64) ([]byte, error) {
	if n >= uint64(len(v.leaves)) {
		return nil, journal.ErrNotFound
	}
	return bytes.Clone(v.leaves[n].leaf), nil
}

// Record implements journal.Log.
func (v *memoryView) Record(n uint64) (journal.Event, error) {
	if n >= uint64(len(v.leaves)) {
		return journal.Event{}, journal.ErrNotFound
	}
	r, err := journal.ParseRecord(v.leaves[n].record)
	if err != nil {
		return journal.Event{}, fmt.Errorf("brokertest: record %d: %w", n, err)
	}
	e := r.Event
	for _, sum := range r.Objects {
		o, err := v.Object(hex.EncodeToString(sum[:]))
		if err != nil {
			return journal.Event{}, err
		}
		e.Objects = append(e.Objects, o)
	}
	return e, nil
}

// Checkpoint implements journal.Log.
func (v *memoryView) Checkpoint() (text, sig []byte, err error) {
	if v.checkpoint == nil {
		return nil, nil, journal.ErrNotFound
	}
	return bytes.Clone(v.checkpoint), bytes.Clone(v.signature), nil
}

// Object implements journal.View.
func (v *memoryView) Object(sha256 string) ([]byte, error) {
	b, ok := v.objects.Get(sumKey(sha256))
	if !ok {
		return nil, journal.ErrNotFound
	}
	return bytes.Clone(b), nil
}

// Blob implements journal.View.
func (v *memoryView) Blob(name string) ([]byte, error) {
	b, ok := v.blobs.Get(name)
	if !ok || b.Bytes == nil {
		return nil, journal.ErrNotFound
	}
	return bytes.Clone(b.Bytes), nil
}

// HasBlob implements journal.View.
func (v *memoryView) HasBlob(name string) bool {
	_, ok := v.blobs.Get(name)
	return ok
}

// Get implements journal.View.
func (v *memoryView) Get(space, key string) ([]byte, bool) {
	b, ok := v.puts.Get(space + "\x00" + key)
	if !ok {
		return nil, false
	}
	return append([]byte{}, b...), true
}

// Scan implements journal.View.
func (v *memoryView) Scan(space, prefix, from string, f func(key string, value []byte) bool) {
	base := space + "\x00"
	it := v.puts.Iter()
	for more := it.Seek(base + max(prefix, from)); more; more = it.Next() {
		key, ok := strings.CutPrefix(it.Key(), base)
		if !ok || !strings.HasPrefix(key, prefix) || !f(key, append([]byte{}, it.Value()...)) {
			return
		}
	}
}

// Dests implements journal.View.
func (v *memoryView) Dests(topic string) (out []string) {
	v.items.Scan(func(_ uint64, it journal.Item) bool {
		if it.Topic == topic && !slices.Contains(out, it.Dest) {
			out = append(out, it.Dest)
		}
		return true
	})
	slices.Sort(out)
	return out
}

// heads lists the heads of the lanes of (topic, dest).
func (v *memoryView) heads(topic, dest string) (out []journal.Item) {
	lanes := map[string]int{} // index in out
	v.items.Scan(func(_ uint64, it journal.Item) bool {
		if it.Topic != topic || it.Dest != dest {
			return true
		}
		i, seen := lanes[it.Lane]
		switch {
		case it.Lane == "" || !seen:
			lanes[it.Lane] = len(out)
			out = append(out, it)
		case it.Urgent && !out[i].Urgent: // it overtakes
			out[i] = it
		}
		return true
	})
	slices.SortFunc(out, func(a, b journal.Item) int {
		if a.Urgent != b.Urgent {
			if a.Urgent {
				return -1
			}
			return 1
		}
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Seq, b.Seq))
	})
	return out
}

// Heads implements journal.View.
func (v *memoryView) Heads(topic, dest string, now time.Time, n int) (out []journal.Item) {
	for _, it := range v.heads(topic, dest) {
		if it.Ready(now) && len(out) < n {
			out = append(out, it)
		}
	}
	return out
}

// NextDue implements journal.View.
func (v *memoryView) NextDue(topic, dest string) (next time.Time, ok bool) {
	for _, it := range v.heads(topic, dest) {
		if !ok || it.Due.Before(next) {
			next, ok = it.Due, true
		}
	}
	return next, ok
}

// Item implements journal.View.
func (v *memoryView) Item(seq uint64) (journal.Item, bool) { return v.items.Get(seq) }

// Letters implements journal.View.
func (v *memoryView) Letters(from uint64, n int) (out []journal.Item) {
	v.letters.Ascend(from, func(_ uint64, it journal.Item) bool {
		if len(out) < n {
			out = append(out, it)
		}
		return len(out) < n
	})
	return out
}

// Pending implements journal.View.
func (v *memoryView) Pending(topic string) (n int) {
	v.items.Scan(func(_ uint64, it journal.Item) bool {
		if it.Topic == topic {
			n++
		}
		return true
	})
	return n
}

// DueTimers implements journal.View.
func (v *memoryView) DueTimers(now time.Time, n int) (out []journal.Timer) {
	v.timers.Scan(func(_ string, t journal.Timer) bool {
		if !t.Due.After(now) {
			out = append(out, t)
		}
		return true
	})
	slices.SortStableFunc(out, func(a, b journal.Timer) int { return a.Due.Compare(b.Due) })
	return out[:min(n, len(out))]
}

// NextTimer implements journal.View.
func (v *memoryView) NextTimer() (next time.Time, ok bool) {
	v.timers.Scan(func(_ string, t journal.Timer) bool {
		if !ok || t.Due.Before(next) {
			next, ok = t.Due, true
		}
		return true
	})
	return next, ok
}

// Timer implements journal.View.
func (v *memoryView) Timer(key string) (journal.Timer, bool) { return v.timers.Get(key) }
