package broker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

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
		return b.turnAwayEvidence(ctx, peer, err)
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

// turnAwayEvidence journals the refusal of an evidence. What is neither a
// refusal nor temporary is bytes that are no evidence.
func (b *Broker) turnAwayEvidence(ctx context.Context, peer BrokerID, err error) error {
	var r *Refusal
	if errors.As(err, &r) || errors.Is(err, ErrTemporary) {
		return b.turnAway(ctx, peer, err)
	}
	return b.turnAway(ctx, peer, refuse(RefusedFormat, "evidence", err))
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
	said := e.SignedAt()
	if near(at, said, Skew) != nil {
		return refuse(ReasonBackDated, "at", nil)
	}
	se.Cert, _ = b.keys.Cert(fpr)
	switch s := b.keys.Standing(fpr, said, false); s {
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
	at := e.SignedAt()
	switch {
	case peer != e.Home && !carrier.Relay:
		return refuse(RefusedPeer, "peer", nil)
	case to != h.From && !(row.ToParty && to == e.Recipient):
		return refuse(RefusedDestination, "to", nil)
	case at.After(b.now().Add(Skew)):
		return refuse(RefusedFuture, "at", nil)
	case at.Before(deposit.SignedAt().Add(-Skew)) && e.ReasonCode != ReasonBackDated:
		// A recipient whose clock says that the deposit is to come must be
		// heard: its refusal is dated by that clock.
		return refuse(ReasonBackDated, "at", nil)
	case e.Event == Overdue && at.Before(b.patientUntil(e.Recipient, h, deposit)):
		return refuse(ReasonBackDated, "at", nil)
	}
	return nil
}

// patientUntil is when a recipient will have been silent for too long, by the
// directory in force here.
func (b *Broker) patientUntil(p PartyID, h Header, deposit Evidence) time.Time {
	party, _ := b.dir.Load().Party(p)
	return b.overdueAt(party, h.Urgency, deposit.SignedAt())
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

// signerFits looks at where the parties live now, then at where they lived when
// the pli was deposited or judged here: a party may move while its evidence
// travels.
func (b *Broker) signerFits(want Signer, e Evidence, h Header) bool {
	now := func(p PartyID) BrokerID { home, _ := b.home(p); return home }
	if b.signedFrom(now, want, e, h) {
		return true
	}
	then := b.homesThen(h.ID)
	return then != nil && b.signedFrom(func(p PartyID) BrokerID { return then[p] }, want, e, h)
}

// homesThen is where each party lived by the directory under which a pli was
// journaled here.
func (b *Broker) homesThen(id string) map[PartyID]BrokerID {
	var d struct {
		Parties []struct {
			ID   PartyID  `json:"id"`
			Home BrokerID `json:"home"`
		} `json:"parties"`
	}
	err := b.journal.View(func(v journal.View) error {
		rec, _ := get[pliRecord](v, spacePli, id)
		text, err := v.Object(rec.Directory)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &d)
	})
	if err != nil {
		return nil
	}
	homes := map[PartyID]BrokerID{}
	for _, p := range d.Parties {
		homes[p.ID] = p.Home
	}
	return homes
}

// signedFrom says whether an evidence is signed by whom the table names, the
// parties living where home says ("" is nowhere).
func (b *Broker) signedFrom(home func(PartyID) BrokerID, want Signer, e Evidence, h Header) bool {
	partyHome := home(e.Recipient)
	hasParty := partyHome != ""
	byBroker := e.By == string(e.Home)
	bySender := byBroker && e.Home == home(h.From)
	byParty := hasParty && e.By == string(e.Recipient) && e.Home == partyHome
	byPartyHome := hasParty && byBroker && e.Home == partyHome
	switch want {
	case SenderBroker:
		return bySender
	case RelayOrSenderBroker:
		relay, _ := b.dir.Load().Broker(e.Home)
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
	kept := Digest(se.Sig)
	if se.Sealed != nil {
		in.blobs = []journal.Blob{se.blob()}
		kept += " " + se.blob().Name
	}
	in.puts = []journal.Put{
		{Space: spaceDoubt, Key: e.ID + "/" + se.digest(), Value: []byte(kept)},
		{Space: spaceAlarm, Key: alarmKey(e.ID, e.Recipient, Quarantined), Value: []byte(e.At)},
	}
	return in
}

// spaceDoubt lists evidences that are kept and count for nothing: <id>/<digest>,
// with the digest of the signature and, after a space, the blob of the seal.
const spaceDoubt = "doubt"
