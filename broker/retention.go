package broker

import (
	"context"
	"errors"
	"time"

	"vaguemestre/broker/journal"
)

// timerRetention is the timer of the daily look for content whose time is over.
const timerRetention = "retention"

// retentionEvery is how often it is looked.
const retentionEvery = 24 * time.Hour

// armRetention sets the timer when a retention is configured and none is set.
func (b *Broker) armRetention(ctx context.Context) error {
	if b.retention <= 0 {
		return nil // one that is set still will find nothing to do, and end
	}
	return b.commit(ctx, &retentionInput{due: b.now(), arm: true})
}

// retain purges the content of every pli that was deposited longer ago than the
// retention and waits for nobody: each of its addressees has acted or closed
// it, and no alarm of it is up. What Purge refuses is tried again the next day.
// Evidences and journal stay, so what was proven stays proven.
func (b *Broker) retain(ctx context.Context, t journal.Timer) error {
	if b.retention <= 0 {
		return b.commit(ctx, &timerInput{key: t.Key})
	}
	limit, after := b.now().Add(-b.retention), ""
	for {
		var ids []string
		err := b.journal.View(func(v journal.View) error {
			ids, after = expired(v, limit, after)
			return nil
		})
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := b.Purge(ctx, id); err != nil && !errors.Is(err, ErrAlready) {
				if errors.Is(err, ErrTemporary) {
					return err
				}
				b.log.Info("content whose time is over stays for now", "id", id, "error", err.Error())
			}
		}
		if after == "" {
			return b.commit(ctx, &retentionInput{due: b.now().Add(retentionEvery)})
		}
	}
}

// retentionPage is how many plis are looked at in one transaction.
const retentionPage = 512

// expired lists plis of one page, after an id, whose content may go; next is
// "" at the end.
func expired(v reader, limit time.Time, after string) (ids []string, next string) {
	count := 0
	v.Scan(spacePli, "", after, func(id string, value []byte) bool {
		if id == after {
			return true
		}
		if count++; count > retentionPage {
			return false
		}
		next = id
		var rec pliRecord
		if rec.decode(value) == nil && v.HasBlob(journal.BodyName(rec.Body)) && depositedBefore(v, rec, limit) && !awaitsAnybody(v, rec, id) {
			ids = append(ids, id)
		}
		return true
	})
	if count <= retentionPage {
		next = ""
	}
	return ids, next
}

func depositedBefore(v reader, rec pliRecord, limit time.Time) bool {
	text, err := v.Object(rec.Deposit)
	if err != nil {
		return false
	}
	deposit, err := ParseEvidence(text)
	return err == nil && deposit.SignedAt().Before(limit)
}

// awaitsAnybody says whether somebody is still to act on a pli.
func awaitsAnybody(v reader, rec pliRecord, id string) bool {
	text, err := v.Object(rec.Header)
	if err != nil {
		return true
	}
	h, err := ParseHeader(text)
	if err != nil {
		return true
	}
	waits := false
	v.Scan(spaceAlarm, id+"/", "", func(string, []byte) bool {
		waits = true
		return false
	})
	for _, p := range h.To {
		st, known := get[State](v, spaceState, stateKey(id, p))
		waits = waits || known && !st.Acted && st.Closure == ""
	}
	return waits
}

// retentionInput sets the timer: anew, or only where there is none.
type retentionInput struct {
	due time.Time
	arm bool
}

func (in *retentionInput) step(s reader, now time.Time) (journal.Batch, error) {
	if _, set := s.Timer(timerRetention); set && in.arm {
		return journal.Batch{}, nil
	}
	ev := journal.Event{Type: journal.TypeNoted, At: now}
	ev.Timers = []journal.Timer{{Key: timerRetention, Due: in.due}}
	return journal.Batch{Events: []journal.Event{ev}}, nil
}
