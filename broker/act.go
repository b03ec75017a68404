package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vaguemestre/broker/directory"
	"vaguemestre/broker/journal"
)

// Act is what a person, or an application, says of a pli that its party
// received.
type Act struct {
	ID           string
	Party        PartyID // the recipient for which it is said
	Event        Event   // fetched, opened, or one of the acts
	Actor        Actor
	Basis        Basis
	Assertion    []byte
	DoneAt       time.Time // date of the act itself; zero when it is now
	ReasonCode   string
	Reason       string
	Number       string
	Place        string
	RedirectedTo PartyID
	RedirectedID string
}

// Acted is the signed answer.
type Acted struct {
	Evidence []byte // evidence.json
	Sig      []byte
	Digest   string
}

// Acknowledge signs an act for a recipient party that lives here, journals it,
// and lets it travel sealed to the sender's home. It returns a *Refusal for
// what the table does not allow, ErrNotFound, ErrNotYet when the pli is not at
// the party's disposal, ErrAlready when the party said so before, or
// ErrTemporary.
func (b *Broker) Acknowledge(ctx context.Context, a Act) (Acted, error) {
	h, digest, err := b.actable(a)
	if err != nil {
		return Acted{}, err
	}
	if err := b.canSeal(a.Party, h.From); err != nil {
		return Acted{}, err
	}
	salt, err := b.newSalt()
	if err != nil {
		return Acted{}, err
	}
	e := Evidence{Event: a.Event, ID: a.ID, Recipient: a.Party, ReasonCode: a.ReasonCode, HeaderSHA256: digest, Prev: b.heads(a.ID, a.Party)}
	if !a.DoneAt.IsZero() {
		e.DoneAt = FormatTime(a.DoneAt)
	}
	d := Detail{
		V: version, Salt: salt, Event: a.Event, ID: a.ID, Recipient: a.Party, HeaderSHA256: digest, DoneAt: e.DoneAt,
		ReasonCode: a.ReasonCode, Actor: a.Actor, Basis: a.Basis, Number: a.Number, Reason: a.Reason, Place: a.Place,
		RedirectedTo: a.RedirectedTo, RedirectedID: a.RedirectedID,
	}
	if _, err := ParseDetail(d.Encode()); err != nil {
		// Better here than for ever at the sender's, who reads it strictly.
		return Acted{}, &Refusal{Code: RefusedDetail, Field: "detail", Hint: "give number, reason and place in UTF-8, 64 KiB together at most", cause: err}
	}
	se, err := b.signSealed(ctx, e, d, a.Assertion, []string{string(h.From)})
	if err != nil {
		return Acted{}, temporary("signing the act", err)
	}
	err = b.commit(ctx, &evidenceInput{evidence: se, travel: b.toSender(h.From)})
	switch {
	case errors.Is(err, errDifferent), errors.Is(err, errKnown):
		return Acted{}, ErrAlready
	case err != nil:
		return Acted{}, temporary("journal", err)
	}
	return Acted{Evidence: se.Bytes, Sig: se.Sig, Digest: se.digest()}, nil
}

// canSeal says which key is wanting for an act to travel to the sender: a
// lasting no, with what to do, until somebody brings another certificate.
func (b *Broker) canSeal(by, to PartyID) error {
	now := b.now()
	for _, encrypt := range []bool{false, true} {
		if err := b.keys.Usable(string(by), now, encrypt); err != nil {
			return keyRefusal("party", err)
		}
	}
	if err := b.keys.Usable(string(to), now, true); err != nil {
		return keyRefusal("from", err)
	}
	return nil
}

// actable checks that the table allows the act, that the pli is there for that
// party, and the form of what is said.
func (b *Broker) actable(a Act) (Header, string, error) {
	row, ok := LookupEvent(a.Event)
	switch {
	case !ok || row.Signer != Recipient || !row.Sealed:
		return Header{}, "", refuse(RefusedEvent, "event", nil)
	case !row.AllowsReason(a.ReasonCode):
		return Header{}, "", &Refusal{Code: RefusedEvent, Field: "reason_code", Hint: reasonHint(row)}
	case row.Number && strings.TrimSpace(a.Number) == "":
		return Header{}, "", &Refusal{Code: RefusedEvent, Field: "number", Hint: "give the number of the file at the greffe"}
	case row.Date && a.DoneAt.IsZero():
		return Header{}, "", &Refusal{Code: RefusedEvent, Field: "done_at", Hint: "give the date of the act itself"}
	case a.DoneAt.After(b.now().Add(Skew)):
		return Header{}, "", &Refusal{Code: RefusedFuture, Field: "done_at", Hint: "the date of the act is in the future"}
	case !a.Actor.valid():
		return Header{}, "", &Refusal{Code: RefusedActor, Field: "actor", Hint: hintActor}
	case !isBasis(a.Basis) || (a.Basis == Passkey) != (len(a.Assertion) > 0) || len(a.Assertion) > maxAssertion:
		return Header{}, "", refuse(RefusedActor, "basis", nil)
	}
	if a.Event == Redirected {
		if _, err := directory.ParsePartyID(string(a.RedirectedTo)); err != nil || !isUUIDv7(a.RedirectedID) {
			return Header{}, "", refuse(RefusedEvent, "redirected_to", err)
		}
	}
	return b.received(a.ID, a.Party)
}

func reasonHint(row EventRow) string {
	if len(row.Reasons) == 0 {
		return "this act takes no reason code"
	}
	return "one of: " + strings.Join(row.Reasons, ", ")
}

// received finds a pli that is at the disposal of a party that lives here. One
// that is quarantined is: a person who has telephoned says what becomes of it.
func (b *Broker) received(id string, p PartyID) (Header, string, error) {
	h, rec, err := b.record(id)
	if err != nil {
		return h, "", err
	}
	if !b.atHome(p) || !h.Addresses(p) {
		return h, "", ErrNotFound
	}
	st, ok := b.state(id, p)
	switch {
	case !ok:
		return h, "", ErrNotFound
	case !st.Readable():
		return h, "", ErrNotYet
	}
	return h, rec.Header, nil
}

// record finds a pli that this journal holds.
func (b *Broker) record(id string) (h Header, rec pliRecord, err error) {
	err = b.journal.View(func(v journal.View) error {
		var ok bool
		if rec, ok = get[pliRecord](v, spacePli, id); !ok {
			return ErrNotFound
		}
		text, err := v.Object(rec.Header)
		if err != nil {
			return fmt.Errorf("header: %w", err)
		}
		h, err = ParseHeader(text)
		return err
	})
	return h, rec, err
}

// state is that of one pair.
func (b *Broker) state(id string, p PartyID) (st State, ok bool) {
	_ = b.journal.View(func(v journal.View) error {
		st, ok = get[State](v, spaceState, stateKey(id, p))
		return nil
	})
	return st, ok
}

// Purge erases the content of a pli here, its body and the sealed details that
// this broker holds, and signs that it did. What was proven stays proven.
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
	var erase []string
	err = b.journal.View(func(v journal.View) error {
		if keeps(v, h, rec) {
			erase = append(erase, journal.BodyName(rec.Body))
		}
		eachEvidence(v, id, func(_ uint64, e evidenceRecord) bool {
			if e.Sealed != "" {
				erase = append(erase, e.Sealed)
			}
			return true
		})
		return nil
	})
	if err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	if err := b.signPurged(ctx, h, rec.Header, erase); err != nil {
		return err
	}
	if len(erase) == 0 || erase[0] != journal.BodyName(rec.Body) {
		return nil
	}
	// The file goes after the commit that says so; the sweep at start-up takes
	// what a crash leaves between the two.
	return b.journal.Bodies().Remove(rec.Body)
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

// signPurged says that the content is gone: for all at the sender's home, for
// each recipient that lives here otherwise. The first one erases.
func (b *Broker) signPurged(ctx context.Context, h Header, header string, erase []string) error {
	pairs, to := []PartyID{""}, travel{}
	if !b.atHome(h.From) {
		pairs, to.dest = nil, []PartyID{h.From}
		for _, p := range h.Recipients() {
			if b.atHome(p) {
				pairs = append(pairs, p)
			}
		}
	}
	said := false
	for _, p := range pairs {
		se, err := b.sign(ctx, Evidence{Event: Purged, ID: h.ID, Recipient: p, HeaderSHA256: header}, string(b.id), b.now())
		if err != nil {
			return temporary("signing", err)
		}
		err = b.commit(ctx, &evidenceInput{evidence: se, travel: to, erase: erase})
		switch {
		case err == nil:
			said = true
		case !errors.Is(err, errKnown) && !errors.Is(err, errDifferent):
			return temporary("journal", err)
		}
	}
	if !said {
		return ErrAlready
	}
	return nil
}

// eachEvidence walks the evidences of a pli in the order of their leaves.
func eachEvidence(v reader, id string, f func(leaf uint64, e evidenceRecord) bool) {
	v.Scan(spaceEvidence, id+"/", "", func(key string, value []byte) bool {
		var leaf uint64
		var rec evidenceRecord
		if _, err := fmt.Sscanf(key[len(id)+1:], "%016x", &leaf); err != nil || decodeStrict(value, &rec) != nil {
			return true
		}
		return f(leaf, rec)
	})
}
