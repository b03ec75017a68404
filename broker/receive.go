package broker

import (
	"context"
	"errors"
	"time"

	"vaguemestre/broker/journal"
)

// Windows of time that are accepted between clocks.
const (
	Skew   = 5 * time.Minute     // between two clocks, and between signature and deposit
	MaxAge = 30 * 24 * time.Hour // of a deposit at reception
)

var _ Receiver = (*Broker)(nil)

// Receive takes a parcel for a party that lives here, or that a relay carries
// on, from the broker that the carrier authenticated. nil means: held, or
// judged with a signed evidence. A *Refusal is final and unsigned: nothing
// could be established of the parcel. Any other error asks to carry it again.
func (b *Broker) Receive(ctx context.Context, peer BrokerID, to PartyID, p Parcel) error {
	pli, evidence := b.receivePli, b.receiveEvidence
	if !b.atHome(to) {
		if !b.carriesOn(to) {
			return refuse(RefusedDestination, "to", nil)
		}
		pli, evidence = b.passPli, b.passEvidence
	}
	switch {
	case p.Pli != nil && p.Evidence == nil:
		return pli(ctx, peer, to, p.Pli)
	case p.Evidence != nil && p.Pli == nil:
		return evidence(ctx, peer, to, p.Evidence)
	}
	return refuse(RefusedFormat, "parcel", nil)
}

// arrival is a pli in the course of being judged.
type arrival struct {
	parcel    *PliParcel
	pli       *sealedPli
	recipient PartyID
	signer    string // fingerprint of the header's signature
	signedAt  time.Time
	stamper   string // fingerprint of the deposit's signature
	held      bool   // the body was here before
	exact     string // closed word of the crypto side, for the journal
}

// receivePli judges a pli for one recipient: check, open, compare, journal,
// and only then the signed evidence is released to travel.
func (b *Broker) receivePli(ctx context.Context, peer BrokerID, to PartyID, parcel *PliParcel) error {
	a, err := b.identify(peer, to, parcel)
	if err != nil {
		return b.turnAway(ctx, peer, err)
	}
	// From here the header is known to be its sender's: every refusal is signed.
	if known, replay := b.knownReception(a); known {
		return b.sayAgain(ctx, a)
	} else if replay {
		return b.judgeReplay(ctx, a)
	}
	// One reception of a body at a time: it is taken once for all recipients
	// here, and no refusal drops what another reception is about to keep.
	free, err := b.busy.take(ctx, a.pli.Header.BodySHA256)
	if err != nil {
		return temporary("body", err)
	}
	defer free()
	code, err := b.judge(ctx, a)
	if err != nil {
		return err
	}
	return b.conclude(ctx, a, code)
}

// identify reads the header, checks who brings it and that its sender signed
// it. Its refusals cannot be signed for a pli: nobody vouches for this one.
func (b *Broker) identify(peer BrokerID, to PartyID, parcel *PliParcel) (*arrival, error) {
	h, err := ParseHeader(parcel.Header)
	if err != nil {
		return nil, refuse(RefusedFormat, "header", err)
	}
	home, ok := b.home(h.From)
	if !ok {
		return nil, refuse(RefusedParty, "from", nil)
	}
	if carrier, ok := b.dir.Load().Broker(peer); !ok || peer != home && !carrier.Relay {
		return nil, refuse(RefusedPeer, "peer", nil)
	}
	fpr, at, err := b.keys.Verify(string(h.From), parcel.Header, parcel.HeaderSig)
	if err != nil {
		return nil, refuse(RefusedSignature, "header", err)
	}
	cert, _ := b.keys.Cert(fpr)
	pli := &sealedPli{Header: h, HeaderBytes: parcel.Header, HeaderSig: parcel.HeaderSig, FromCert: cert, Directory: b.dir.Load().sum}
	return &arrival{parcel: parcel, pli: pli, recipient: to, signer: fpr, signedAt: at}, nil
}

// turnAway journals an unsigned refusal, without content.
func (b *Broker) turnAway(ctx context.Context, peer BrokerID, cause error) error {
	var r *Refusal
	if !errors.As(cause, &r) {
		return cause
	}
	id, err := b.newID()
	if err != nil {
		return cause
	}
	if _, listed := b.dir.Load().Broker(peer); !listed {
		peer = "?"
	}
	in := &noteInput{puts: []journal.Put{{Space: spaceRefusal, Key: id, Value: []byte(string(peer) + " " + r.Code)}}}
	if err := b.commit(ctx, in); err != nil {
		return temporary("journal of refusals", err)
	}
	return cause
}

// knownReception says whether this very pli was judged before for this
// recipient, or whether another pli has its id.
func (b *Broker) knownReception(a *arrival) (known, replay bool) {
	h := a.pli.Header
	_ = b.journal.View(func(v journal.View) error {
		rec, ok := get[pliRecord](v, spacePli, h.ID)
		if !ok {
			return nil
		}
		if rec.Header != a.pli.digest() {
			replay = true
			return nil
		}
		st, ok := get[State](v, spaceState, stateKey(h.ID, a.recipient))
		known = ok && st.Readable()
		return nil
	})
	return known, replay
}

// conclude signs what was judged and commits it. Where no key of the party
// serves, nobody can say consigned: the sender learns it at once, and the
// carrier comes again until somebody has repaired that.
func (b *Broker) conclude(ctx context.Context, a *arrival, code string) error {
	event, keyless := Consigned, false
	switch {
	case code == "" && b.keys.Usable(string(a.recipient), b.now(), false) != nil:
		event, code, keyless = ConsignFailed, ReasonNoKey, true
	case code == "":
	case code == ReasonInvalid && a.pli.Header.Urgency == U0, code == ReasonRevoked && a.goodAtDeposit(b.keys):
		event = Quarantined
	default:
		event = ConsignFailed
	}
	if event == ConsignFailed && !a.held {
		// Nobody reads it yet: only the proof of the refusal is kept. What is
		// dropped was taken by this very reception (see busy).
		b.dropBody(a.pli.Body)
		a.pli.Body = journal.Blob{}
	}
	ev, err := b.signOutcome(ctx, a, event, code)
	if err != nil {
		return temporary("signing the outcome", err)
	}
	in := &receiveInput{pli: a.pli, recipient: a.recipient, outcome: ev, travel: b.toSender(a.pli.Header.From), exact: a.exact}
	err = b.commit(ctx, in)
	switch {
	case errors.Is(err, errReplay):
		return b.judgeReplay(ctx, a)
	case err != nil && !errors.Is(err, errKnown):
		return temporary("journal", err)
	case keyless:
		return temporary("signing the outcome", b.keys.Usable(string(a.recipient), b.now(), false))
	case err != nil:
		return b.sayAgain(ctx, a)
	}
	return nil
}

// goodAtDeposit says whether both keys, the sender's and its broker's, served
// at the time of deposit.
func (a *arrival) goodAtDeposit(keys Keys) bool {
	at := a.pli.Deposit.SignedAt()
	return a.pli.DepositBytes != nil && keys.Standing(a.signer, at, false) == standingUsable && keys.Standing(a.stamper, at, false) == standingUsable
}

// signOutcome signs by the recipient party, or by this broker where no key of
// the party serves and the outcome is a failure.
func (b *Broker) signOutcome(ctx context.Context, a *arrival, event Event, code string) (*signedEvidence, error) {
	e := Evidence{Event: event, ID: a.pli.Header.ID, Recipient: a.recipient, ReasonCode: code, HeaderSHA256: a.pli.digest()}
	e.Prev = b.heads(e.ID, a.recipient)
	if len(e.Prev) == 0 && a.pli.DepositBytes != nil {
		e.Prev = []string{Digest(a.pli.DepositBytes)}
	}
	now := b.now()
	owner := string(a.recipient)
	if event != Consigned {
		owner = b.voice(a.recipient, now)
	}
	return b.sign(ctx, e, owner, now)
}

// judgeReplay signs a refusal of a pli whose id served for another. It changes
// no state here, the first one stands; the alarm says that somebody tried.
func (b *Broker) judgeReplay(ctx context.Context, a *arrival) error {
	e := Evidence{Event: ConsignFailed, ID: a.pli.Header.ID, Recipient: a.recipient, ReasonCode: ReasonReplay, HeaderSHA256: a.pli.digest()}
	now := b.now()
	ev, err := b.sign(ctx, e, b.voice(a.recipient, now), now)
	if err != nil {
		return temporary("signing the outcome", err)
	}
	in := &evidenceInput{evidence: ev, foreign: true, travel: b.toSender(a.pli.Header.From)}
	err = b.commit(ctx, in)
	if err != nil && !errors.Is(err, errKnown) && !errors.Is(err, errDifferent) {
		return temporary("journal", err)
	}
	return nil
}

// voice is who signs a failure: the recipient, or this broker where no key of
// the recipient serves.
func (b *Broker) voice(p PartyID, now time.Time) string {
	if b.keys.Usable(string(p), now, false) != nil {
		return string(b.id)
	}
	return string(p)
}
