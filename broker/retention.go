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
// it, and no alarm of it is up. What was said of it is kept as long, from its
// own date on: an act that came late is to be read. What Purge refuses is tried
// again the next day. Evidences and journal stay, so what was proven stays
// proven.
//
// Other timers are alarms of silences, so they never wait for this one: it does
// a slice at a time, and what it cannot do it tries again later.
func (b *Broker) retain(ctx context.Context, t journal.Timer) error {
	if b.retention <= 0 {
		return b.commit(ctx, &timerInput{key: t.Key})
	}
	limit, after := b.now().Add(-b.retention), string(t.Payload)
	for tried := 0; tried < retentionSlice; {
		var ids []string
		err := b.journal.View(func(v journal.View) error {
			ids, after = expired(v, limit, after)
			return nil
		})
		if err != nil {
			return err
		}
		for _, id := range ids {
			tried++
			err := b.purgeSoon(ctx, id)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err == nil, errors.Is(err, ErrAlready):
			case errors.Is(err, ErrTemporary):
				b.log.Error("content whose time is over cannot be erased now", "id", id, "error", err.Error())
				return b.commit(ctx, &retentionInput{due: b.now().Add(retentionAgain), after: id})
			default:
				b.log.Info("content whose time is over stays for now", "id", id, "error", err.Error())
			}
		}
		if after == "" {
			return b.commit(ctx, &retentionInput{due: b.now().Add(retentionEvery)})
		}
	}
	return b.commit(ctx, &retentionInput{due: b.now(), after: after})
}

// purgeSoon is Purge that waits for no body that is being received.
func (b *Broker) purgeSoon(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, retentionWait)
	defer cancel()
	return b.Purge(ctx, id)
}

const (
	retentionSlice = 32          // plis that are purged before other timers are looked at, and the rest of a page
	retentionAgain = time.Hour   // after a failure
	retentionWait  = time.Second // for one pli
)

// retentionPage is how many plis are looked at in one transaction.
const retentionPage = 128

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
		if rec.decode(value) == nil && isOver(v, rec, id, limit) {
			ids = append(ids, id)
		}
		return true
	})
	if count <= retentionPage {
		next = ""
	}
	return ids, next
}

// isOver says whether something of a pli is held, all of it from before a time,
// and nobody awaited.
func isOver(v reader, rec pliRecord, id string, limit time.Time) bool {
	held, recent := v.HasBlob(journal.BodyName(rec.Body)), false
	eachEvidence(v, id, func(_ uint64, e evidenceRecord) bool {
		if e.Sealed == "" || !v.HasBlob(e.Sealed) {
			return true
		}
		text, err := v.Object(e.Digest)
		said, perr := ParseEvidence(text)
		held, recent = true, err != nil || perr != nil || !said.SignedAt().Before(limit)
		return !recent
	})
	return held && !recent && depositedBefore(v, rec, limit) && !awaitsAnybody(v, rec, id)
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
	due   time.Time
	after string // id of the last pli that was looked at
	arm   bool
}

func (in *retentionInput) step(s reader, now time.Time) (journal.Batch, error) {
	if _, set := s.Timer(timerRetention); set && in.arm {
		return journal.Batch{}, nil
	}
	ev := journal.Event{Type: journal.TypeNoted, At: now}
	ev.Timers = []journal.Timer{{Key: timerRetention, Due: in.due, Payload: []byte(in.after)}}
	return journal.Batch{Events: []journal.Event{ev}}, nil
}
