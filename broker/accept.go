package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"vaguemestre/broker/journal"
	"vaguemestre/schemas"
)

// Submission is what an adapter brings for an authenticated party.
type Submission struct {
	From      PartyID
	Kind      schemas.Kind
	To, Cc    []PartyID
	Urgency   Urgency // "" is that of the document's kind
	Thread    string  // "" opens a new situation
	ReplyTo   string  // id of the pli that this one answers, or ""
	Document  schemas.Plain
	Pieces    []io.Reader // in the order of the document's pieces; each is read once, in order
	Actor     Actor
	Basis     Basis
	Assertion []byte // assertion.json when the basis is a passkey
	Key       string // Idempotency-Key: the same key and submission give the same receipt
}

// Receipt is the positive answer. It is given only once the pli is durable.
type Receipt struct {
	ID, Thread   string
	HeaderSHA256 string
	Deposit      []byte // deposit.json
	DepositSig   []byte
	Reserves     []schemas.Field // what the law or practice still wants
	Repeated     bool            // the same submission was accepted before
}

// Accept takes a submission to the commit point: validate, address, seal,
// journal. When it returns without error the pli cannot be lost. It returns a
// *schemas.InvalidError that lists every faulty field, a *Refusal that says
// what to do, ErrConflict when the key served for another submission, or
// ErrTemporary when the caller should repeat with the same key.
func (b *Broker) Accept(ctx context.Context, sub Submission) (Receipt, error) {
	s, err := b.validate(sub)
	if err != nil {
		return Receipt{}, b.refused(ctx, sub.From, err)
	}
	// First of all: what was accepted stays accepted, even if a key has expired
	// or the disk is full by now.
	tied := b.tie(ctx, s)
	id, mac, known, err := b.knownKey(s)
	if err != nil {
		return Receipt{}, temporary("journal", err)
	}
	if known && b.atHome(sub.From) {
		return b.repeat(ctx, s, id, mac)
	}
	if errors.Is(tied, ErrTemporary) {
		return Receipt{}, tied
	}
	if err := b.address(s); err != nil {
		return Receipt{}, b.refused(ctx, sub.From, err)
	}
	if tied != nil {
		return Receipt{}, b.refused(ctx, sub.From, tied)
	}
	if b.journal.LowSpace() {
		return Receipt{}, temporary("free space is below the watermark", journal.ErrNoSpace)
	}
	in, err := b.seal(ctx, s)
	if r := (*Refusal)(nil); errors.As(err, &r) {
		return Receipt{}, b.refused(ctx, sub.From, r)
	}
	if err != nil {
		return Receipt{}, err
	}
	err = b.commit(ctx, in) // From here a crash loses nothing.
	if errors.Is(err, errKnown) {
		// Another call with the same key was first: its receipt holds, if it
		// was the same submission. What was sealed here is dropped.
		b.dropBody(in.pli.Body)
		id, mac, _, err := b.knownKey(s)
		if err != nil {
			return Receipt{}, temporary("journal", err)
		}
		return b.receiptOf(ctx, s, id, mac, in.idemMAC)
	}
	if err != nil {
		return Receipt{}, temporary("journal", err)
	}
	return Receipt{
		ID: in.pli.Header.ID, Thread: s.thread, HeaderSHA256: in.pli.digest(),
		Deposit: in.pli.DepositBytes, DepositSig: in.pli.DepositSig, Reserves: s.doc.Reserves(),
	}, nil
}

// submission is a Submission that was validated.
type submission struct {
	Submission
	doc    *schemas.Document
	row    schemas.Row
	thread string
	isNew  bool // the thread was not given
}

// validate checks the document and the call, and nothing that depends on keys.
func (b *Broker) validate(sub Submission) (*submission, error) {
	row, ok := schemas.Lookup(sub.Kind)
	if !ok {
		return nil, refuse(RefusedFormat, "kind", nil)
	}
	doc, err := schemas.Parse(sub.Kind, sub.Document)
	if err != nil {
		return nil, err
	}
	s := &submission{Submission: sub, doc: doc, row: row, thread: sub.Thread}
	s.To, s.Cc = slices.Sorted(slices.Values(sub.To)), slices.Sorted(slices.Values(sub.Cc))
	if s.Urgency == "" {
		s.Urgency = Urgency(doc.Urgency())
	}
	switch {
	case !isUrgency(s.Urgency):
		return nil, refuse(RefusedUrgency, "urgency", nil)
	case !s.Actor.valid():
		return nil, &Refusal{Code: RefusedActor, Field: "actor", Hint: hintActor}
	case s.thread != "" && !isUUIDv7(s.thread):
		return nil, refuse(RefusedThread, "thread", nil)
	case s.ReplyTo != "" && !isUUIDv7(s.ReplyTo):
		return nil, refuse(RefusedThread, "in_reply_to", nil)
	case len(s.Pieces) != len(doc.Pieces()):
		return nil, &Refusal{Code: RefusedPieces, Field: "pieces", Hint: "join as many files as the document lists in pieces, in the same order"}
	case s.Key == "":
		return nil, &Refusal{Code: RefusedFormat, Field: "idempotency_key", Hint: "give a fresh key, and repeat with the same one after a lost answer"}
	}
	if err := claimable(s.Basis, s.Assertion); err != nil {
		return nil, err
	}
	if s.thread == "" {
		if s.thread, err = b.newID(); err != nil {
			return nil, err
		}
		s.isNew = true
	}
	return s, nil
}

// address checks the recipients: their form, who may write to whom, and that
// each key serves now. It comes before sealing, which needs the keys.
func (b *Broker) address(s *submission) error {
	if !b.atHome(s.From) {
		return refuse(RefusedParty, "from", nil)
	}
	if err := checkRecipients(s.From, s.To, s.Cc); err != nil {
		return &Refusal{Code: RefusedRecipients, Field: "to", cause: err,
			Hint: fmt.Sprintf("one recipient at least, %d with the copies, none twice, not the sender", MaxRecipients)}
	}
	now, dir := b.now(), b.dir.Load()
	if f, ok := dir.Party(s.From); ok {
		if err := s.doc.CheckSender(schemas.Role(f.Role)); err != nil {
			return err
		}
	}
	for i, p := range slices.Concat(s.To, s.Cc) {
		if _, ok := dir.Party(p); !ok {
			return &Refusal{Code: RefusedParty, Field: "to", Hint: "the directory does not list that party"}
		}
		if err := b.allowed(s.Kind, s.From, p, i >= len(s.To)); err != nil {
			return err
		}
		if err := b.keys.Usable(string(p), now, true); err != nil {
			return keyRefusal("to", err)
		}
	}
	for _, encrypt := range []bool{false, true} {
		if err := b.keys.Usable(string(s.From), now, encrypt); err != nil {
			return keyRefusal("from", err)
		}
	}
	if err := b.keys.Usable(string(b.id), now, false); err != nil {
		return keyRefusal("broker", err) // no deposit could be stamped
	}
	return nil
}

// allowed asks the policy whether a role may send a kind to a role.
func (b *Broker) allowed(k schemas.Kind, from, to PartyID, copied bool) error {
	dir := b.dir.Load()
	f, okFrom := dir.Party(from)
	t, okTo := dir.Party(to)
	if !okFrom || !okTo {
		return refuse(RefusedParty, "to", nil)
	}
	fr, tr := schemas.Role(f.Role), schemas.Role(t.Role)
	if _, ok := schemas.Allowed(k, fr, tr, copied); !ok {
		return &Refusal{Code: ReasonForbidden, Field: "to", Hint: schemas.Hint(k, fr, tr)}
	}
	return nil
}

func keyRefusal(field string, err error) *Refusal {
	r := refuse(RefusedKey, field, err)
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		r.Hint = h.Hint()
	}
	return r
}

// refused journals a refusal, without content, and returns it.
func (b *Broker) refused(ctx context.Context, from PartyID, cause error) error {
	code := ReasonInvalid
	var r *Refusal
	if errors.As(cause, &r) {
		code = r.Code
	}
	party := "?"
	if b.atHome(from) {
		party = string(from)
	}
	id, err := b.newID()
	if err != nil {
		return cause
	}
	in := &noteInput{puts: []journal.Put{{Space: spaceRefusal, Key: id, Value: []byte(party + " " + code)}}}
	if err := b.commit(ctx, in); err != nil {
		return errors.Join(cause, temporary("journal of refusals", err))
	}
	return cause
}

// spaceRefusal lists refused submissions and parcels: <id drawn then>, with
// the party and a closed code.
const spaceRefusal = "refusal"

// RefusalCode is the closed code of the refusal that a row of the journal
// notes; false when it notes none.
func RefusalCode(p journal.Put) (code string, ok bool) {
	_, code, ok = strings.Cut(string(p.Value), " ")
	return code, ok && p.Space == spaceRefusal
}

// overdueTimes is when each `to` recipient will have been silent for too long.
func (b *Broker) overdueTimes(s *submission, at time.Time) map[PartyID]time.Time {
	dir, due := b.dir.Load(), map[PartyID]time.Time{}
	for _, p := range s.To {
		party, _ := dir.Party(p)
		due[p] = b.overdueAt(party, s.Urgency, at)
	}
	return due
}
