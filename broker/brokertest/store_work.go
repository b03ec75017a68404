package brokertest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/journal"
)

// dueNow lists the payloads of the due heads.
func dueNow(t testing.TB, s journal.Store, now time.Time) string {
	var out []string
	mustView(t, s, func(v journal.View) {
		for _, it := range v.Heads("t", "d", now, 100) {
			out = append(out, string(it.Payload))
		}
	})
	return strings.Join(out, " ")
}

func seqOf(t testing.TB, s journal.Store, payload string) (seq uint64) {
	t.Helper()
	mustView(t, s, func(v journal.View) {
		for n := range v.Head().Size {
			for i := range uint64(4) {
				if it, ok := v.Item(n<<8 | i); ok && string(it.Payload) == payload {
					seq = it.Seq
				}
			}
		}
		for _, it := range v.Letters(0, 100) {
			if string(it.Payload) == payload {
				seq = it.Seq
			}
		}
	})
	if seq == 0 {
		t.Fatalf("no item %s", payload)
	}
	return seq
}

func settle(t testing.TB, s journal.Store, payload string, o journal.Outcome, at time.Time) {
	t.Helper()
	MustAppend(t, s, noted(journal.Changes{Settle: []journal.Settlement{{Seq: seqOf(t, s, payload), Outcome: o, At: at, Reason: "essai"}}}))
}

func enqueue(t testing.TB, s journal.Store, lane string, urgent bool, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		MustAppend(t, s, noted(journal.Changes{Enqueue: []journal.Item{{Topic: "t", Dest: "d", Lane: lane, Urgent: urgent, Payload: []byte(p)}}}))
	}
}

func wantDue(t testing.TB, s journal.Store, now time.Time, want string) {
	t.Helper()
	if got := dueNow(t, s, now); got != want {
		t.Errorf("due: %s; want %s", got, want)
	}
}

func testLanes(t *testing.T, s journal.Store) {
	enqueue(t, s, "a", false, "a1", "a2", "a3")
	enqueue(t, s, "b", false, "b1", "b2")
	enqueue(t, s, "", false, "c1", "c2") // each its own lane
	MustAppend(t, s, noted(journal.Changes{Enqueue: []journal.Item{{Topic: "t", Dest: "e", Lane: "a", Payload: []byte("other")}, {Topic: "tt", Dest: "d", Lane: "a"}}}))
	wantDue(t, s, start, "a1 b1 c1 c2")
	wantDue(t, s, start.Add(-2*time.Hour), "a1 b1 c1 c2") // the clock was set back
	settle(t, s, "a1", journal.Done, time.Time{})
	settle(t, s, "c1", journal.Done, time.Time{})
	wantDue(t, s, start, "a2 b1 c2")
	settle(t, s, "a3", journal.Done, time.Time{}) // not a head
	settle(t, s, "a2", journal.Done, time.Time{})
	wantDue(t, s, start, "b1 c2")
	mustView(t, s, func(v journal.View) {
		if d := v.Dests("t"); !slices.Equal(d, []string{"d", "e"}) || v.Pending("t") != 4 || v.Pending("tt") != 1 || v.Pending("x") != 0 {
			t.Errorf("dests %v, pending %d", d, v.Pending("t"))
		}
		if h := v.Heads("t", "d", start, 1); len(h) != 1 {
			t.Errorf("%d heads, want 1", len(h))
		}
	})
}

func testUrgent(t *testing.T, s journal.Store) {
	enqueue(t, s, "a", false, "a1", "a2")
	enqueue(t, s, "b", false, "b1")
	settle(t, s, "a1", journal.Retry, start.Add(time.Hour))
	enqueue(t, s, "a", true, "U1", "U2") // overtakes the lane that waits
	wantDue(t, s, start, "U1 b1")
	settle(t, s, "a1", journal.Retry, start.Add(2*time.Hour)) // it was being tried
	settle(t, s, "U1", journal.Done, time.Time{})
	wantDue(t, s, start, "U2 b1")
	settle(t, s, "U2", journal.Dead, time.Time{})
	wantDue(t, s, start, "b1")
	wantDue(t, s, start.Add(2*time.Hour), "b1 a1")
	mustView(t, s, func(v journal.View) {
		if next, ok := v.NextDue("t", "d"); !ok || next.After(start) {
			t.Errorf("next due %v %v", next, ok)
		}
	})
	settle(t, s, "b1", journal.Done, time.Time{})
	mustView(t, s, func(v journal.View) {
		if next, ok := v.NextDue("t", "d"); !ok || !next.Equal(start.Add(2*time.Hour)) {
			t.Errorf("next due %v %v", next, ok)
		}
		if _, ok := v.NextDue("t", "nobody"); ok {
			t.Error("work for nobody")
		}
	})
}

// testClockSetBack: work waits for no hour that comes a second time.
func testClockSetBack(t *testing.T, s journal.Store) {
	enqueue(t, s, "a", false, "a1")
	enqueue(t, s, "b", false, "b1")
	enqueue(t, s, "c", true, "U1")
	enqueue(t, s, "d", true, "U2")
	settle(t, s, "a1", journal.Retry, start.Add(time.Hour))
	settle(t, s, "U1", journal.Retry, start.Add(5*time.Minute))
	wantDue(t, s, start, "U2 b1")
	wantDue(t, s, start.Add(-5*time.Minute), "U2 b1") // U1 waits for no more than its longest delay
	wantDue(t, s, start.Add(-6*time.Minute), "U2 U1 b1")
	wantDue(t, s, start.Add(-time.Hour), "U2 U1 b1")
	wantDue(t, s, start.Add(-2*time.Hour), "U2 U1 b1 a1")
	mustView(t, s, func(v journal.View) {
		if h := v.Heads("t", "d", start.Add(-2*time.Hour), 3); len(h) != 3 {
			t.Errorf("%d heads, want 3", len(h))
		}
	})
}

func testSettle(t *testing.T, s journal.Store) {
	enqueue(t, s, "a", false, "a1", "a2")
	settle(t, s, "a1", journal.Retry, start.Add(time.Minute+time.Microsecond))
	wantDue(t, s, start.Add(time.Minute), "") // never early
	wantDue(t, s, start.Add(time.Minute+time.Millisecond), "a1")
	seq := seqOf(t, s, "a1")
	mustView(t, s, func(v journal.View) {
		if it, ok := v.Item(seq); !ok || it.Attempts != 1 || it.Reason != "essai" || !it.Entered.Equal(start) {
			t.Errorf("after a retry: %+v", it)
		}
	})
	settle(t, s, "a1", journal.Dead, time.Time{})
	wantDue(t, s, start, "a2") // a dead head frees its lane
	mustView(t, s, func(v journal.View) {
		l := v.Letters(0, 10)
		if len(l) != 1 || l[0].Seq != seq || l[0].Reason != "essai" || len(v.Letters(seq+1, 10)) != 0 {
			t.Errorf("letters %+v", l)
		}
		if _, ok := v.Item(seq); ok {
			t.Error("a dead item is still pending")
		}
	})
	again := noted(journal.Changes{Settle: []journal.Settlement{{Seq: seq, Outcome: journal.Done}}})
	if err := s.Update(func(tx journal.Tx) error { _, err := tx.Append(again); return err }); !errors.Is(err, journal.ErrGone) {
		t.Errorf("settled twice: %v", err)
	}
	settle(t, s, "a1", journal.Requeue, time.Time{})
	wantDue(t, s, start, "a2")
	settle(t, s, "a2", journal.Done, time.Time{})
	wantDue(t, s, start, "a1")
	mustView(t, s, func(v journal.View) {
		it, ok := v.Item(seqOf(t, s, "a1"))
		if !ok || it.Seq == seq || it.Attempts != 0 || it.Reason != "" || len(v.Letters(0, 10)) != 0 {
			t.Errorf("after a requeue: %+v", it)
		}
	})
}

func testTimers(t *testing.T, s journal.Store) {
	set := func(ts ...journal.Timer) { MustAppend(t, s, noted(journal.Changes{Timers: ts})) }
	set(journal.Timer{Key: "b", Due: start.Add(2 * time.Minute)}, journal.Timer{Key: "a", Due: start.Add(time.Minute), Payload: []byte("p")})
	set(journal.Timer{Key: "c", Due: start.Add(3 * time.Minute)})
	due := func(now time.Time) (keys []string) {
		mustView(t, s, func(v journal.View) {
			for _, tm := range v.DueTimers(now, 2) {
				keys = append(keys, tm.Key)
			}
		})
		return keys
	}
	if got := due(start.Add(time.Hour)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("due %v", got)
	}
	set(journal.Timer{Key: "a", Due: start.Add(4 * time.Minute)}, journal.Timer{Key: "b"}, journal.Timer{Key: "none"})
	if got := due(start.Add(time.Hour)); !slices.Equal(got, []string{"c", "a"}) {
		t.Errorf("due %v", got)
	}
	if got := due(start); got != nil {
		t.Errorf("due early: %v", got)
	}
	mustView(t, s, func(v journal.View) {
		if next, ok := v.NextTimer(); !ok || !next.Equal(start.Add(3*time.Minute)) {
			t.Errorf("next %v %v", next, ok)
		}
		if _, ok := v.Timer("b"); ok {
			t.Error("a cancelled timer")
		}
		if tm, ok := v.Timer("a"); !ok || !tm.Due.Equal(start.Add(4*time.Minute)) || len(tm.Payload) != 0 {
			t.Errorf("timer %+v", tm)
		}
	})
}
