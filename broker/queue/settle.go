package queue

import (
	"context"
	"fmt"
	"time"

	"vaguemestre/broker/journal"
)

// settle finds out what became of an acked item, and settles it when nobody
// did. due is when a delayed item is due.
func (t *topic) settle(it journal.Item) (v verdict, due time.Time, err error) {
	err = t.journal.View(func(view journal.View) error {
		v, due = standing(view, it)
		return nil
	})
	if err != nil || v != unsettled {
		return v, due, err
	}
	_, err = t.journal.Commit(context.Background(), func(view journal.View) (journal.Batch, error) {
		// Somebody may have settled it since.
		if v, due = standing(view, it); v != unsettled {
			return journal.Batch{}, nil
		}
		v = delivered
		return journal.Batch{Events: []journal.Event{{
			Type:    journal.TypeDelivered,
			At:      t.now(),
			Changes: journal.Changes{Settle: []journal.Settlement{{Seq: it.Seq, Outcome: journal.Done}}},
		}}}, nil
	})
	if err != nil {
		return unsettled, time.Time{}, fmt.Errorf("settle item %d: %w", it.Seq, err)
	}
	return v, due, nil
}

// standing compares an item with what it was when it was delivered. A requeued
// item has another number, so attempts alone tell.
func standing(view journal.View, it journal.Item) (verdict, time.Time) {
	now, ok := view.Item(it.Seq)
	if !ok {
		if letters := view.Letters(it.Seq, 1); len(letters) > 0 && letters[0].Seq == it.Seq {
			return givenUp, time.Time{}
		}
		return delivered, time.Time{}
	}
	if now.Attempts != it.Attempts {
		return delayed, now.Due
	}
	return unsettled, time.Time{}
}
