package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"vaguemestre/broker/clock"
	"vaguemestre/broker/journal"
)

// Deliver takes one item of the queue to its destination and settles it: done,
// tried again at a time, or given up with an alarm, each in one commit. It
// returns an error only when nothing was settled: the item stays as it is.
func (b *Broker) Deliver(ctx context.Context, it journal.Item) error {
	p, id, err := b.parcel(it)
	gone := ""
	switch {
	case errors.Is(err, ErrNotFound):
		gone = reasonErased
	case errors.Is(err, journal.ErrDamaged): // no later attempt would find it whole
		gone = ReasonAltered
	case err != nil:
		return err
	default:
		err = b.carry(ctx, PartyID(it.Dest), p)
	}
	return b.settlePassage(ctx, it, id, func() error {
		if gone != "" {
			return b.giveUp(ctx, it, id, ReasonGivenUp, gone)
		}
		return b.settleDelivery(ctx, it, id, err)
	})
}

// settleDelivery settles an item by what became of its parcel.
func (b *Broker) settleDelivery(ctx context.Context, it journal.Item, id string, err error) error {
	var r *Refusal
	switch {
	case err == nil:
		return b.carried(ctx, it, id)
	case errors.As(err, &r):
		return b.giveUp(ctx, it, id, ReasonRefused, closedCode(r.Code))
	case ctx.Err() != nil:
		return ctx.Err()
	case b.now().Sub(it.Entered) > clock.GiveUp:
		return b.giveUp(ctx, it, id, ReasonGivenUp, ReasonGivenUp)
	}
	b.log.Warn("delivery failed, to be tried again", "topic", it.Topic, "to", it.Dest, "id", id, "attempt", it.Attempts+1)
	at := b.now().Add(clock.Backoff(it.Attempts+1, it.Urgent, b.jitter()))
	return b.settle(ctx, &settleInput{seq: it.Seq, id: id, outcome: journal.Retry, at: at, reason: "temporary"})
}

// reasonErased is the reason of a dead letter whose content was purged before
// it could be carried.
const reasonErased = "contenu_efface"

// closedCode keeps a code that came from another broker to the form of ours: it
// goes to the journal and to screens.
func closedCode(code string) string {
	if code == "" || len(code) > 40 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return RefusedOther
	}
	return code
}

// carry hands a parcel to the carrier, or to this broker's own other half.
func (b *Broker) carry(ctx context.Context, to PartyID, p Parcel) error {
	if b.atHome(to) {
		return b.Receive(ctx, b.id, to, p)
	}
	return b.carrier.Carry(ctx, to, p)
}

// carried ends the item of a parcel that was taken.
func (b *Broker) carried(ctx context.Context, it journal.Item, id string) error {
	more, err := b.endsMore(it, id)
	if err != nil {
		return temporary("journal", err)
	}
	if more {
		return b.settle(ctx, &settleInput{seq: it.Seq, id: id, outcome: journal.Done, carried: it})
	}
	err = b.journal.Done(ctx, it.Seq, id)
	if errors.Is(err, journal.ErrGone) {
		return nil // settled before a crash, or by another attempt
	}
	return err
}

// endsMore says whether something else ends with an item that was carried: an
// alarm that may fall, a passage.
func (b *Broker) endsMore(it journal.Item, id string) (more bool, err error) {
	if it.Topic == TopicPli {
		_, more = b.passing(it, id)
		return more, nil
	}
	if _, _, more = passingSealed(it); more {
		return true, nil
	}
	err = b.journal.View(func(v journal.View) error {
		_, more = v.Get(spaceAlarm, alarmKey(id, PartyID(it.Dest), RelayFailed))
		return nil
	})
	return more, err
}

func (b *Broker) settle(ctx context.Context, in Input) error {
	err := b.commit(ctx, in)
	if errors.Is(err, journal.ErrGone) {
		return nil // settled before a crash, or by another attempt
	}
	return err
}

// settleInput is the outcome of a delivery that no evidence tells.
type settleInput struct {
	seq     uint64
	id      string
	outcome journal.Outcome
	at      time.Time // of the next attempt
	reason  string
	carried journal.Item // the item, when it arrived
}

func (in *settleInput) step(s reader, now time.Time) (journal.Batch, error) {
	kind := map[journal.Outcome]string{
		journal.Done: journal.TypeDelivered, journal.Retry: journal.TypeRetried,
		journal.Dead: journal.TypeDead, journal.Requeue: journal.TypeRequeued,
	}[in.outcome]
	ev := journal.Event{Type: kind, At: now, ID: in.id}
	ev.Settle = []journal.Settlement{{Seq: in.seq, Outcome: in.outcome, At: in.at, Reason: in.reason}}
	if key := alarmKey(in.id, PartyID(in.carried.Dest), RelayFailed); in.carried.Topic == TopicEvidence && lowered(s, key, in.id) {
		ev.Puts = []journal.Put{{Space: spaceAlarm, Key: key}}
	}
	if _, blob, ok := passingSealed(in.carried); ok {
		ev.Erase = []string{blob}
	}
	if in.carried.Topic == TopicPli {
		endPassage(s, &ev, in.id, PartyID(in.carried.Dest))
	}
	return journal.Batch{Events: []journal.Event{ev}}, nil
}

// lowered says whether the alarm of evidences that nobody took may go: it is
// up, and no such letter of that pli is left.
func lowered(s reader, key, id string) bool {
	if _, up := s.Get(spaceAlarm, key); !up {
		return false
	}
	pair := strings.TrimSuffix(key, "/"+string(RelayFailed))
	if st, _ := get[State](s, spaceState, pair); st.Has(FlagRelayFailed) {
		return false // the pli itself was given up
	}
	for from := uint64(0); ; {
		list := s.Letters(from, 64)
		for _, it := range list {
			if of, ok := evidenceOf(s, it); ok && of == id && key == alarmKey(id, PartyID(it.Dest), RelayFailed) {
				return false
			}
			from = it.Seq + 1
		}
		if len(list) < 64 {
			return true
		}
	}
}

// evidenceOf says of which pli the evidence of an item is: "" when it is sealed
// and only passes. False when the item is of no evidence that is held.
func evidenceOf(s interface {
	Object(sha256 string) ([]byte, error)
}, it journal.Item) (id string, ok bool) {
	if it.Topic != TopicEvidence {
		return "", false
	}
	if _, _, passes := passingSealed(it); passes {
		return "", true
	}
	text, err := s.Object(string(it.Payload))
	if err != nil {
		return "", false
	}
	e, err := ParseEvidence(text)
	return e.ID, err == nil
}

// giveUp makes a dead letter. For a pli the fact is signed in the same commit,
// so that the sender sees it; an evidence that nobody takes is an alarm here.
func (b *Broker) giveUp(ctx context.Context, it journal.Item, id, reason, code string) error {
	b.log.Error("delivery given up", "topic", it.Topic, "to", it.Dest, "id", id, "reason", code)
	dead := journal.Settlement{Seq: it.Seq, Outcome: journal.Dead, Reason: code}
	if it.Topic == TopicPli {
		if done, err := b.relayFailed(ctx, it, id, reason, dead); done || err != nil {
			return err
		}
	}
	in := &noteInput{id: id, settle: []journal.Settlement{dead}, ended: it}
	in.puts = []journal.Put{{Space: spaceAlarm, Key: alarmKey(id, PartyID(it.Dest), RelayFailed), Value: []byte(FormatTime(b.now()))}}
	return b.settle(ctx, in)
}

// relayFailed signs that a pli could not be carried. done is false when that
// was said before (a dead letter that a person took up again).
func (b *Broker) relayFailed(ctx context.Context, it journal.Item, id, reason string, dead journal.Settlement) (done bool, err error) {
	to := PartyID(it.Dest)
	h, rec, err := b.record(id)
	if err != nil {
		return false, fmt.Errorf("dead letter: %w", err)
	}
	e := Evidence{Event: RelayFailed, ID: id, Recipient: to, ReasonCode: reason, HeaderSHA256: rec.Header, Prev: b.heads(id, to)}
	se, err := b.sign(ctx, e, string(b.id), b.now())
	if err != nil {
		// This broker's own key does not serve: the alarm must not wait for it.
		b.log.Error("a fact cannot be signed", "event", string(e.Event), "id", id, "error", err.Error())
		return false, nil
	}
	err = b.commit(ctx, &evidenceInput{evidence: se, settle: &dead, travel: b.toSender(h.From)})
	switch {
	case errors.Is(err, errKnown), errors.Is(err, errDifferent):
		return false, nil
	case errors.Is(err, journal.ErrGone):
		return true, nil
	}
	return err == nil, err
}

// Requeue takes a dead letter up again: a person decided.
func (b *Broker) Requeue(ctx context.Context, seq uint64) error {
	return b.commit(ctx, &settleInput{seq: seq, outcome: journal.Requeue})
}

// parcel gathers what an item names, as it is stored.
func (b *Broker) parcel(it journal.Item) (p Parcel, id string, err error) {
	if p, id, ok := b.recalled(it.Topic, string(it.Payload)); ok {
		return p, id, nil
	}
	err = b.journal.View(func(v journal.View) error {
		switch it.Topic {
		case TopicPli:
			id = string(it.Payload)
			if rec, _ := get[pliRecord](v, spacePli, id); !v.HasBlob(journal.BodyName(rec.Body)) {
				return errNoBody
			}
			p.Pli, err = b.pliParcel(v, id)
		case TopicEvidence:
			if digest, blob, ok := passingSealed(it); ok {
				p.Evidence, err = sealedParcel(v, digest, blob)
				break
			}
			p.Evidence, id, err = evidenceParcel(v, string(it.Payload))
		default:
			err = fmt.Errorf("broker: topic of an item: %w", ErrFormat)
		}
		return err
	})
	return p, id, err
}

func (b *Broker) pliParcel(v journal.View, id string) (*PliParcel, error) {
	rec, ok := get[pliRecord](v, spacePli, id)
	if !ok {
		return nil, fmt.Errorf("parcel: %w", ErrNotFound)
	}
	out := &PliParcel{}
	for _, part := range []struct {
		into   *[]byte
		digest string
	}{{&out.Header, rec.Header}, {&out.HeaderSig, rec.HeaderSig}, {&out.Deposit, rec.Deposit}, {&out.DepositSig, rec.DepositSig}} {
		var err error
		if *part.into, err = v.Object(part.digest); err != nil {
			return nil, fmt.Errorf("parcel: %w", err)
		}
	}
	small, err := v.Blob(journal.BodyName(rec.Body))
	if err != nil && !errors.Is(err, journal.ErrNotFound) {
		return nil, fmt.Errorf("parcel: body: %w", err)
	}
	if err == nil {
		out.Body = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(small)), nil }
		return out, nil
	}
	out.Body = func(context.Context) (io.ReadCloser, error) {
		body, err := b.journal.Bodies().Open(rec.Body)
		if errors.Is(err, journal.ErrNotFound) {
			return nil, errNoBody
		}
		if err != nil {
			return nil, fmt.Errorf("parcel: body: %w", err)
		}
		return struct {
			io.Reader
			io.Closer
		}{io.NewSectionReader(body, 0, body.Size()), body}, nil
	}
	return out, nil
}

func evidenceParcel(v journal.View, digest string) (*EvidenceParcel, string, error) {
	text, err := v.Object(digest)
	if err != nil {
		return nil, "", fmt.Errorf("parcel: %w", err)
	}
	e, err := ParseEvidence(text)
	if err != nil {
		return nil, "", fmt.Errorf("parcel: %w", err)
	}
	var rec evidenceRecord
	eachEvidence(v, e.ID, func(_ uint64, r evidenceRecord) bool {
		if r.Digest == digest {
			rec = r
		}
		return rec.Digest == ""
	})
	out := &EvidenceParcel{Digest: digest}
	if rec.Sealed != "" {
		out.Sealed, err = v.Blob(rec.Sealed)
		if errors.Is(err, journal.ErrNotFound) {
			return nil, e.ID, errNoBody
		}
		if err != nil {
			return nil, e.ID, fmt.Errorf("parcel: %w", err)
		}
		return out, e.ID, nil
	}
	out.Evidence = text
	if out.Sig, err = v.Object(rec.Sig); err != nil {
		return nil, e.ID, fmt.Errorf("parcel: %w", err)
	}
	return out, e.ID, nil
}

// sealedParcel is a sealed evidence that is carried on, as it came.
func sealedParcel(v journal.View, digest, blob string) (*EvidenceParcel, error) {
	sealed, err := v.Blob(blob)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, errNoBody
	}
	if err != nil {
		return nil, fmt.Errorf("parcel: %w", err)
	}
	return &EvidenceParcel{Digest: digest, Sealed: sealed}, nil
}

// jitter is in [0,1): what failed together should not come back together.
func (b *Broker) jitter() float64 {
	var buf [4]byte
	if _, err := io.ReadFull(b.rand, buf[:]); err != nil {
		return 0.5
	}
	return float64(binary.BigEndian.Uint32(buf[:])) / (1 << 32)
}
