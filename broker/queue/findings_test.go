package queue

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vaguemestre/broker/journal"
)

// What is taken is what the journal holds at that moment, although it was read
// before: the first head of its destination that no flight withholds, and
// nothing only when nothing may go.
func TestTakesWhatTheJournalHolds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHandheld(t, rt)
		for range rapid.IntRange(5, 25).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0, 1:
				h.enqueue()
			case 2, 3:
				h.takeSome()
			case 4:
				h.end()
			case 5:
				h.pass()
			}
		}
		h.drain()
	})
}

// handheld is a topic that no goroutine runs, and its journal.
type handheld struct {
	t       *testing.T
	rt      *rapid.T
	j       *journal.Journal
	topic   *topic
	clock   time.Time
	flights []*flight
	entered int
	last    bool // nothing enters any more
}

func newHandheld(t *testing.T, rt *rapid.T) *handheld {
	h := &handheld{t: t, rt: rt, clock: time.Now().Round(0)}
	slots := func(string) Slots { return Slots{Lanes: 3, Urgent: 1, Total: 8, Hold: time.Second} }
	h.j = newDisk(t).open(t)
	q := New(h.j, Options{Slots: slots, Now: func() time.Time { return h.clock }})
	rt.Cleanup(func() {
		_ = q.Close()
		_ = h.j.Close(context.Background())
	})
	h.topic = newTopic("plis", h.j, q.options)
	q.topics["plis"] = h.topic
	if err := h.topic.start(); err != nil {
		rt.Fatal(err)
	}
	return h
}

func (h *handheld) enqueue() {
	var items []journal.Item
	for range rapid.SampledFrom([]int{1, 1, 2, 25}).Draw(h.rt, "items") {
		h.entered++
		it := item("plis", rapid.SampledFrom([]string{"a", "b"}).Draw(h.rt, "dest"), rapid.SampledFrom([]string{"", "l", "m", fmt.Sprint(h.entered)}).Draw(h.rt, "lane"), "x")
		it.Urgent = rapid.IntRange(0, 3).Draw(h.rt, "urgent") == 0
		items = append(items, it)
	}
	enqueue(h.t, h.j, items...)
}

// takeSome takes several items after one dispatch; commits may come between.
func (h *handheld) takeSome() int {
	if _, err := h.topic.dispatch(); err != nil {
		h.rt.Fatal(err)
	}
	taken, news := 0, false
	for range rapid.IntRange(1, 10).Draw(h.rt, "takes") {
		if rapid.IntRange(0, 4).Draw(h.rt, "meanwhile") == 0 && !h.last {
			h.enqueue()
			news = true
		}
		want := h.mayGo(!news)
		f := h.topic.take()
		if f == nil {
			if len(want) > 0 && !news {
				h.rt.Fatalf("nothing was taken, %v may go", want)
			}
			break
		}
		if first, ok := want[f.item.Dest]; !ok || first.Seq != f.item.Seq || first.Attempts != f.item.Attempts {
			h.rt.Fatalf("taken %v, want one of %v", f.item, want)
		}
		h.flights = append(h.flights, f)
		taken++
	}
	return taken
}

// mayGo reads what may go to each destination: only what is urgent, if there is
// any and the dispatcher has seen it.
func (h *handheld) mayGo(seen bool) map[string]journal.Item {
	all, urgent := map[string]journal.Item{}, map[string]journal.Item{}
	err := h.j.View(func(v journal.View) error {
		for _, name := range v.Dests("plis") {
			if it, ok := h.first(v, name); ok {
				if all[name] = it; it.Urgent {
					urgent[name] = it
				}
			}
		}
		return nil
	})
	if err != nil {
		h.rt.Fatal(err)
	}
	if seen && len(urgent) > 0 {
		return urgent
	}
	return all
}

// first is the first head of a destination that no flight withholds, if there
// is a slot for it.
func (h *handheld) first(v journal.View, name string) (journal.Item, bool) {
	d := h.topic.dests[name]
	if d == nil {
		d = &dest{name: name}
	}
	for _, it := range v.Heads("plis", name, h.clock, 1000) {
		if h.topic.withheld(it) {
			continue
		}
		full := !it.Urgent && h.topic.ordinary >= h.topic.slots.ordinary()
		return it, !full && d.admits(it.Urgent, h.topic.slots, h.clock)
	}
	return journal.Item{}, false
}

// end ends one flight, in one of the ways that there are.
func (h *handheld) end() {
	if len(h.flights) == 0 {
		return
	}
	i := rapid.IntRange(0, len(h.flights)-1).Draw(h.rt, "flight")
	f := h.flights[i]
	h.flights = append(h.flights[:i], h.flights[i+1:]...)
	s := journal.Settlement{Seq: f.item.Seq, Reason: "injoignable"}
	switch rapid.IntRange(0, 5).Draw(h.rt, "outcome") {
	case 0:
		h.topic.finish(f, unsettled, time.Time{})
		return
	case 1:
		s.Outcome = journal.Dead
	case 2, 3:
		s.Outcome = journal.Retry
		s.At = h.clock.Add(time.Duration(rapid.IntRange(0, 3000).Draw(h.rt, "delay")) * time.Millisecond)
	default:
		s.Outcome = journal.Done
	}
	commit(h.t, h.j, journal.Event{Type: journal.TypeNoted, Changes: journal.Changes{Settle: []journal.Settlement{s}}})
	if rapid.Bool().Draw(h.rt, "looked between") {
		if _, err := h.topic.dispatch(); err != nil {
			h.rt.Fatal(err)
		}
	}
	h.topic.acked(f)
}

// pass moves the clock on, or back by hours.
func (h *handheld) pass() {
	step := rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Minute, -5 * time.Hour}).Draw(h.rt, "time")
	h.clock = h.clock.Add(step)
}

// drain settles everything: nothing is left behind.
func (h *handheld) drain() {
	h.last = true
	for round, idle := 0, 0; idle < 8; round++ {
		if h.takeSome() == 0 {
			idle++
			h.clock = h.clock.Add(2 * time.Second)
		}
		for len(h.flights) > 0 {
			idle = 0
			if round < 8 {
				h.end()
				continue
			}
			h.topic.acked(h.flights[0])
			h.flights = h.flights[1:]
		}
	}
	if n := pending(h.t, h.j, "plis"); n != 0 {
		h.rt.Fatalf("%d items were never taken", n)
	}
}

// More urgent items wait for their hour than are read at once: what is due
// behind them goes, and they go at theirs.
func TestManyThatWaitHideNothing(t *testing.T) {
	var offset atomic.Int64
	now := func() time.Time { return time.Now().Round(0).Add(time.Duration(offset.Load())) }
	hold := func(string) Slots { return Slots{Lanes: 4, Urgent: 1, Total: 16, Hold: time.Millisecond} }
	j, q := start(t, Options{Slots: hold, Now: now})
	for i := range 2 * ahead {
		enqueue(t, j, urgent(item("plis", "a", fmt.Sprint("u", i), "waits")))
	}
	c := subscribe(t, q, "plis")
	for range 2 * ahead {
		m := expect(t, c, "waits")
		settle(t, j, m, journal.Retry, now().Add(5*time.Minute))
		m.Ack()
	}
	enqueue(t, j, item("plis", "a", "l", "ordinary"))
	expect(t, c, "ordinary").Ack()
	nothing(t, c)
	offset.Store(int64(5 * time.Minute))
	signal(q.topics["plis"].look) // instead of clockCheck
	for range 2 * ahead {
		expect(t, c, "waits").Ack()
	}
}
