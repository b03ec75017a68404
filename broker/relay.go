package broker

import (
	"context"
	"errors"
	"slices"
	"time"

	"vaguemestre/broker/journal"
	"vaguemestre/schemas"
)

// A relay carries on what is for parties that live elsewhere: a line of the
// directory makes it one, and nothing else in this package asks. It holds no
// key of a party, so it opens nothing.
//
// Of a pli it checks what stands outside: the header's signature, the deposit
// stamp, that its sender's home brings it, that the one may write something to
// the other. Then one commit holds the pli, its body, the signed relayed and
// the item that carries it on; from there the sender's home may forget it. The
// item is an ordinary one: retried for 7 days, then a dead letter with a signed
// relay_failed. With the settlement the body is erased, unless another
// recipient of it still waits: the home answers after its own commit of
// consigned, consign_failed or quarantined, so nobody needs this copy.
//
// A pli that passes again, once its item was settled, is carried again: its
// sender's home, or the recipient's, was restored from an older backup and
// wants to hear again what was said.

// spaceTransit lists the plis that wait to be carried on, by body:
// <body_sha256>/<id>/<recipient>. The last one that goes erases the body.
const spaceTransit = "transit"

func transitKey(body, id string, p PartyID) string { return body + "/" + stateKey(id, p) }

// carriesOn says whether the directory has this broker relay to a party.
func (b *Broker) carriesOn(to PartyID) bool {
	dir := b.dir.Load()
	self, _ := dir.Broker(b.id)
	_, listed := dir.Home(to)
	return self.Relay && listed
}

// passPli takes a pli that this broker carries on.
func (b *Broker) passPli(ctx context.Context, peer BrokerID, to PartyID, parcel *PliParcel) error {
	a, err := b.identify(peer, to, parcel)
	if err == nil {
		err = b.mayPass(peer, a)
	}
	if err != nil {
		return b.turnAway(ctx, peer, err)
	}
	// One passage of a body at a time: it is taken once for all recipients, and
	// no settlement erases what another passage is about to keep.
	free, err := b.busy.take(ctx, a.pli.Header.BodySHA256)
	if err != nil {
		return temporary("body", err)
	}
	defer free()
	if b.inTransit(a.pli.Header, to) {
		return nil
	}
	if b.journal.LowSpace() {
		return temporary("free space is below the watermark", journal.ErrNoSpace)
	}
	if err := b.takeBody(ctx, a); err != nil {
		return err
	}
	err = b.passOn(ctx, a)
	if err != nil && !a.held {
		b.dropBody(a.pli.Body) // taken by this very passage (see busy)
	}
	switch {
	case errors.Is(err, errKnown):
		return nil
	case errors.Is(err, errReplay):
		return b.turnAway(ctx, peer, refuse(ReasonReplay, "id", err))
	}
	return err
}

// mayPass judges what stands outside of a pli: who brings it, who may write to
// whom, its size, its deposit stamp, its id.
func (b *Broker) mayPass(peer BrokerID, a *arrival) error {
	h := a.pli.Header
	home, _ := b.home(h.From)
	switch {
	case peer != home:
		return refuse(RefusedPeer, "peer", nil) // no way has two relays
	case !h.Addresses(a.recipient):
		return refuse(RefusedDestination, "to", nil)
	case !b.mayWrite(h, a.recipient):
		return refuse(ReasonForbidden, "to", nil)
	case h.BodySize > sealedBound(b.maxBody):
		return refuse(ReasonTooLarge, "body_size", nil)
	}
	if code := b.judgeDeposit(a); code != "" {
		return refuse(code, "deposit", nil)
	}
	if _, replay := b.knownReception(a); replay {
		return refuse(ReasonReplay, "id", nil)
	}
	return nil
}

// mayWrite says whether a role may send anything at all to a role: of what
// kind the pli is, nobody outside can know.
func (b *Broker) mayWrite(h Header, to PartyID) bool {
	return slices.ContainsFunc(schemas.Kinds(), func(k schemas.Row) bool {
		return b.allowed(k.Kind, h.From, to, !contains(h.To, to)) == nil
	})
}

// inTransit says whether that pli waits here to be carried on to a party.
func (b *Broker) inTransit(h Header, to PartyID) (waits bool) {
	_ = b.journal.View(func(v journal.View) error {
		_, waits = v.Get(spaceTransit, transitKey(h.BodySHA256, h.ID, to))
		return nil
	})
	return waits
}

// passOn signs that the pli goes on, and commits it.
func (b *Broker) passOn(ctx context.Context, a *arrival) error {
	h := a.pli.Header
	e := Evidence{Event: Relayed, ID: h.ID, Recipient: a.recipient, HeaderSHA256: a.pli.digest(), Prev: b.heads(h.ID, a.recipient)}
	if len(e.Prev) == 0 {
		e.Prev = []string{a.pli.depositDigest()}
	}
	se, err := b.sign(ctx, e, string(b.id), b.now())
	if err != nil {
		return temporary("signing the passage", err)
	}
	in := &passInput{pli: a.pli, recipient: a.recipient, relayed: se, lane: b.lane(string(h.From), h.Urgency)}
	switch err = b.commit(ctx, in); {
	case errors.Is(err, errKnown), errors.Is(err, errReplay):
		return err
	case err != nil:
		return temporary("journal", err)
	}
	return nil
}

// passInput is a pli that goes on to one recipient.
type passInput struct {
	pli       *sealedPli
	recipient PartyID
	relayed   *signedEvidence
	lane      string // of sender and recipient, opaque
}

func (in *passInput) step(s reader, now time.Time) (journal.Batch, error) {
	h := in.pli.Header
	rec, known := get[pliRecord](s, spacePli, h.ID)
	if known && rec.Header != in.pli.digest() {
		return journal.Batch{}, errReplay
	}
	key := transitKey(h.BodySHA256, h.ID, in.recipient)
	if _, waits := s.Get(spaceTransit, key); waits {
		return journal.Batch{}, errKnown
	}
	body := journal.BodyName(h.BodySHA256)
	if in.pli.Body.Name == "" && !s.HasBlob(body) {
		return journal.Batch{}, errBodyGone
	}
	var events []journal.Event
	if !known {
		events = newPli(s, in.pli, false, now)
	}
	ev := in.say(s, s.Position()+uint64(len(events)), now)
	if known && in.pli.Body.Name != "" {
		ev.Blobs = append(ev.Blobs, in.pli.Body)
	}
	ev.Puts = append(ev.Puts, journal.Put{Space: spaceTransit, Key: key, Value: []byte{}})
	ev.Enqueue = append(ev.Enqueue, journal.Item{
		Topic: TopicPli, Dest: string(in.recipient), Lane: in.lane, Urgent: h.Urgency == U0, Payload: []byte(h.ID),
	})
	return journal.Batch{Events: append(events, ev)}, nil
}

// say makes the event that tells the sender's home: the evidence, or the one
// that said so before, once more.
func (in *passInput) say(s reader, pos uint64, now time.Time) journal.Event {
	h := in.pli.Header
	to := travel{dest: []PartyID{h.From}}
	if before, said := s.Get(spaceUnique, uniqueKey(in.relayed.Evidence)); said {
		ev := journal.Event{Type: journal.TypeNoted, At: now, ID: h.ID}
		ev.Enqueue = []journal.Item{{Topic: TopicEvidence, Dest: string(h.From), Urgent: h.Urgency == U0, Payload: before}}
		return ev
	}
	ev := in.relayed.event(s, pos, now)
	st, known := get[State](s, spaceState, stateKey(h.ID, in.recipient))
	if !known {
		st = st.Apply(in.pli.Deposit, in.pli.depositDigest())
	}
	settleState(s, &ev, st, in.relayed, in.recipient)
	to.enqueue(&ev, h.Urgency == U0)
	return ev
}

// endPassage takes a pli that was carried on, or given up, off the list, and
// erases the body with the last one that waited for it. Where none passed it
// changes nothing.
func endPassage(s reader, ev *journal.Event, id string, p PartyID) {
	rec, ok := get[pliRecord](s, spacePli, id)
	if !ok {
		return
	}
	key, others := transitKey(rec.Body, id, p), false
	if _, waits := s.Get(spaceTransit, key); !waits {
		return
	}
	ev.Puts = append(ev.Puts, journal.Put{Space: spaceTransit, Key: key})
	s.Scan(spaceTransit, rec.Body+"/", "", func(k string, _ []byte) bool {
		others = k != key
		return !others
	})
	if body := journal.BodyName(rec.Body); !others && s.HasBlob(body) {
		ev.Erase = append(ev.Erase, body)
	}
}

// settlePassage settles an item, and removes the file of a body that is no
// longer held then. The sweep at start-up takes what a crash leaves between.
func (b *Broker) settlePassage(ctx context.Context, it journal.Item, id string, settle func() error) error {
	body, waits := b.passing(it, id)
	if !waits {
		return settle()
	}
	free, err := b.busy.take(ctx, body)
	if err != nil {
		return err
	}
	defer free()
	if err := settle(); err != nil {
		return err
	}
	if held, err := b.holdsBody(pliRecord{Body: body}); err == nil && !held {
		_ = b.journal.Bodies().Remove(body)
	}
	return nil
}

// passing is the body of a pli that waits here to be carried on by an item.
func (b *Broker) passing(it journal.Item, id string) (body string, waits bool) {
	if it.Topic != TopicPli {
		return "", false
	}
	_ = b.journal.View(func(v journal.View) error {
		rec, _ := get[pliRecord](v, spacePli, id)
		body = rec.Body
		_, waits = v.Get(spaceTransit, transitKey(body, id, PartyID(it.Dest)))
		return nil
	})
	return body, waits
}
