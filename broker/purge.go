package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vaguemestre/broker/journal"
)

// maxErase bounds what one event erases; what is left goes with the next.
const maxErase = 200

// Purge erases the content of a pli here, its body and the sealed details that
// this broker holds, and signs that it did. What was proven stays proven. Once
// more, it erases what came since. It returns a *Refusal that says when to
// come back while somebody still needs the content: an act of a party of this
// home that has not reached the sender's, a recipient of this home for which
// the pli has not come yet. Other errors: ErrNotFound, ErrAlready when nothing
// is left to erase, ErrTemporary.
func (b *Broker) Purge(ctx context.Context, id string) error {
	h, rec, err := b.record(id)
	if err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	free, err := b.busy.take(ctx, rec.Body)
	if err != nil {
		return temporary("purge", err)
	}
	defer free()
	held, err := b.holdsBody(rec)
	if err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	p := &purge{header: h}
	for _, r := range h.Recipients() {
		if b.atHome(r) {
			p.here = append(p.here, r)
		}
	}
	if err := b.erase(ctx, p, rec.Header); err != nil {
		return err
	}
	if still, err := b.holdsBody(rec); !held || still || err != nil {
		return err
	}
	// The file goes after the commit that says so; the sweep at start-up takes
	// what a crash leaves between the two.
	return b.journal.Bodies().Remove(rec.Body)
}

func (b *Broker) holdsBody(rec pliRecord) (held bool, err error) {
	err = b.journal.View(func(v journal.View) error {
		held = v.HasBlob(journal.BodyName(rec.Body))
		return nil
	})
	return held, err
}

// erase signs what was not said yet and erases with it, then erases what is
// left.
func (b *Broker) erase(ctx context.Context, p *purge, header string) error {
	said, err := b.signPurged(ctx, p, header)
	for err == nil {
		if err = b.commit(ctx, &purgeInput{p}); err == nil {
			said = true
		}
	}
	var r *Refusal
	switch {
	case errors.Is(err, errKnown) && said:
		return nil
	case errors.Is(err, errKnown):
		return ErrAlready
	case errors.As(err, &r), errors.Is(err, ErrTemporary):
		return err
	}
	return temporary("journal", err)
}

// signPurged says that the content is gone: for all at the sender's home, for
// each recipient that lives here otherwise. The first one erases.
func (b *Broker) signPurged(ctx context.Context, p *purge, header string) (said bool, err error) {
	h, pairs, to := p.header, []PartyID{""}, travel{}
	if !b.atHome(h.From) {
		pairs, to.dest = p.here, []PartyID{h.From}
	}
	for _, r := range pairs {
		se, err := b.sign(ctx, Evidence{Event: Purged, ID: h.ID, Recipient: r, HeaderSHA256: header}, string(b.id), b.now())
		if err != nil {
			return said, temporary("signing", err)
		}
		err = b.commit(ctx, &evidenceInput{evidence: se, travel: to, purge: p})
		switch {
		case err == nil:
			said = true
		case !errors.Is(err, errKnown) && !errors.Is(err, errDifferent):
			return said, err
		}
	}
	return said, nil
}

// purge is what is to be erased of a pli: what is held is looked up in the
// transaction that erases it.
type purge struct {
	header Header
	here   []PartyID // recipients that live here
}

// content lists the blobs of the pli that are held, at most maxErase, or
// refuses while somebody still needs one of them.
func (p *purge) content(s reader, now time.Time) ([]string, error) {
	id := p.header.ID
	rec, ok := get[pliRecord](s, spacePli, id)
	if !ok {
		return nil, ErrNotFound
	}
	if r := p.awaited(s, rec, now); r != nil {
		return nil, r
	}
	var names []string
	if keeps(s, p.header, rec) {
		names = append(names, journal.BodyName(rec.Body))
	}
	sealed := map[string]string{} // by the digest of the evidence
	eachEvidence(s, id, func(_ uint64, e evidenceRecord) bool {
		if e.Sealed != "" {
			sealed[e.Digest] = e.Sealed
			names = append(names, e.Sealed)
		}
		return true
	})
	for _, it := range waiting(s, p.header.From, 1<<20) {
		if name := sealed[string(it.Payload)]; name != "" && s.HasBlob(name) {
			return nil, &Refusal{Code: RefusedEvent, Field: "id", Hint: "an act of a recipient has not reached the sender yet: purge again once it has"}
		}
	}
	s.Scan(spaceDoubt, id+"/", "", func(_ string, value []byte) bool {
		if _, name, ok := strings.Cut(string(value), " "); ok {
			names = append(names, name)
		}
		return true
	})
	s.Scan(spaceRelease, id+"/", "", func(_ string, value []byte) bool {
		if said := strings.Fields(string(value)); len(said) == 3 {
			names = append(names, said[2])
		}
		return true
	})
	names = slices.DeleteFunc(names, func(name string) bool { return !s.HasBlob(name) })
	return names[:min(len(names), maxErase)], nil
}

// awaited refuses while the pli has not come for a recipient of this home: its
// body would come back, after the purge was said for it. After MaxAge a
// reception refuses the deposit, before it takes the body.
func (p *purge) awaited(s reader, rec pliRecord, now time.Time) error {
	text, err := s.Object(rec.Deposit)
	if err != nil {
		return nil // no valid stamp: refused, whoever it is for
	}
	deposit, err := ParseEvidence(text)
	if err != nil || deposit.SignedAt().Before(now.Add(-MaxAge)) {
		return nil
	}
	for _, r := range p.here {
		st, _ := get[State](s, spaceState, stateKey(p.header.ID, r))
		if !st.Readable() && !st.Has(FlagConsignFailed) {
			return &Refusal{Code: RefusedEvent, Field: "id", Hint: "another recipient of this home is still to receive this pli: purge once it has"}
		}
	}
	return nil
}

// waiting lists evidences that are still to be carried to a party, whenever
// they are due, at most so many.
func waiting(s reader, dest PartyID, most int) []journal.Item {
	return s.Heads(TopicEvidence, string(dest), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), most)
}

// keeps says whether the body is kept here for this pli: a refused one may
// name the body of another.
func keeps(v reader, h Header, rec pliRecord) bool {
	if rec.Sent {
		return true
	}
	return slices.ContainsFunc(h.Recipients(), func(p PartyID) bool {
		st, _ := get[State](v, spaceState, stateKey(h.ID, p))
		return st.Readable()
	})
}

// purgeInput erases what came after a purge was said.
type purgeInput struct{ *purge }

func (in *purgeInput) step(s reader, now time.Time) (journal.Batch, error) {
	erase, err := in.content(s, now)
	if err != nil {
		return journal.Batch{}, err
	}
	if len(erase) == 0 {
		return journal.Batch{}, errKnown
	}
	ev := journal.Event{Type: journal.TypeNoted, At: now, ID: in.header.ID}
	ev.Erase = erase
	return journal.Batch{Events: []journal.Event{ev}}, nil
}
