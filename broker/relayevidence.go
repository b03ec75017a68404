package broker

import (
	"bytes"
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
	case errors.Is(err, errKnown), errors.Is(err, journal.ErrGone): // it waits here, or was taken up again by another call
		return nil
	case errors.Is(err, errDifferent):
		return b.turnAway(ctx, peer, refuse(RefusedDoubled, "event", err))
	case err != nil:
		return temporary("journal", err)
	}
	return nil
}

func (b *Broker) judgePassing(ctx context.Context, peer BrokerID, to PartyID, p *EvidenceParcel) (_ Input, err error) {
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
		in := &passSealedInput{digest: p.Digest, sealed: p.Sealed, to: to}
		if in.letter, err = b.givenUp(in.item()); err != nil {
			return nil, temporary("journal", err)
		}
		return in, nil
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
	letter uint64 // the dead letter that it became before; 0 when it did not
}

func (in *passSealedInput) item() journal.Item {
	return journal.Item{Topic: TopicEvidence, Dest: string(in.to), Payload: []byte(in.digest + " " + Digest(in.sealed))}
}

func (in *passSealedInput) step(s reader, now time.Time) (journal.Batch, error) {
	it, sum := in.item(), Digest(in.sealed)
	_, name, _ := passingSealed(it)
	if s.HasBlob(name) {
		if in.letter == 0 {
			return journal.Batch{}, errKnown // it waits here
		}
		// It is said again because it never arrived.
		again := journal.Event{Type: journal.TypeRequeued, At: now, Digest: sum}
		again.Settle = []journal.Settlement{{Seq: in.letter, Outcome: journal.Requeue}}
		return journal.Batch{Events: []journal.Event{again}}, nil
	}
	ev := journal.Event{Type: journal.TypeNoted, At: now, Digest: sum}
	ev.Blobs = []journal.Blob{{Name: name, SHA256: sum, Size: int64(len(in.sealed)), Bytes: in.sealed}}
	ev.Enqueue = []journal.Item{it}
	return journal.Batch{Events: []journal.Event{ev}}, nil
}

// givenUp finds the dead letter of an evidence that was to be carried on; 0 when
// there is none. Only where the evidence is still held there may be one.
func (b *Broker) givenUp(it journal.Item) (seq uint64, err error) {
	_, name, _ := passingSealed(it)
	held, from, list := true, uint64(0), []journal.Item(nil)
	for held && seq == 0 {
		err := b.journal.View(func(v journal.View) error {
			held, list = v.HasBlob(name), v.Letters(from, letterPage)
			return nil
		})
		if err != nil {
			return 0, err
		}
		for _, l := range list {
			if from = l.Seq + 1; l.Dest == it.Dest && l.Topic == it.Topic && bytes.Equal(l.Payload, it.Payload) {
				seq = l.Seq
			}
		}
		held = held && len(list) == letterPage
	}
	return seq, nil
}

// letterPage is how many dead letters are read in one transaction.
const letterPage = 512

// passingSealed says which sealed evidence an item carries on: the digest that
// it claims, and its blob.
func passingSealed(it journal.Item) (digest, blob string, ok bool) {
	digest, sum, ok := strings.Cut(string(it.Payload), " ")
	return digest, blobPassing + it.Dest + "/" + sum, ok && it.Topic == TopicEvidence
}

// blobPassing names sealed evidences that are carried on: passing/<destination>/<digest>.
const blobPassing = "passing/"
