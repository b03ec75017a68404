package broker

import (
	"context"
	"time"

	"vaguemestre/broker/journal"
)

// sayAgain lets what was signed here of a pair travel once more: its sender
// carries again a pli that was judged, so an answer was lost, or its journal
// was restored from an older backup. nil also when nothing is left to say.
func (b *Broker) sayAgain(ctx context.Context, a *arrival) error {
	to := b.toSender(a.pli.Header.From)
	if len(to.dest) == 0 {
		return nil
	}
	in := &againInput{header: a.pli.Header, digest: a.pli.digest(), recipient: a.recipient, home: b.id, dest: to.dest[0]}
	if err := b.commit(ctx, in); err != nil {
		return temporary("journal", err)
	}
	return nil
}

// againInput enqueues the evidences of a pair that were made here, but those
// that wait to be carried (one too many does no harm) and those whose sealed
// file was erased.
type againInput struct {
	header    Header
	digest    string // of the header
	recipient PartyID
	home      BrokerID
	dest      PartyID
}

func (in *againInput) step(s reader, now time.Time) (journal.Batch, error) {
	queued := map[string]bool{}
	for _, it := range waiting(s, in.dest, 4096) {
		queued[string(it.Payload)] = true
	}
	ev := journal.Event{Type: journal.TypeNoted, At: now, ID: in.header.ID}
	var failed error
	eachEvidence(s, in.header.ID, func(_ uint64, rec evidenceRecord) bool {
		text, err := s.Object(rec.Digest)
		if err != nil {
			failed = err
			return false
		}
		e, err := ParseEvidence(text)
		if err != nil {
			failed = err
			return false
		}
		if e.Home != in.home || e.Recipient != in.recipient || e.HeaderSHA256 != in.digest || queued[rec.Digest] || rec.Sealed != "" && !s.HasBlob(rec.Sealed) {
			return true
		}
		ev.Enqueue = append(ev.Enqueue, journal.Item{
			Topic: TopicEvidence, Dest: string(in.dest), Urgent: in.header.Urgency == U0, Payload: []byte(rec.Digest),
		})
		return true
	})
	if failed != nil || len(ev.Enqueue) == 0 {
		return journal.Batch{}, failed
	}
	return journal.Batch{Events: []journal.Event{ev}}, nil
}

// urgentPli says whether a pli is a U0: what answers it hurries as it does.
func urgentPli(s reader, id string) bool {
	rec, _ := get[pliRecord](s, spacePli, id)
	text, err := s.Object(rec.Header)
	if err != nil {
		return false
	}
	h, err := ParseHeader(text)
	return err == nil && h.Urgency == U0
}
