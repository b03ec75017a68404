package queue

import (
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/broker/journal"
)

// A destination that sleeps until the next retry, or is held by the breaker,
// does not wait for an hour that the wall clock says a second time.
func TestClockSetBackWakesWhatSleeps(t *testing.T) {
	var offset atomic.Int64
	now := func() time.Time { return time.Now().Round(0).Add(time.Duration(offset.Load())) }
	hold := func(string) Slots { return Slots{Lanes: 4, Total: 16, Hold: moment} }
	j, q := start(t, Options{Slots: hold, Now: now})
	enqueue(t, j, item("plis", "a", "l", "0"))
	c := subscribe(t, q, "plis")
	m := expect(t, c, "0")
	settle(t, j, m, journal.Retry, now().Add(time.Hour))
	m.Ack()
	nothing(t, c)
	enqueue(t, j, item("plis", "a", "other", "1"))
	m = expect(t, c, "1") // the probe
	settle(t, j, m, journal.Retry, now().Add(time.Hour))
	m.Ack()
	eventually(t, "the destination sleeps", func() bool {
		tp := q.topics["plis"]
		tp.mu.Lock()
		defer tp.mu.Unlock()
		return len(tp.flights) == 0 && tp.dests["a"] != nil && tp.dests["a"].at == asleep
	})
	offset.Store(-int64(24 * time.Hour))
	signal(q.topics["plis"].look) // instead of clockCheck
	got := map[string]bool{}
	for range 2 {
		m := receive(t, c)
		got[string(m.Payload)] = true
		settle(t, j, m, journal.Done, time.Time{})
		m.Ack()
	}
	if !got["0"] || !got["1"] {
		t.Errorf("tried again: %v", got)
	}
}
