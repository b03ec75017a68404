package queue

import (
	"container/heap"
	"container/list"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"vaguemestre/broker/journal"
)

// topic holds what is in flight of one topic, for all its subscribers. Its
// dispatcher (run) finds out which destinations have an item that may go;
// subscribers take them (take) and end them (finish).
type topic struct {
	name    string
	journal *journal.Journal
	slots   Slots
	now     func() time.Time
	logger  watermill.LoggerAdapter

	kick chan struct{} // 1 slot: one waiting subscriber may take
	look chan struct{} // 1 slot: the dispatcher has something to look at

	// news is written on the committer's goroutine, so its lock is never held
	// across anything slow.
	newsMu sync.Mutex
	news   map[string]struct{} // destinations that a commit touched; guarded by newsMu

	mu       sync.Mutex // guards all below; held across short Views, never across a Commit
	dests    map[string]*dest
	places   [hurry + 1]*list.List // of *dest, by place; that of asleep is unused
	sleep    sleepers
	last     time.Time // wall clock of the last dispatch
	flights  map[uint64]*flight
	lanes    map[laneKey]*flight
	ordinary int            // flights that are not urgent
	nacks    map[uint64]int // nacks of an item that nobody settled since
	rush     chan struct{}  // closed, and replaced, when an urgent item shows up
}

func newTopic(name string, j *journal.Journal, o Options) *topic {
	t := &topic{
		name: name, journal: j, slots: o.Slots(name).normal(), now: o.Now, logger: o.Logger,
		kick: make(chan struct{}, 1), look: make(chan struct{}, 1),
		news:  map[string]struct{}{},
		dests: map[string]*dest{}, flights: map[uint64]*flight{}, lanes: map[laneKey]*flight{},
		nacks: map[uint64]int{},
		rush:  make(chan struct{}),
	}
	for p := range t.places {
		t.places[p] = list.New()
	}
	return t
}

// signal puts a token in a channel of one slot.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// changed is told of every commit (Journal.Watch): it must not block.
func (q *Queue) changed(c journal.Change) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range c.Work {
		if t := q.topics[w.Topic]; t != nil {
			t.newsMu.Lock()
			t.news[w.Dest] = struct{}{}
			t.newsMu.Unlock()
			signal(t.look)
		}
	}
}

func (t *topic) withheld(it journal.Item) bool {
	if t.flights[it.Seq] != nil {
		return true
	}
	return it.Lane != "" && t.lanes[laneKey{it.Dest, it.Lane}] != nil
}

// take starts the flight of the next item, nil when none may go now. It does
// not read the journal: no commit has touched what it takes since that was
// found there.
func (t *topic) take() *flight {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.takeNews(now)
	for !t.idle() {
		if f := t.takeFrom(t.turn(), now); f != nil {
			t.offerMore()
			return f
		}
	}
	return nil
}

// turn is the destination whose turn it is. The caller knows that there is one.
func (t *topic) turn() *dest {
	if e := t.places[hurry].Front(); e != nil {
		return e.Value.(*dest)
	}
	return t.places[ready].Front().Value.(*dest)
}

// takeFrom starts a flight to d, or corrects where d is.
func (t *topic) takeFrom(d *dest, now time.Time) *flight {
	head := d.found.heads[0]
	if u := d.found.urgent; !head.Urgent && !u.IsZero() && !u.After(now) {
		t.forget(d, now) // something urgent fell due, and goes first
		signal(t.look)
		return nil
	}
	if !d.admits(head.Urgent, t.slots, now) {
		t.move(d, now)
		return nil
	}
	d.found.heads = d.found.heads[1:]
	f := &flight{item: head, dest: d}
	t.flights[head.Seq] = f
	if head.Lane != "" {
		t.lanes[laneKey{d.name, head.Lane}] = f
	}
	if !head.Urgent {
		t.ordinary++
	}
	d.took(f)
	t.move(d, now) // to the end of the list that it belongs to now
	return f
}

// finish ends a flight: its lane and its slot are free.
func (t *topic) finish(f *flight, v verdict, due time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.flights, f.item.Seq)
	if f.item.Lane != "" {
		delete(t.lanes, laneKey{f.dest.name, f.item.Lane})
	}
	if !f.item.Urgent {
		t.ordinary--
	}
	if v != unsettled {
		delete(t.nacks, f.item.Seq)
	}
	now := t.now()
	f.dest.ended(f, v, due, now, t.slots.Hold)
	if v == unsettled || v == delayed || f.dest.found.behind {
		f.dest.found = findings{}
	}
	t.move(f.dest, now)
	t.offerMore()
}

// move puts d where it belongs, and calls the dispatcher for what is its part:
// to look, to announce what is urgent, to wake up in time.
func (t *topic) move(d *dest, now time.Time) {
	t.place(d, now)
	if d.at == fresh || d.at == hurry || !d.wake.IsZero() {
		signal(t.look)
	}
}

// idle says that no destination has an item that may go, or that the topic as
// a whole is full.
func (t *topic) idle() bool {
	if len(t.flights) >= t.slots.Total {
		return true
	}
	return t.places[hurry].Len() == 0 &&
		(t.places[ready].Len() == 0 || t.ordinary >= t.slots.ordinary())
}

// offerMore wakes one subscriber when there is something to take; that one
// wakes the next.
func (t *topic) offerMore() {
	if !t.idle() {
		signal(t.kick)
	}
}

// rushed is closed when an urgent item shows up after the call.
func (t *topic) rushed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rush
}

func (t *topic) dest(name string) *dest {
	d := t.dests[name]
	if d == nil {
		d = &dest{name: name, heap: -1}
		t.dests[name] = d
	}
	return d
}

// put moves d to the end of the list of a place.
func (t *topic) put(d *dest, p place) {
	if d.elem != nil {
		t.places[d.at].Remove(d.elem)
		d.elem = nil
	}
	if d.heap >= 0 {
		heap.Remove(&t.sleep, d.heap)
	}
	d.wake = time.Time{}
	if d.at = p; p != asleep {
		d.elem = t.places[p].PushBack(d)
	}
}

func (t *topic) held() map[string]time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := map[string]time.Time{}
	now := t.now()
	for name, d := range t.dests {
		if d.until.After(now) {
			held[name] = d.until
		}
	}
	return held
}
