package queue

import (
	"context"
	"testing"
	"time"

	"vaguemestre/broker/journal"
)

// driven is a topic whose dispatcher is the test: look is one round of it, and
// says how long it would sleep.
func driven(t *testing.T, clock *time.Time, s Slots) (j *journal.Journal, tp *topic, look func() time.Duration) {
	t.Helper()
	j = newDisk(t).open(t)
	q := New(j, Options{Slots: func(string) Slots { return s }, Now: func() time.Time { return *clock }})
	t.Cleanup(func() { _ = q.Close(); _ = j.Close(context.Background()) })
	tp = newTopic("plis", j, q.options)
	q.topics["plis"] = tp
	if err := tp.start(); err != nil {
		t.Fatal(err)
	}
	return j, tp, func() time.Duration {
		t.Helper()
		d, err := tp.dispatch()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}
