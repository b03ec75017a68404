package broker

import (
	"context"
	"errors"
	"slices"

	"vaguemestre/broker/journal"
)

// receiveEvidence judges one evidence that arrived for a party that lives
// here: the sender of the pli, or (overdue) its recipient. Judged once; a copy
// of what is held is nil, and a bad copy never replaces a good one.
func (b *Broker) receiveEvidence(ctx context.Context, peer BrokerID, to PartyID, p *EvidenceParcel) error {
	if p.Sealed != nil && b.holdsBytes(p.Digest) {
		return nil
	}
	se, err := b.openArrived(ctx, to, p)
	if err == nil && b.holdsEvidence(se) {
		return nil
	}
	foreign := false
	if err == nil {
		err = b.verifyArrived(se)
	}
	if err == nil {
		foreign, err = b.checkEvidence(se, peer, to)
	}
	if err != nil {
		var r *Refusal
		if errors.As(err, &r) || errors.Is(err, ErrTemporary) {
			return b.turnAway(ctx, peer, err)
		}
		return b.turnAway(ctx, peer, refuse(RefusedFormat, "evidence", err))
	}
	var in Input = &evidenceInput{evidence: se, foreign: foreign}
	if b.doubtful(se) {
		in = b.quarantineEvidence(se)
	}
	err = b.commit(ctx, in)
	switch {
	case errors.Is(err, errKnown), errors.Is(err, errNotNeeded):
		return nil
	case errors.Is(err, errDifferent):
		return b.turnAway(ctx, peer, refuse(RefusedDoubled, "event", err))
	case errors.Is(err, ErrNotFound):
		return b.turnAway(ctx, peer, refuse(RefusedUnknownPli, "id", err))
	case err != nil:
		return temporary("journal", err)
	}
	return nil
}

// holdsEvidence says whether that very evidence was judged here before.
func (b *Broker) holdsEvidence(se *signedEvidence) (held bool) {
	_ = b.journal.View(func(v journal.View) error {
		digest, ok := v.Get(spaceUnique, uniqueKey(se.Evidence))
		_, doubted := v.Get(spaceDoubt, se.Evidence.ID+"/"+se.digest())
		held = ok && string(digest) == se.digest() || doubted
		return nil
	})
	return held
}

// holdsBytes says whether an evidence of that digest is held: a sealed copy is
// not opened again. It looks through the objects, where absence is dear: clear
// evidences, far more numerous, are known by holdsEvidence.
func (b *Broker) holdsBytes(digest string) (held bool) {
	_ = b.journal.View(func(v journal.View) error {
		_, err := v.Object(digest)
		held = err == nil
		return nil
	})
	return held
}

// openArrived reads a clear or a sealed evidence.
func (b *Broker) openArrived(ctx context.Context, to PartyID, p *EvidenceParcel) (*signedEvidence, error) {
	se := &signedEvidence{Bytes: p.Evidence, Sig: p.Sig}
	switch {
	case len(p.Sealed) > maxSealed:
		return nil, refuse(ReasonTooLarge, "evidence", nil)
	case p.Sealed != nil:
		o, err := b.openSealed(ctx, p.Sealed, string(to))
		if word := reasonOf(err); err != nil && (word == "undecipherable" || word == "" && !isVerdict(err)) {
			return nil, temporary("opening an evidence", err) // a bad copy is asked for again
		}
		if err != nil {
			return nil, err
		}
		se.Bytes, se.Sig, se.Sealed, se.Signer = o.Bytes, o.Sig, p.Sealed, o.Signer
	case se.digest() != p.Digest:
		return nil, temporary("evidence", errBytes)
	}
	e, err := ParseEvidence(se.Bytes)
	if err != nil {
		return nil, err
	}
	se.Evidence = e
	if row, _ := LookupEvent(e.Event); row.Sealed != (p.Sealed != nil) || se.digest() != p.Digest {
		return nil, refuse(RefusedFormat, "evidence", nil)
	}
	return se, nil
}

// verifyArrived checks that an evidence is signed by whom it says, when it
// says, with a key that served then; a seal by the same key. Whether that one
// may say it is checkEvidence.
func (b *Broker) verifyArrived(se *signedEvidence) error {
	e := se.Evidence
	fpr, at, err := b.keys.Verify(e.By, se.Bytes, se.Sig)
	if err != nil {
		return refuse(RefusedSignature, "by", err)
	}
	if se.Sealed != nil && se.Signer != fpr {
		return refuse(RefusedSigner, "by", nil)
	}
	se.Signer = fpr
	if near(at, e.SignedAt(), Skew) != nil {
		return refuse(ReasonBackDated, "at", nil)
	}
	se.Cert, _ = b.keys.Cert(fpr)
	switch s := b.keys.Standing(fpr, e.SignedAt(), false); s {
	case standingUsable, standingCompromised: // the latter is doubtful, and kept
		return nil
	default:
		return refuse(standingReason(s), "by", nil)
	}
}

// isVerdict says whether an error judges what arrived, and not the means of
// reading it.
func isVerdict(err error) bool {
	var r *Refusal
	return errors.As(err, &r) || errors.Is(err, ErrFormat)
}

// checkEvidence holds an evidence against the pli and the table: this signer,
// this event, this pair, at this time. It is foreign when it refuses another
// pli under the id of this one: somebody else writes with the sender's key.
func (b *Broker) checkEvidence(se *signedEvidence, peer BrokerID, to PartyID) (foreign bool, err error) {
	e := se.Evidence
	row, _ := LookupEvent(e.Event)
	digest, h, deposit, err := b.stamped(e.ID)
	switch foreign = digest != e.HeaderSHA256; {
	case errors.Is(err, ErrNotFound) && row.ToParty && to == e.Recipient:
		return false, temporary("the pli has not come yet", err)
	case errors.Is(err, ErrNotFound):
		return false, refuse(RefusedUnknownPli, "id", err)
	case err != nil:
		return false, temporary("journal", err)
	case foreign && e.ReasonCode != ReasonReplay:
		return false, refuse(RefusedUnknownPli, "header_sha256", nil)
	}
	if err := b.maySign(e, h); err != nil {
		return false, err
	}
	return foreign, b.timely(e, h, deposit, peer, to)
}

// stamped finds a pli with its deposit stamp, and the digest of its header.
func (b *Broker) stamped(id string) (digest string, h Header, deposit Evidence, err error) {
	if r, ok := b.recentPlis.get(id); ok {
		return r.digest, r.header, r.deposit, nil
	}
	h, rec, err := b.record(id)
	if err != nil {
		return "", h, deposit, err
	}
	if rec.Deposit == "" {
		return "", h, deposit, ErrNotFound
	}
	err = b.journal.View(func(v journal.View) error {
		text, err := v.Object(rec.Deposit)
		if err != nil {
			return err
		}
		deposit, err = ParseEvidence(text)
		return err
	})
	return rec.Header, h, deposit, err
}

// timely checks who brings an evidence, where to, and its time.
func (b *Broker) timely(e Evidence, h Header, deposit Evidence, peer BrokerID, to PartyID) error {
	row, _ := LookupEvent(e.Event)
	carrier, _ := b.dir.Load().Broker(peer)
	switch {
	case peer != e.Home && !carrier.Relay:
		return refuse(RefusedPeer, "peer", nil)
	case to != h.From && !(row.ToParty && to == e.Recipient):
		return refuse(RefusedDestination, "to", nil)
	case e.SignedAt().After(b.now().Add(Skew)):
		return refuse(RefusedFuture, "at", nil)
	case e.SignedAt().Before(deposit.SignedAt().Add(-Skew)) && e.ReasonCode != ReasonBackDated:
		// A recipient whose clock says that the deposit is to come must be
		// heard: its refusal is dated by that clock.
		return refuse(ReasonBackDated, "at", nil)
	case e.Event == Overdue && !e.SignedAt().After(deposit.SignedAt()):
		return refuse(ReasonBackDated, "at", nil)
	}
	return nil
}

// maySign says whether the signer of an evidence is the one that the table
// names, for this pli.
func (b *Broker) maySign(e Evidence, h Header) error {
	row, ok := LookupEvent(e.Event)
	astray := e.Event == ConsignFailed && e.ReasonCode == ReasonNotAddressee // says so itself
	if !ok || e.Recipient != "" && !h.Addresses(e.Recipient) && !astray {
		return refuse(RefusedEvent, "recipient", nil)
	}
	if e.Event == Overdue && !slices.Contains(h.To, e.Recipient) {
		return refuse(RefusedEvent, "recipient", nil)
	}
	if !b.signerFits(row.Signer, e, h) {
		return refuse(RefusedSigner, "by", nil)
	}
	return nil
}

func (b *Broker) signerFits(want Signer, e Evidence, h Header) bool {
	senderHome, _ := b.home(h.From)
	partyHome, hasParty := b.home(e.Recipient)
	byBroker := e.By == string(e.Home)
	bySender := byBroker && e.Home == senderHome
	byParty := hasParty && e.By == string(e.Recipient) && e.Home == partyHome
	byPartyHome := hasParty && byBroker && e.Home == partyHome
	relay, _ := b.dir.Load().Broker(e.Home)
	switch want {
	case SenderBroker:
		return bySender
	case RelayOrSenderBroker:
		return bySender || byBroker && relay.Relay
	case Recipient:
		return byParty
	case RecipientOrItsBroker:
		return byParty || byPartyHome
	case RecipientBroker:
		return byPartyHome
	case BrokerOfSenderOrParty:
		return bySender || byPartyHome
	}
	return false
}

// doubtful: signed by a key that was since revoked as compromised, or without
// a reason.
func (b *Broker) doubtful(se *signedEvidence) bool {
	_, compromised, revoked := b.keys.RevokedAt(se.Signer)
	return revoked && compromised
}

// quarantineEvidence keeps a doubtful evidence, with an alarm, and lets it
// change no state.
func (b *Broker) quarantineEvidence(se *signedEvidence) Input {
	e := se.Evidence
	in := &noteInput{id: e.ID, digest: se.digest(), objects: [][]byte{se.Bytes, se.Sig}}
	if se.Sealed != nil {
		in.blobs = []journal.Blob{se.blob()}
	}
	in.puts = []journal.Put{
		{Space: spaceDoubt, Key: e.ID + "/" + se.digest(), Value: []byte(Digest(se.Sig))},
		{Space: spaceAlarm, Key: alarmKey(e.ID, e.Recipient, Quarantined), Value: []byte(e.At)},
	}
	return in
}

// spaceDoubt lists evidences that are kept and count for nothing: <id>/<digest>.
const spaceDoubt = "doubt"
