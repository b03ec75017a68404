package queue

import (
	"container/heap"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"vaguemestre/broker/journal"
)

const (
	// clockCheck is the longest sleep of a dispatcher: due times are of the
	// wall clock, which may jump.
	clockCheck = 30 * time.Second
	// readAgain is the pause after a read of the journal failed.
	readAgain = time.Second
	// lookSlice is how many destinations are looked at in one View, to keep it
	// far below 10 ms.
	lookSlice = 256
	// farAway is later than any due time.
	farAway = 200 * 365 * 24 * time.Hour
)

// run is the dispatcher. It begins with everything that the journal holds:
// what a crash left is taken up as any other work.
func (t *topic) run(stop <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	started := false
	for {
		pause := readAgain
		err := error(nil)
		if !started {
			err = t.start()
			started = err == nil
		}
		if err == nil {
			pause, err = t.dispatch()
		}
		if err != nil {
			t.logger.Error("queue: cannot read the journal", err, watermill.LogFields{"topic": t.name})
			pause = readAgain
		}
		timer.Reset(pause)
		select {
		case <-stop:
			return
		case <-t.look:
		case <-timer.C:
		}
	}
}

// start takes in every destination with pending work.
func (t *topic) start() error {
	return t.journal.View(func(v journal.View) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, name := range v.Dests(t.name) {
			t.refresh(t.dest(name))
		}
		return nil
	})
}

// dispatch looks at every destination that something happened to, wakes
// subscribers, and says how long it may sleep.
func (t *topic) dispatch() (time.Duration, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.newsMu.Lock()
	for name := range t.news {
		t.refresh(t.dest(name))
	}
	clear(t.news)
	t.newsMu.Unlock()
	now := t.now()
	t.clockSetBack(now)
	for len(t.sleep) > 0 && !t.sleep[0].wake.After(now) {
		t.refresh(t.sleep[0])
	}
	for t.places[fresh].Len() > 0 {
		if err := t.examineSlice(); err != nil {
			return 0, err
		}
	}
	if t.places[hurry].Len() > 0 {
		close(t.rush)
		t.rush = make(chan struct{})
	}
	t.offerMore()
	if len(t.sleep) == 0 {
		return clockCheck, nil
	}
	return min(max(t.sleep[0].wake.Sub(t.now()), time.Millisecond), clockCheck), nil
}

// clockSetBack looks at everything again when the wall clock says an earlier
// time than before: what sleeps, or is held, would wait for the old hour.
func (t *topic) clockSetBack(now time.Time) {
	now = now.Round(0) // the monotonic reading never goes back
	if now.Before(t.last) {
		for _, d := range t.dests {
			if latest := now.Add(t.slots.Hold); d.until.After(latest) {
				d.until = latest
			}
			if d.at == asleep {
				t.refresh(d)
			}
		}
	}
	t.last = now
}

func (t *topic) examineSlice() error {
	return t.journal.View(func(v journal.View) error {
		now := t.now()
		for range lookSlice {
			e := t.places[fresh].Front()
			if e == nil {
				break
			}
			t.examine(v, e.Value.(*dest), now)
		}
		return nil
	})
}

// examine puts d where it belongs.
func (t *topic) examine(v journal.View, d *dest, now time.Time) {
	head, ok := t.next(v, d, now)
	switch {
	case ok && d.admits(head.Urgent, t.slots, now) && head.Urgent:
		t.put(d, hurry)
	case ok && d.admits(head.Urgent, t.slots, now):
		t.put(d, ready)
	default:
		t.rest(v, d, now)
	}
}

// rest puts d to sleep until the first time at which an item of it may go, and
// forgets it when it has neither work nor flights.
func (t *topic) rest(v journal.View, d *dest, now time.Time) {
	wake, empty := t.wakeTime(v, d, now)
	t.put(d, asleep)
	if empty && d.flights == 0 {
		delete(t.dests, d.name)
		return
	}
	if d.wake = wake; !wake.IsZero() {
		heap.Push(&t.sleep, d)
	}
}

// wakeTime is the earliest time at which something of d may go, as far as time
// alone decides; zero when only an ack or a commit can change anything.
func (t *topic) wakeTime(v journal.View, d *dest, now time.Time) (wake time.Time, empty bool) {
	earlier := func(due time.Time) {
		if wake.IsZero() || due.Before(wake) {
			wake = due
		}
	}
	// By order of Due alone, what a clock set back left far away comes last.
	if it, ok := t.next(v, d, now); ok && !it.Urgent && d.roomForOrdinary(t.slots) {
		earlier(later(now, d.until))
	}
	room := d.flights < t.slots.Lanes
	for n := d.flights + 1; ; n *= 2 {
		heads := v.Heads(t.name, d.name, now.Add(farAway), n)
		for _, it := range heads {
			switch {
			case t.withheld(it):
			case it.Urgent && room:
				earlier(it.Due)
			case !it.Urgent:
				// The first of its class: none of it is due before.
				if d.roomForOrdinary(t.slots) {
					earlier(later(it.Due, d.until))
				}
				return wake, false
			}
		}
		if len(heads) < n {
			return wake, len(heads) == 0
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
