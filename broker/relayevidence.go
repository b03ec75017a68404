package broker

import (
	"context"
	"errors"
	"strings"
	"time"

	"vaguemestre/broker/journal"
)

// A clear evidence that passes is judged as far as a relay can: its signature,
// who signs what of which pli, its time. Of a pli that never passed here (it
// went directly, or this journal was restored from a backup) only signer and
// bringer are known; the sender's home judges the rest. It is kept as a proof
// of what passed.
//
// A sealed one shows its destination and the digest it claims, and nothing can
// be judged but who brings it. It is kept until it is carried on, under the
// digest of its own bytes: a bad copy never stands before a good one.

// passEvidence takes an evidence that this broker carries on.
func (b *Broker) passEvidence(ctx context.Context, peer BrokerID, to PartyID, p *EvidenceParcel) error {
	in, err := b.judgePassing(ctx, peer, to, p)
	if err != nil {
		return b.turnAwayEvidence(ctx, peer, err)
	}
	err = b.commit(ctx, in)
	switch {
	case errors.Is(err, errKnown):
		return nil
	case errors.Is(err, errDifferent):
		return b.turnAway(ctx, peer, refuse(RefusedDoubled, "event", err))
	case err != nil:
		return temporary("journal", err)
	}
	return nil
}

func (b *Broker) judgePassing(ctx context.Context, peer BrokerID, to PartyID, p *EvidenceParcel) (Input, error) {
	// Its bringer is where it was made: no way has two relays.
	if maker, ok := b.dir.Load().Broker(peer); !ok || maker.Relay {
		return nil, refuse(RefusedPeer, "peer", nil)
	}
	if p.Sealed != nil {
		if len(p.Sealed) > maxSealed {
			return nil, refuse(ReasonTooLarge, "evidence", nil)
		}
		if !isDigest(p.Digest) {
			return nil, refuse(RefusedFormat, "digest", nil)
		}
		return &passSealedInput{digest: p.Digest, sealed: p.Sealed, to: to}, nil
	}
	se, err := b.openArrived(ctx, to, p)
	if err != nil {
		return nil, err
	}
	if se.Evidence.Home != peer {
		return nil, refuse(RefusedPeer, "peer", nil)
	}
	if err := b.verifyArrived(se); err != nil {
		return nil, err
	}
	foreign, err := b.checkEvidence(se, peer, to)
	if stranger := errors.Is(err, ErrNotFound); stranger {
		foreign, err = true, b.checkStranger(se.Evidence)
	}
	return &passEvidenceInput{evidence: se, to: to, counts: !foreign && !b.doubtful(se)}, err
}

// checkStranger holds an evidence of a pli that is not known here against the
// directory alone.
func (b *Broker) checkStranger(e Evidence) error {
	home, lives := b.home(PartyID(e.By))
	switch {
	case e.By != string(e.Home) && (!lives || home != e.Home):
		return refuse(RefusedSigner, "by", nil)
	case e.SignedAt().After(b.now().Add(Skew)):
		return refuse(RefusedFuture, "at", nil)
	}
	return nil
}

// passEvidenceInput is a clear evidence that goes on.
type passEvidenceInput struct {
	evidence *signedEvidence
	to       PartyID
	counts   bool // it tells what became of a pli that passed here
}

func (in *passEvidenceInput) step(s reader, now time.Time) (journal.Batch, error) {
	e := in.evidence.Evidence
	on := travel{dest: []PartyID{in.to}}
	urgent := urgentPli(s, e.ID)
	if held, ok := s.Get(spaceUnique, uniqueKey(e)); ok {
		if string(held) != in.evidence.digest() {
			return journal.Batch{}, errDifferent
		}
		// It is said again because somebody wants to hear it again.
		again := journal.Event{Type: journal.TypeNoted, At: now, ID: e.ID, Digest: in.evidence.digest()}
		on.enqueue(&again, urgent)
		return journal.Batch{Events: []journal.Event{again}}, nil
	}
	ev := in.evidence.event(s, s.Position(), now)
	if st, known := get[State](s, spaceState, stateKey(e.ID, e.Recipient)); in.counts && known {
		// The alarms that it raises are for the two ends; those that were raised
		// here, of a way that failed, may fall.
		st = st.Apply(e, in.evidence.digest())
		ev.Puts = append(ev.Puts, put(spaceState, stateKey(e.ID, e.Recipient), st))
		lowerAlarms(s, &ev, stateKey(e.ID, e.Recipient)+"/", eventRows[e.Event])
	}
	on.enqueue(&ev, urgent)
	return journal.Batch{Events: []journal.Event{ev}}, nil
}

// passSealedInput is a sealed evidence that goes on.
type passSealedInput struct {
	digest string // of the evidence inside, as its bringer says
	sealed []byte
	to     PartyID
}

func (in *passSealedInput) step(s reader, now time.Time) (journal.Batch, error) {
	sum := Digest(in.sealed)
	it := journal.Item{Topic: TopicEvidence, Dest: string(in.to), Payload: []byte(in.digest + " " + sum)}
	_, name, _ := passingSealed(it)
	if s.HasBlob(name) {
		return journal.Batch{}, errKnown // it waits here, or is a dead letter
	}
	ev := journal.Event{Type: journal.TypeNoted, At: now, Digest: sum}
	ev.Blobs = []journal.Blob{{Name: name, SHA256: sum, Size: int64(len(in.sealed)), Bytes: in.sealed}}
	ev.Enqueue = []journal.Item{it}
	return journal.Batch{Events: []journal.Event{ev}}, nil
}

// passingSealed says which sealed evidence an item carries on: the digest that
// it claims, and its blob.
func passingSealed(it journal.Item) (digest, blob string, ok bool) {
	digest, sum, ok := strings.Cut(string(it.Payload), " ")
	return digest, blobPassing + it.Dest + "/" + sum, ok && it.Topic == TopicEvidence
}

// blobPassing names sealed evidences that are carried on: passing/<destination>/<digest>.
const blobPassing = "passing/"
