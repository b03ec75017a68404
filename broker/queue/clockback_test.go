package queue

import (
	"testing"
	"time"

	"vaguemestre/broker/journal"
)

// The clock is set back while a destination has heads at hand: what waits for
// the old hour behind them is due (journal.Item.Ready), and goes.
func TestClockSetBackWhileHeadsAreAtHand(t *testing.T) {
	clock := time.Now().Round(0)
	j, tp, look := driven(t, &clock, Slots{Lanes: 4, Urgent: 1, Total: 16, Hold: 10 * time.Millisecond})
	enqueue(t, j, urgent(item("plis", "a", "u", "retried")))
	look()
	f := tp.take()
	commit(t, j, journal.Event{Type: journal.TypeNoted, Changes: journal.Changes{Settle: []journal.Settlement{
		{Seq: f.item.Seq, Outcome: journal.Retry, At: clock.Add(time.Second), Reason: "injoignable"}}}})
	tp.acked(f)
	enqueue(t, j, urgent(item("plis", "a", "v", "new")))
	look() // one that may go, one that waits
	clock = clock.Add(-5 * time.Hour)
	look()
	if f := tp.take(); f == nil {
		t.Fatal("nothing goes")
	}
	look()
	if f := tp.take(); f == nil {
		t.Errorf("the retry waits for an hour that the clock says again in 5 h; asleep until %v from now", tp.dests["a"].wake.Sub(clock))
	}
}
