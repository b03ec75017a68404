package broker

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A state is what its evidences say, in whatever order they arrive: evidences
// have one lane without order, and both homes must end with the same.
func TestStateDoesNotDependOnTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := EventTable()
		n := rapid.IntRange(1, 9).Draw(t, "evidences")
		list := make([]Evidence, n)
		digests := make([]string, n)
		for i := range list {
			e := someEvidence(rapid.SampledFrom(table).Draw(t, "event").Event)
			at := time.Date(2026, 11, 20, 22, 41, rapid.IntRange(0, 3).Draw(t, "second"), 0, time.UTC)
			e.At, e.Prev = FormatTime(at), nil
			for j := range i {
				if rapid.Bool().Draw(t, "knew") {
					e.Prev = append(e.Prev, digests[j])
				}
			}
			list[i], digests[i] = e, Digest(fmt.Appendf(nil, "%d", i))
		}
		apply := func(order []int) (s State) {
			for _, i := range order {
				s = s.Apply(list[i], digests[i])
			}
			return s
		}
		first := make([]int, n)
		for i := range first {
			first[i] = i
		}
		other := rapid.Permutation(first).Draw(t, "order")
		if a, b := apply(first), apply(other); !reflect.DeepEqual(a, b) {
			t.Fatalf("order %v:\n%+v\n%+v", other, a, b)
		}
		if once, twice := apply(first), apply(append(first, other...)); !reflect.DeepEqual(once, twice) {
			t.Fatalf("applied twice:\n%+v\n%+v", once, twice)
		}
	})
}

// Progress never goes back, and flags never hide it.
func TestStateOnlyGoesUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s State
		for i := range rapid.IntRange(1, 20).Draw(t, "evidences") {
			e := someEvidence(rapid.SampledFrom(EventTable()).Draw(t, "event").Event)
			before, _ := LookupEvent(s.Progress)
			delivered, acted := s.Delivered(), s.Acted
			s = s.Apply(e, Digest(fmt.Appendf(nil, "%d", i)))
			after, _ := LookupEvent(s.Progress)
			switch {
			case after.Rank < before.Rank:
				t.Fatalf("from %s back to %s", before.Event, after.Event)
			case delivered && !s.Delivered(), acted && !s.Acted:
				t.Fatalf("after %s: %+v", e.Event, s)
			case s.Delivered() && s.Has(FlagConsignFailed|FlagRelayFailed):
				t.Fatalf("delivered, and %v", s.FlagWords())
			case (s.Judged || s.Acted) && s.Has(FlagQuarantined):
				t.Fatal("consigned or acted on, and quarantined")
			case s.Acted && s.Has(FlagOverdue):
				t.Fatal("an act came, and overdue")
			}
		}
	})
}

// The table of DESIGN section 5: which events are acts, which close, which
// progress, in which order.
func TestTableOfEvents(t *testing.T) {
	var acts, closing, progress []Event
	ranks := map[int]Event{}
	for _, row := range EventTable() {
		if row.Act {
			acts = append(acts, row.Event)
		}
		if row.Closes {
			closing = append(closing, row.Event)
		}
		if row.Rank > 0 {
			if other, taken := ranks[row.Rank]; taken {
				t.Errorf("%s and %s have one rank", row.Event, other)
			}
			ranks[row.Rank] = row.Event
		}
		if row.Sealed != row.Detail || row.Sealed && row.Signer != Recipient {
			t.Errorf("%s: sealed %v, detail %v, by %d", row.Event, row.Sealed, row.Detail, row.Signer)
		}
		if row.Label == "" || row.ETSI == "" {
			t.Errorf("%s has no name", row.Event)
		}
	}
	for i := 1; i <= len(ranks); i++ {
		progress = append(progress, ranks[i])
	}
	for _, c := range []struct {
		name      string
		got, want []Event
	}{
		{"acts", acts, []Event{Registered, TakenInCharge, Executed, NotExecuted, Returned}},
		{"closure", closing, []Event{Rejected, Returned, Redirected}},
		{"progress", progress, []Event{Accepted, Relayed, Consigned, Fetched, Opened, Registered, TakenInCharge, NotExecuted, Executed}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}
