package broker

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"vaguemestre/broker/journal"
)

// # A peer that was restored
//
// A journal that was restored from a backup lacks what came after it. Its
// peers hold that: heads of its log in the evidences that it signed (Heads), by
// which it learns what it lacks before it serves (Missing), and the plis and
// evidences that they sent it, which they carry again (Resend). Reception is
// idempotent, so that what it still has changes nothing.

// Heads lists, for each log of a broker, the largest head that an evidence held
// here states: what that broker cannot take back.
func (b *Broker) Heads(of BrokerID) ([]journal.Head, error) {
	var out []journal.Head
	at := map[string]int{}
	err := b.journal.View(func(v journal.View) (err error) {
		v.Scan(spaceEvidence, "", "", func(_ string, value []byte) bool {
			var rec evidenceRecord
			if err = decodeStrict(value, &rec); err != nil {
				return false
			}
			var text []byte
			if text, err = v.Object(rec.Digest); err != nil {
				return false
			}
			var e Evidence
			if e, err = ParseEvidence(text); err != nil {
				return false
			}
			if e.Log.Broker != of {
				return true
			}
			h, ok := e.Log.head()
			if i, seen := at[h.Origin]; !seen && ok {
				at[h.Origin] = len(out)
				out = append(out, h)
			} else if ok && out[i].Size < h.Size {
				out[i] = h
			}
			return true
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("heads of a broker: %w", err)
	}
	return out, nil
}

// head is the head that a LogHead states.
func (l LogHead) head() (journal.Head, bool) {
	h := journal.Head{Broker: string(l.Broker), Origin: l.Origin, Size: l.Size}
	n, err := hex.Decode(h.Root[:], []byte(l.Root))
	return h, err == nil && n == len(h.Root)
}

// causeMissing is the alarm of a journal that lacks events which others saw.
const causeMissing = "journal_incomplet"

// MissingRange is a part of a log that others saw and this journal lacks.
type MissingRange struct {
	Origin   string
	From, To uint64 // leaves From to To-1
}

// Missing raises the alarm of a range that this journal lacks. It stays until
// Settled.
func (b *Broker) Missing(ctx context.Context, m MissingRange) error {
	b.log.Error("the journal lacks events that others have seen", slog.String("origin", m.Origin), slog.Uint64("from", m.From), slog.Uint64("to", m.To))
	key := alarmKey(fmt.Sprintf("%s:%d-%d", strings.ReplaceAll(m.Origin, "/", ":"), m.From, m.To), PartyID(b.id), causeMissing)
	if err := b.commit(ctx, &noteInput{puts: []journal.Put{{Space: spaceAlarm, Key: key, Value: []byte(FormatTime(b.now()))}}}); err != nil {
		return temporary("journal", err)
	}
	return nil
}

// Settled takes the alarms of Missing down: a person has seen to it that what
// was missing came again, or is known to be lost. ErrNotFound when there is
// none.
func (b *Broker) Settled(ctx context.Context) error {
	in := &settledInput{}
	err := b.commit(ctx, in)
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = temporary("journal", err)
	}
	return err
}

type settledInput struct{}

func (*settledInput) step(s reader, now time.Time) (journal.Batch, error) {
	ev := journal.Event{Type: journal.TypeNoted, At: now}
	s.Scan(spaceAlarm, "", "", func(key string, _ []byte) bool {
		if strings.HasSuffix(key, "/"+causeMissing) {
			ev.Puts = append(ev.Puts, journal.Put{Space: spaceAlarm, Key: key})
		}
		return len(ev.Puts) < maxErase
	})
	if len(ev.Puts) == 0 {
		return journal.Batch{}, ErrNotFound
	}
	return journal.Batch{Events: []journal.Event{ev}}, nil
}

const (
	resendPage  = 20  // plis that are looked at in one transaction
	resendEvent = 200 // items that one event enqueues; the journal takes 256
)

// Resent counts what Resend put in the queue.
type Resent struct {
	Plis      int `json:"plis"`
	Evidences int `json:"evidences"`
}

// Resend carries again what the parties at another broker were sent from here
// since a time: plis whose content is still held, in the order of their lanes,
// and evidences that were made here. That broker lost them; what it did not
// lose changes nothing there. ErrNotFound when no party of the directory lives
// there.
func (b *Broker) Resend(ctx context.Context, to BrokerID, since time.Time) (n Resent, err error) {
	there := map[PartyID]bool{}
	for _, p := range b.Directory().Parties() {
		if p.Home == to && to != b.id {
			there[p.ID] = true
		}
	}
	if len(there) == 0 {
		return n, fmt.Errorf("resend: no party lives at that broker: %w", ErrNotFound)
	}
	for after := ""; ; {
		in := &resendInput{}
		err := b.journal.View(func(v journal.View) (err error) {
			after, err = b.lost(v, in, there, since, after)
			return err
		})
		if err != nil {
			return n, fmt.Errorf("resend: %w", err)
		}
		if len(in.items) > 0 {
			if err := b.commit(ctx, in); err != nil {
				return n, temporary("journal", err)
			}
			n.Plis, n.Evidences = n.Plis+in.plis, n.Evidences+in.evidences
		}
		if after == "" {
			return n, nil
		}
	}
}

// resendInput enqueues again.
type resendInput struct {
	items           []journal.Item
	plis, evidences int
}

func (in *resendInput) step(_ reader, now time.Time) (journal.Batch, error) {
	var events []journal.Event
	for items := range slices.Chunk(in.items, resendEvent) {
		ev := journal.Event{Type: journal.TypeNoted, At: now}
		ev.Enqueue = items
		events = append(events, ev)
	}
	return journal.Batch{Events: events}, nil
}

// lost gathers one page of plis after an id, and says where it ended; "" at the
// end.
func (b *Broker) lost(v journal.View, in *resendInput, there map[PartyID]bool, since time.Time, after string) (next string, err error) {
	count := 0
	v.Scan(spacePli, "", after, func(id string, value []byte) bool {
		if id == after {
			return true
		}
		if count++; count > resendPage {
			return false
		}
		next = id
		var rec pliRecord
		if err = rec.decode(value); err == nil {
			err = b.lostOf(v, in, rec, id, there, since)
		}
		return err == nil
	})
	if count <= resendPage {
		next = ""
	}
	return next, err
}

// lostOf gathers what of one pli went to the other broker since.
func (b *Broker) lostOf(v journal.View, in *resendInput, rec pliRecord, id string, there map[PartyID]bool, since time.Time) error {
	text, err := v.Object(rec.Header)
	if err != nil {
		return err
	}
	h, err := ParseHeader(text)
	if err != nil {
		return err
	}
	if rec.Sent && v.HasBlob(journal.BodyName(rec.Body)) {
		e, err := recordAt(v, rec.DepositPos)
		if err != nil {
			return err
		}
		for _, it := range e.Enqueue {
			if it.Topic == TopicPli && there[PartyID(it.Dest)] && !e.At.Before(since) {
				in.items, in.plis = append(in.items, it), in.plis+1
			}
		}
	}
	eachEvidence(v, id, func(_ uint64, r evidenceRecord) bool {
		var text []byte
		if text, err = v.Object(r.Digest); err != nil {
			return false
		}
		var e Evidence
		if e, err = ParseEvidence(text); err != nil {
			return false
		}
		to := h.From
		if b.atHome(h.From) {
			to = e.Recipient // an overdue, which its recipient is told
		}
		if e.Home == b.id && there[to] && (to == h.From || e.Event == Overdue) && !e.SignedAt().Before(since) && (r.Sealed == "" || v.HasBlob(r.Sealed)) {
			in.items = append(in.items, journal.Item{Topic: TopicEvidence, Dest: string(to), Urgent: h.Urgency == U0, Payload: []byte(r.Digest)})
			in.evidences++
		}
		return true
	})
	return err
}

// recordAt reads the event of a position, whichever log it is in.
func recordAt(v journal.View, pos uint64) (journal.Event, error) {
	for _, h := range v.Logs() {
		if pos < h.Size {
			l, err := v.Log(h.Origin)
			if err != nil {
				return journal.Event{}, err
			}
			return l.Record(pos)
		}
		pos -= h.Size
	}
	return journal.Event{}, journal.ErrNotFound
}
