package boltstore

import (
	"bytes"
	"encoding/binary"
	"time"

	"vaguemestre/broker/journal"
)

// Dests implements journal.View.
func (v *view) Dests(topic string) []string {
	var out []string
	v.eachCount(topic, func(dest string, _ uint64) { out = append(out, dest) })
	return out
}

// Pending implements journal.View.
func (v *view) Pending(topic string) int {
	total := 0
	v.eachCount(topic, func(_ string, n uint64) { total += int(n) })
	return total
}

func (v *view) eachCount(topic string, f func(dest string, n uint64)) {
	prefix := countKey(topic, "")
	c := v.cursor(bCounts)
	for k, b := c.seek(prefix); bytes.HasPrefix(k, prefix); k, b = c.next() {
		f(string(k[len(prefix):]), readU64(b))
	}
}

// Heads implements journal.View.
func (v *view) Heads(topic, dest string, now time.Time, n int) []journal.Item {
	var out []journal.Item
	prefix := workKey(topic, dest)
	for class := range byte(2) {
		out = v.heads(out, append(bytes.Clone(prefix), class), now, n)
	}
	return out
}

// heads adds the due heads of a class: those up to now, then those that are so
// far away that the clock was set back (Item.Ready).
func (v *view) heads(out []journal.Item, prefix []byte, now time.Time, n int) []journal.Item {
	c := v.cursor(bDue)
	skipped := false
	for k, _ := c.seek(prefix); len(out) < n && bytes.HasPrefix(k, prefix) && len(k) == len(prefix)+16; {
		it, ok := v.Item(readU64(k[len(prefix)+8:]))
		switch {
		case ok && it.Ready(now):
			out = append(out, it)
		case ok && !skipped: // all until the longest delay wait
			skipped = true
			k, _ = c.seek(append(bytes.Clone(prefix), u64(millis(now.Add(journal.LongestDelay(it.Urgent))))...))
			continue
		}
		k, _ = c.next()
	}
	return out
}

// NextDue implements journal.View.
func (v *view) NextDue(topic, dest string) (next time.Time, ok bool) {
	prefix := workKey(topic, dest)
	for class := range byte(2) {
		prefix := append(bytes.Clone(prefix), class)
		k, _ := v.cursor(bDue).seek(prefix)
		if !bytes.HasPrefix(k, prefix) {
			continue
		}
		due := fromMillis(readU64(k[len(prefix):]))
		if !ok || due.Before(next) {
			next, ok = due, true
		}
	}
	return next, ok
}

// Item implements journal.View.
func (v *view) Item(seq uint64) (journal.Item, bool) {
	key := u64(seq)
	return parseItem(key, v.get(bItems, key))
}

// Letters implements journal.View.
func (v *view) Letters(from uint64, n int) []journal.Item {
	var out []journal.Item
	c := v.cursor(bLetters)
	for k, b := c.seek(u64(from)); k != nil && len(out) < n; k, b = c.next() {
		if it, ok := parseItem(k, b); ok {
			out = append(out, it)
		}
	}
	return out
}

// DueTimers implements journal.View.
func (v *view) DueTimers(now time.Time, n int) []journal.Timer {
	var out []journal.Timer
	c := v.cursor(bTimerDue)
	for k, _ := c.seek(nil); len(k) > 8 && len(out) < n; k, _ = c.next() {
		if int64(readU64(k)) > now.UnixMilli() {
			break
		}
		if t, ok := v.Timer(string(k[8:])); ok {
			out = append(out, t)
		}
	}
	return out
}

// NextTimer implements journal.View.
func (v *view) NextTimer() (time.Time, bool) {
	k, _ := v.cursor(bTimerDue).seek(nil)
	if len(k) <= 8 {
		return time.Time{}, false
	}
	return fromMillis(readU64(k)), true
}

// Timer implements journal.View.
func (v *view) Timer(key string) (journal.Timer, bool) {
	return parseTimer([]byte(key), v.get(bTimers, []byte(key)))
}

// enqueue gives a new item its place at the end of its lane.
func (t *tx) enqueue(it *journal.Item) {
	t.put(bItems, u64(it.Seq), encodeItem(it))
	t.count(it, 1)
	if it.Lane == "" {
		t.put(bDue, dueKey(it), nothing)
		return
	}
	head, ok := t.laneHead(it)
	t.put(bLanes, laneRow(it), nothing)
	switch {
	case !ok:
	case it.Urgent && !head.Urgent: // it overtakes
		t.remove(bDue, dueKey(&head))
	default:
		return
	}
	t.put(bDue, dueKey(it), nothing)
}

// leave takes a pending item out of its lane; the next one is due.
func (t *tx) leave(it *journal.Item) {
	head, ok := t.laneHead(it) // while it is there
	t.remove(bItems, u64(it.Seq))
	t.count(it, -1)
	if it.Lane == "" {
		t.remove(bDue, dueKey(it))
		return
	}
	t.remove(bLanes, laneRow(it))
	if !ok || head.Seq != it.Seq {
		return
	}
	t.remove(bDue, dueKey(it))
	if next, ok := t.laneHead(it); ok {
		t.put(bDue, dueKey(&next), nothing)
	}
}

// delay keeps a pending item where it is, until at.
func (t *tx) delay(it journal.Item, at time.Time, reason string) {
	first, ok := t.laneHead(&it)
	head := ok && first.Seq == it.Seq
	if head {
		t.remove(bDue, dueKey(&it))
	}
	it.Due, it.Reason = at, reason
	it.Attempts++
	t.put(bItems, u64(it.Seq), encodeItem(&it))
	if head {
		t.put(bDue, dueKey(&it), nothing)
	}
}

// laneHead is the head of the lane that it is in.
func (t *tx) laneHead(it *journal.Item) (journal.Item, bool) {
	if it.Lane == "" {
		return *it, true
	}
	prefix := laneKey(it)
	k, _ := t.cursor(bLanes).seek(prefix)
	if !bytes.HasPrefix(k, prefix) || len(k) != len(prefix)+9 {
		return journal.Item{}, false
	}
	return t.Item(binary.BigEndian.Uint64(k[len(k)-8:]))
}

func (t *tx) count(it *journal.Item, by int) {
	key := countKey(it.Topic, it.Dest)
	n := readU64(t.get(bCounts, key)) + uint64(by)
	if n == 0 {
		t.remove(bCounts, key)
		return
	}
	t.put(bCounts, key, u64(n))
}
