package queue

import (
	"testing"
	"time"

	"vaguemestre/broker/journal"
)

// A destination that has an ordinary head at hand, and no ordinary slot of the
// topic to go through, is still looked at when its urgent retry falls due: room
// is kept for that one.
func TestUrgentRetryDueWhileOrdinarySlotsAreFull(t *testing.T) {
	clock := time.Now().Round(0)
	j, tp, look := driven(t, &clock, Slots{Lanes: 2, Urgent: 1, Total: 4, Hold: 10 * time.Millisecond}) // 3 ordinary
	// The urgent item fails once, and is due again in a second.
	enqueue(t, j, urgent(item("plis", "a", "u", "U0")))
	look()
	f := tp.take()
	if f == nil || !f.item.Urgent {
		t.Fatal("the urgent one did not go")
	}
	commit(t, j, journal.Event{Type: journal.TypeNoted, Changes: journal.Changes{Settle: []journal.Settlement{
		{Seq: f.item.Seq, Outcome: journal.Retry, At: clock.Add(time.Second), Reason: "injoignable"}}}})
	tp.acked(f)
	// Three recipients hang: no ordinary slot is left.
	for _, dest := range []string{"b", "c", "d"} {
		enqueue(t, j, item("plis", dest, "", "hangs"))
	}
	look()
	for range 3 {
		if f := tp.take(); f == nil || f.item.Urgent {
			t.Fatalf("taken %v", f)
		}
	}
	enqueue(t, j, item("plis", "a", "o", "ordinary"))
	look()
	clock = clock.Add(20 * time.Millisecond) // the breaker of a lets go
	if sleep := look(); sleep > time.Second {
		t.Errorf("the dispatcher sleeps %v: an urgent item is due in 980ms", sleep)
	}
	clock = clock.Add(time.Minute)
	look()
	if f := tp.take(); f == nil || !f.item.Urgent {
		t.Errorf("due for 59 s, with a slot kept for it, and not taken: %v", f)
	}
}

// What is handed out is urgent first also when the urgent one fell due after
// the look.
func TestUrgentRetryDueAfterTheLook(t *testing.T) {
	clock := time.Now().Round(0)
	j, tp, look := driven(t, &clock, Slots{Lanes: 8, Urgent: 1, Total: 256, Hold: 10 * time.Millisecond})
	done := func(f *flight, o journal.Outcome, at time.Time) {
		commit(t, j, journal.Event{Type: journal.TypeNoted, Changes: journal.Changes{Settle: []journal.Settlement{{Seq: f.item.Seq, Outcome: o, At: at, Reason: "injoignable"}}}})
		tp.acked(f)
	}
	enqueue(t, j, urgent(item("plis", "a", "u", "U0")))
	look()
	done(tp.take(), journal.Retry, clock.Add(time.Second))
	for _, lane := range []string{"1", "2", "3", "4"} {
		enqueue(t, j, item("plis", "a", lane, "ordinary"))
	}
	clock = clock.Add(20 * time.Millisecond)
	look()
	done(tp.take(), journal.Done, time.Time{}) // the breaker closes
	look()
	clock = clock.Add(time.Second)
	look() // a whole round of the dispatcher, after it fell due
	if f := tp.take(); f == nil || !f.item.Urgent {
		t.Errorf("an ordinary item goes before the urgent one that is due")
	}
}
