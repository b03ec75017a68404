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
	lookSlice = 64
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
		now := t.now()
		for _, name := range v.Dests(t.name) {
			t.forget(t.dest(name), now)
		}
		return nil
	})
}

// dispatch looks at every destination that something happened to, wakes
// subscribers, and says how long it may sleep.
func (t *topic) dispatch() (time.Duration, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.takeNews(now)
	t.clockSetBack(now)
	for len(t.sleep) > 0 && !t.sleep[0].wake.After(now) {
		t.forget(t.sleep[0], now)
	}
	for t.places[fresh].Len() > 0 {
		if err := t.lookAtSome(); err != nil {
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

// takeNews forgets what was found of the destinations that a commit touched.
func (t *topic) takeNews(now time.Time) {
	t.newsMu.Lock()
	defer t.newsMu.Unlock()
	for name := range t.news {
		t.forget(t.dest(name), now)
	}
	clear(t.news)
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
			t.forget(d, now)
		}
	}
	t.last = now
}

func (t *topic) lookAtSome() error {
	return t.journal.View(func(v journal.View) error {
		now := t.now()
		for range lookSlice {
			e := t.places[fresh].Front()
			if e == nil {
				break
			}
			d := e.Value.(*dest)
			d.found = t.find(v, d, now)
			t.place(d, now)
		}
		return nil
	})
}

// forget has the journal looked at again for d.
func (t *topic) forget(d *dest, now time.Time) {
	d.found = findings{}
	t.place(d, now)
}

// place puts d where it belongs, by what is known of it.
func (t *topic) place(d *dest, now time.Time) {
	f := &d.found
	switch room := d.flights < t.slots.Lanes; {
	case room && (!f.known || len(f.heads) == 0 && f.more):
		t.put(d, fresh)
	case !f.known:
		t.put(d, asleep) // full: there is time to look at the end of a flight
	case len(f.heads) == 0 || !d.admits(f.heads[0].Urgent, t.slots, now):
		t.rest(d, now)
	case f.heads[0].Urgent:
		t.put(d, hurry)
	default:
		t.put(d, ready)
		t.wakeAt(d, f.urgent) // it goes first, and may have a slot where these wait for one
	}
}

// wakeAt has d looked at again at a time; never when it is zero.
func (t *topic) wakeAt(d *dest, wake time.Time) {
	if d.wake = wake; !wake.IsZero() {
		heap.Push(&t.sleep, d)
	}
}

// rest puts d to sleep until the first time at which an item of it may go, and
// drops it when it has neither work nor flights.
func (t *topic) rest(d *dest, now time.Time) {
	t.put(d, asleep)
	if d.flights == 0 && d.found.nothing() {
		delete(t.dests, d.name)
		return
	}
	t.wakeAt(d, d.wakeTime(t.slots, now))
}
