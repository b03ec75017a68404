package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"vaguemestre/broker/journal"
)

func TestSlotsOfOneDestination(t *testing.T) {
	j, q := start(t, Options{Slots: plisSlots})
	for _, p := range payloads(20) {
		enqueue(t, j, item("plis", "a", "lane"+p, p))
	}
	c := subscribe(t, q, "plis")
	for i := range 7 {
		expect(t, c, fmt.Sprint(i))
	}
	nothing(t, c) // the eighth slot is kept
	enqueue(t, j, urgent(item("plis", "a", "u1", "U0")), urgent(item("plis", "a", "u2", "second U0")))
	first := expect(t, c, "U0")
	nothing(t, c)
	first.Ack()
	expect(t, c, "second U0").Ack()
	nothing(t, c)
}

func TestUrgentOvertakesEveryDestination(t *testing.T) {
	j, q := start(t, Options{}) // one at a time
	for _, p := range payloads(5) {
		enqueue(t, j, item("plis", "d"+p, "l", p))
	}
	c := subscribe(t, q, "plis")
	eventually(t, "an item is offered", func() bool { return inFlight(q, "plis") == 1 })
	// Nobody took the offer yet: even that one is overtaken.
	enqueue(t, j, urgent(item("plis", "d4", "u", "U0")))
	eventually(t, "the urgent one is offered", func() bool {
		q.topics["plis"].mu.Lock()
		defer q.topics["plis"].mu.Unlock()
		for _, f := range q.topics["plis"].flights {
			return f.item.Urgent
		}
		return false
	})
	expect(t, c, "U0").Ack()
	for range 5 {
		receive(t, c).Ack()
	}
}

func inFlight(q *Queue, topic string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	tp := q.topics[topic]
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return len(tp.flights)
}

// A carrier that hangs on one destination, with all its lanes, holds no other.
func TestHangingDestinationDelaysNoOther(t *testing.T) {
	j, q := start(t, Options{Slots: plisSlots})
	for _, p := range payloads(50) {
		enqueue(t, j, item("plis", "dead", "lane"+p, "dead"))
	}
	c := subscribe(t, q, "plis")
	for range 7 {
		expect(t, c, "dead") // neither acked nor nacked
	}
	for _, p := range payloads(10) {
		enqueue(t, j, item("plis", "living", "lane", p))
	}
	for _, p := range payloads(10) {
		expect(t, c, p).Ack()
	}
}

// A thousand destinations, one of them dead with a thousand lanes: the others
// are served in turn, and the dead one costs one attempt a hold.
func TestFairWithOneDeadOfAThousand(t *testing.T) {
	const dests, each = 1000, 2
	j, q := start(t, Options{Slots: plisSlots})
	for k := range each {
		for from := 0; from < dests; from += 200 {
			var items []journal.Item
			for i := from; i < from+200; i++ {
				lane := fmt.Sprint("l", k)
				items = append(items, item("plis", fmt.Sprintf("d%04d", i), lane, fmt.Sprint(k)))
				items = append(items, item("plis", "dead", fmt.Sprint(k, "-", i), "dead"))
			}
			for len(items) > 0 {
				enqueue(t, j, items[:100]...)
				items = items[100:]
			}
		}
	}
	c := subscribe(t, q, "plis")
	served := map[string]int{}
	attempts := 0
	for total := 0; total < dests*each; {
		m := receive(t, c)
		it, _ := ItemOf(m)
		if it.Dest == "dead" {
			attempts++
			settle(t, j, m, journal.Retry, time.Now().Add(time.Hour))
			m.Ack()
			continue
		}
		served[it.Dest]++
		total++
		// Nobody is served the second time while another waits for its first.
		if served[it.Dest] == 2 && len(served) < dests-1 {
			t.Fatalf("%s has had two, %d have had none", it.Dest, dests-len(served))
		}
		settle(t, j, m, journal.Done, time.Time{})
		m.Ack()
	}
	if attempts > 7 {
		t.Fatalf("%d attempts on the dead destination, want at most the 7 slots of the start", attempts)
	}
	if until, ok := q.Held("plis")["dead"]; !ok || time.Until(until) > DefaultHold {
		t.Fatalf("held until %v, %v", until, ok)
	}
}

// The breaker lets one probe go, and a delivery opens the way for all.
func TestBreaker(t *testing.T) {
	hold := func(string) Slots { return Slots{Lanes: 4, Total: 16, Hold: 4 * moment} }
	j, q := start(t, Options{Slots: hold})
	for _, p := range payloads(4) {
		enqueue(t, j, item("plis", "a", "lane"+p, p))
	}
	c := subscribe(t, q, "plis")
	first := []*message.Message{expect(t, c, "0"), expect(t, c, "1"), expect(t, c, "2"), expect(t, c, "3")}
	for _, p := range payloads(4) {
		enqueue(t, j, item("plis", "a", "more"+p, "more"+p))
	}
	failed := time.Now()
	for _, m := range first {
		settle(t, j, m, journal.Retry, time.Now().Add(time.Hour))
		m.Ack()
	}
	probe := expect(t, c, "more0")
	if time.Since(failed) < 4*moment {
		t.Fatal("the other lanes were not held")
	}
	nothing(t, c) // one probe at a time
	probed := time.Now()
	settle(t, j, probe, journal.Retry, time.Now().Add(time.Hour))
	probe.Ack()
	probe = expect(t, c, "more1")
	if time.Since(probed) < 4*moment {
		t.Fatal("the second probe did not wait")
	}
	settle(t, j, probe, journal.Done, time.Time{})
	probe.Ack()
	expect(t, c, "more2")
	expect(t, c, "more3")
	if held := q.Held("plis"); len(held) != 0 {
		t.Fatalf("held: %v", held)
	}
}

// A dead letter or a nack says nothing of the destination: the next is a probe
// again.
func TestBreakerAfterDeadProbe(t *testing.T) {
	hold := func(string) Slots { return Slots{Lanes: 4, Total: 16, Hold: time.Millisecond} }
	j, q := start(t, Options{Slots: hold})
	enqueue(t, j, item("plis", "a", "l", "0"), item("plis", "a", "flying", "flying"))
	c := subscribe(t, q, "plis")
	m, flying := expect(t, c, "0"), expect(t, c, "flying")
	settle(t, j, m, journal.Retry, time.Now().Add(time.Hour))
	m.Ack()
	<-m.Context().Done()
	for _, p := range payloads(4) {
		enqueue(t, j, item("plis", "a", "lane"+p, "probe"+p))
	}
	expect(t, c, "probe0").Nack()
	probe := expect(t, c, "probe0")
	nothing(t, c)
	settle(t, j, probe, journal.Dead, time.Time{})
	probe.Ack()
	expect(t, c, "probe1")
	nothing(t, c)
	flying.Ack() // a delivery, by one that was in flight already
	expect(t, c, "probe2")
	expect(t, c, "probe3")
}

// U0 tries on its own schedule while the breaker holds the rest, and closes it.
func TestUrgentIsNotHeld(t *testing.T) {
	j, q := start(t, Options{Slots: plisSlots})
	enqueue(t, j, item("plis", "a", "l0", "0"))
	c := subscribe(t, q, "plis")
	m := expect(t, c, "0")
	settle(t, j, m, journal.Retry, time.Now().Add(time.Hour))
	m.Ack()
	<-m.Context().Done()
	enqueue(t, j, item("plis", "a", "l1", "held"))
	nothing(t, c)
	// The dispatcher sleeps as long as the breaker, or the check of the clock.
	if pause, err := q.topics["plis"].dispatch(); err != nil || pause < clockCheck/2 {
		t.Fatalf("the dispatcher sleeps %v, %v", pause, err)
	}
	enqueue(t, j, urgent(item("plis", "a", "u", "U0")))
	m = expect(t, c, "U0")
	due := time.Now().Add(moment)
	settle(t, j, m, journal.Retry, due)
	m.Ack()
	m = expect(t, c, "U0")
	if time.Now().Before(due) {
		t.Fatal("before its time")
	}
	settle(t, j, m, journal.Done, time.Time{})
	m.Ack()
	expect(t, c, "held").Ack()
}

// An evidence that is refused for ever blocks no pli, not even of its own
// destination and in its own topic.
func TestEvidenceRefusedForEverBlocksNoPli(t *testing.T) {
	hold := func(string) Slots { return Slots{Lanes: 4, Total: 16, Hold: 5 * time.Millisecond} }
	j, q := start(t, Options{Slots: hold})
	enqueue(t, j, item("sortant", "a", "", "evidence"))
	c := subscribe(t, q, "sortant")
	refuse := func(m *message.Message) {
		settle(t, j, m, journal.Retry, time.Now().Add(time.Millisecond))
		m.Ack()
	}
	refuse(expect(t, c, "evidence"))
	for _, p := range payloads(20) {
		enqueue(t, j, item("sortant", "a", "thread", p))
	}
	refused, next := 0, 0
	for next < 20 {
		m := receive(t, c)
		if string(m.Payload) == "evidence" {
			refused++
			refuse(m)
			continue
		}
		if string(m.Payload) != fmt.Sprint(next) {
			t.Fatalf("came %q, want %d", m.Payload, next)
		}
		next++
		m.Ack()
	}
	// It is still tried.
	for refused < 3 {
		refuse(expect(t, c, "evidence"))
		refused++
	}
}

// Far more than Total: what is urgent still finds room.
func TestTotalKeepsRoomForUrgent(t *testing.T) {
	few := func(string) Slots { return Slots{Lanes: 2, Urgent: 1, Total: 8} }
	j, q := start(t, Options{Slots: few})
	for i := range 20 {
		enqueue(t, j, item("plis", fmt.Sprint("d", i), "l", "slow"))
	}
	c := subscribe(t, q, "plis")
	for range 7 {
		expect(t, c, "slow")
	}
	nothing(t, c)
	enqueue(t, j, urgent(item("plis", "other", "l", "U0")))
	expect(t, c, "U0").Ack()
	nothing(t, c)
}
