package queue

import (
	"slices"
	"time"

	"vaguemestre/broker/journal"
)

const (
	// ahead is how many items of a destination are looked for at once, beyond
	// those in flight: one read of the journal serves as many flights.
	ahead = 16
	// farAway is later than any due time.
	farAway = 200 * 365 * 24 * time.Hour
)

// findings is what the last look at the journal found of one destination. It
// holds until a commit touches that destination, or a flight ends that withheld
// something.
type findings struct {
	known    bool
	heads    []journal.Item // may go as far as time and lanes decide, urgent ones first
	more     bool           // there may be others behind heads
	behind   bool           // a flight may withhold another head than its own item
	urgent   time.Time      // first due time of the urgent heads that wait; zero: none waits
	ordinary time.Time      // of the others
}

// nothing says that the journal holds no work, as far as flights let it see.
func (f *findings) nothing() bool {
	return f.known && len(f.heads) == 0 && !f.more && f.urgent.IsZero() && f.ordinary.IsZero()
}

// wait counts in a head that is not due yet.
func (f *findings) wait(it journal.Item) {
	first := &f.ordinary
	if it.Urgent {
		first = &f.urgent
	}
	if first.IsZero() || it.Due.Before(*first) {
		*first = it.Due
	}
}

// find reads what may go to d, and when the rest may. A flight withholds one
// head at most, its own item or the one behind: where there is more than what
// is read, some of it may go.
func (t *topic) find(v journal.View, d *dest, now time.Time) findings {
	n := d.flights + ahead
	heads := v.Heads(t.name, d.name, now.Add(farAway), n) // those that wait too
	f := findings{known: true, more: len(heads) == n}
	if f.more && slices.ContainsFunc(heads, func(it journal.Item) bool { return !it.Ready(now) }) {
		// Many wait: what may go is behind them.
		heads = v.Heads(t.name, d.name, now, n)
		f.more, f.behind = len(heads) == n, true
		heads = append(heads, t.firstWaiting(v, d, now)...)
	}
	f.heads = heads[:0]
	for _, it := range heads {
		switch {
		case t.flights[it.Seq] != nil:
		case t.withheld(it):
			f.behind = true
		case it.Ready(now):
			f.heads = append(f.heads, it)
		default:
			f.wait(it)
		}
	}
	return f
}

// firstWaiting is, of each class, the first head that is not due yet and that
// no flight withholds. Due times alone do not order them: what a clock set back
// left far away is due, and comes last.
func (t *topic) firstWaiting(v journal.View, d *dest, now time.Time) []journal.Item {
	for n := 2 * (d.flights + ahead); ; n *= 2 {
		var first []journal.Item
		heads := v.Heads(t.name, d.name, now.Add(farAway), n)
		for _, it := range heads {
			if !it.Ready(now) && !t.withheld(it) && (len(first) == 0 || first[0].Urgent && !it.Urgent) {
				first = append(first, it)
			}
		}
		if len(heads) < n || len(first) > 0 && !first[len(first)-1].Urgent {
			return first
		}
	}
}

// wakeTime is the earliest time at which something of d may go, as far as time
// alone decides; zero when only an ack or a commit can change anything.
func (d *dest) wakeTime(s Slots, now time.Time) (wake time.Time) {
	if d.flights < s.Lanes {
		wake = d.found.urgent
	}
	due := d.found.ordinary
	if len(d.found.heads) > 0 {
		due = now // and is held by the breaker
	}
	if due.IsZero() || !d.roomForOrdinary(s) {
		return wake
	}
	if due.Before(d.until) {
		due = d.until
	}
	if wake.IsZero() || due.Before(wake) {
		wake = due
	}
	return wake
}
