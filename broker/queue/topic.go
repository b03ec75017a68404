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

// next is the first due head of d that no flight withholds. Urgent heads come
// first, so when it may not go because of its class, none of d may.
func (t *topic) next(v journal.View, d *dest, now time.Time) (journal.Item, bool) {
	// A flight withholds one head at most: its own item or the one behind.
	for _, it := range v.Heads(t.name, d.name, now, d.flights+1) {
		if !t.withheld(it) {
			return it, true
		}
	}
	return journal.Item{}, false
}

func (t *topic) withheld(it journal.Item) bool {
	if t.flights[it.Seq] != nil {
		return true
	}
	return it.Lane != "" && t.lanes[laneKey{it.Dest, it.Lane}] != nil
}

// take starts the flight of the next item, nil when none may go now.
func (t *topic) take() *flight {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.idle() {
		return nil
	}
	var f *flight
	err := t.journal.View(func(v journal.View) error {
		now := t.now()
		for f == nil && !t.idle() {
			f = t.takeFrom(v, t.turn(), now)
		}
		return nil
	})
	if err != nil {
		signal(t.look) // the dispatcher finds the same, says it, and tries again later
		return nil
	}
	t.offerMore()
	return f
}

// turn is the destination whose turn it is. The caller knows that there is one.
func (t *topic) turn() *dest {
	if e := t.places[hurry].Front(); e != nil {
		return e.Value.(*dest)
	}
	return t.places[ready].Front().Value.(*dest)
}

// takeFrom starts a flight to d, or corrects where d is.
func (t *topic) takeFrom(v journal.View, d *dest, now time.Time) *flight {
	head, ok := t.next(v, d, now)
	if !ok || !d.admits(head.Urgent, t.slots, now) {
		t.rest(v, d, now)
		return nil
	}
	if d.at == hurry && !head.Urgent {
		t.put(d, ready)
		return nil
	}
	f := &flight{item: head, dest: d}
	t.flights[head.Seq] = f
	if head.Lane != "" {
		t.lanes[laneKey{d.name, head.Lane}] = f
	}
	if !head.Urgent {
		t.ordinary++
	}
	d.took(f)
	t.put(d, d.at) // to the end of its list; the next turn finds out what it still has
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
	f.dest.ended(f, v, due, t.now(), t.slots.Hold)
	t.refresh(f.dest)
	signal(t.look)
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

// refresh has d looked at.
func (t *topic) refresh(d *dest) {
	if d.at != fresh {
		t.put(d, fresh)
	}
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
