package broker

import (
	"context"
	"errors"
	"fmt"
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
	case !oneLine(a.Number):
		return Header{}, "", &Refusal{Code: RefusedDetail, Field: "number", Hint: hintText}
	case !someLines(a.Reason):
		return Header{}, "", &Refusal{Code: RefusedDetail, Field: "reason", Hint: hintText}
	case !oneLine(a.Place):
		return Header{}, "", &Refusal{Code: RefusedDetail, Field: "place", Hint: hintText}
	}
	if err := claimable(a.Basis, a.Assertion); err != nil {
		return Header{}, "", err
	}
	if a.Event == Redirected {
		if _, err := directory.ParsePartyID(string(a.RedirectedTo)); err != nil || !isUUIDv7(a.RedirectedID) {
			return Header{}, "", refuse(RefusedEvent, "redirected_to", err)
		}
	}
	return b.received(a.ID, a.Party, a.Event)
}

const hintText = "write it in UTF-8, without control characters"

func reasonHint(row EventRow) string {
	if len(row.Reasons) == 0 {
		return "this act takes no reason code"
	}
	return "one of: " + strings.Join(row.Reasons, ", ")
}

// received finds a pli that is at the disposal of a party that lives here. One
// that is quarantined is, for a person who has telephoned and says what becomes of
// it, not for a machine that fetches.
func (b *Broker) received(id string, p PartyID, event Event) (Header, string, error) {
	h, rec, err := b.record(id)
	if errors.Is(err, ErrNotFound) {
		return h, "", err
	}
	if err != nil {
		return h, "", temporary("journal", err)
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
	case event == Fetched && st.Has(FlagQuarantined):
		return h, "", &Refusal{Code: RefusedEvent, Field: "event", Hint: "the pli is withheld: a person confirms it by telephone, then opens it or acts"}
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

// eachEvidence walks the evidences of a pli in the order of their positions.
func eachEvidence(v reader, id string, f func(pos uint64, e evidenceRecord) bool) {
	v.Scan(spaceEvidence, id+"/", "", func(key string, value []byte) bool {
		var pos uint64
		var rec evidenceRecord
		if _, err := fmt.Sscanf(key[len(id)+1:], "%016x", &pos); err != nil || decodeStrict(value, &rec) != nil {
			return true
		}
		return f(pos, rec)
	})
}
