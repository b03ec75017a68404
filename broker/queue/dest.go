package queue

import (
	"container/list"
	"time"

	"vaguemestre/broker/journal"
)

// place is where the topic looks for a destination next.
type place int

const (
	asleep place = iota // nothing to do before wake, an ack, or a commit
	fresh               // something changed: the journal is to be looked at
	ready               // has an item that may go
	hurry               // has an urgent one
)

// dest is one destination of a topic. All of it is guarded by topic.mu.
type dest struct {
	name string

	at   place
	elem *list.Element // in the list of its place, nil when asleep
	wake time.Time     // to be looked at again; zero: only when something happens
	heap int           // index in topic.sleep, -1 when not there

	flights  int // in flight, urgent ones included
	ordinary int // of these, not urgent

	found findings

	// The breaker. Zero until: closed. Before until, what is not urgent waits;
	// after it, one item goes at a time.
	until time.Time
	probe *flight
}

// flight is one item between the journal and its ack or nack.
type flight struct {
	item journal.Item
	dest *dest
}

// laneKey names a lane across destinations.
type laneKey struct{ dest, lane string }

// verdict is what became of a flight.
type verdict int

const (
	unsettled verdict = iota // still there, as it was: nothing is known of the destination
	delivered                // done
	delayed                  // to be tried again: the destination is down, or refuses
	givenUp                  // dead: nothing is known of the destination
)

// admits says whether one more item may go to d now.
func (d *dest) admits(urgent bool, s Slots, now time.Time) bool {
	if d.flights >= s.Lanes {
		return false
	}
	return urgent || d.roomForOrdinary(s) && !now.Before(d.until)
}

// roomForOrdinary says whether an item that is not urgent could go, breaker
// delay aside.
func (d *dest) roomForOrdinary(s Slots) bool {
	return d.flights < s.Lanes && d.ordinary < s.Lanes-s.Urgent &&
		(d.until.IsZero() || d.probe == nil)
}

// took counts f in.
func (d *dest) took(f *flight) {
	d.flights++
	if f.item.Urgent {
		return
	}
	d.ordinary++
	if !d.until.IsZero() {
		d.probe = f
	}
}

// ended counts f out and moves the breaker. due is when a delayed item is due.
func (d *dest) ended(f *flight, v verdict, due, now time.Time, hold time.Duration) {
	d.flights--
	if !f.item.Urgent {
		d.ordinary--
	}
	if d.probe == f {
		d.probe = nil
	}
	switch v {
	case delivered:
		d.until, d.probe = time.Time{}, nil
	case delayed:
		if latest := now.Add(hold); due.After(latest) {
			due = latest
		}
		if due.After(d.until) {
			d.until = due
		}
	case unsettled, givenUp:
	}
}

// sleepers is a heap (container/heap) of destinations by wake.
type sleepers []*dest

func (s sleepers) Len() int           { return len(s) }
func (s sleepers) Less(i, j int) bool { return s[i].wake.Before(s[j].wake) }

func (s sleepers) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].heap, s[j].heap = i, j
}

// Push implements heap.Interface.
func (s *sleepers) Push(x any) {
	d := x.(*dest)
	d.heap = len(*s)
	*s = append(*s, d)
}

// Pop implements heap.Interface.
func (s *sleepers) Pop() any {
	last := len(*s) - 1
	d := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	d.heap = -1
	return d
}
