package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"vaguemestre/broker/journal"
)

// Release is the decision of a person who telephoned the sender of a withheld
// pli: it is to be delivered.
type Release struct {
	ID     string
	Party  PartyID // the recipient for which it is withheld
	Actor  Actor
	Basis  Basis
	Reason string // who confirmed what; it stays at this home, sealed
}

// spaceRelease lists who let what through: <id>/<recipient>, with the digests
// of the evidence and of its signature, and the blob of the reason.
const spaceRelease = "release"

// Release signs for the recipient that a withheld pli is consigned after all,
// which ends the quarantine at both ends, and keeps the person and the reason
// sealed to the recipient. repeated is true when the same was said before: it
// is then the answer of then.
//
// The table gives consigned no detail, and a machine signs the same word: what
// the person said does not travel. One commit holds the evidence, and beside it
// a leaf "noted" whose digest is that of the salted detail.json; the file in
// which it lies sealed goes with a purge.
//
// It makes no signature of a stolen key good: an export says what it said
// before, with the quarantine and its end in it.
//
// It returns a *Refusal with a hint for a pli that is not withheld, or whose
// content is gone or cannot be read any more, and for a key that does not
// serve; ErrNotFound, ErrAlready when it was said in other words, ErrTemporary.
func (b *Broker) Release(ctx context.Context, r Release) (done Acted, repeated bool, err error) {
	h, digest, err := b.releasable(r)
	if err != nil {
		return Acted{}, false, err
	}
	if st, _ := b.state(r.ID, r.Party); !st.Has(FlagQuarantined) {
		return b.notWithheld(ctx, r)
	}
	if err := b.stillReadable(ctx, r); err != nil {
		return Acted{}, false, err
	}
	in, err := b.signRelease(ctx, r, h, digest)
	if err != nil {
		return Acted{}, false, err
	}
	err = b.commit(ctx, in)
	switch {
	case errors.Is(err, errKnown), errors.Is(err, errNotNeeded), errors.Is(err, errDifferent): // somebody else was first
		return b.notWithheld(ctx, r)
	case errors.Is(err, errBodyGone):
		return Acted{}, false, goneForRelease(err)
	case err != nil:
		return Acted{}, false, temporary("journal", err)
	}
	se := in.evidence
	return Acted{Evidence: se.Bytes, Sig: se.Sig, Digest: se.digest()}, false, nil
}

// notWithheld answers for a pli that is not withheld, or not any more: as then,
// if it was this release that ended it. The state is looked at before: what
// clears it writes who did in the same commit.
func (b *Broker) notWithheld(ctx context.Context, r Release) (done Acted, repeated bool, err error) {
	if done, err = b.releasedBefore(ctx, r); errors.Is(err, ErrNotFound) {
		err = &Refusal{Code: RefusedEvent, Field: "id", Hint: "this pli is not withheld for that party: nothing is to be released"}
	}
	return done, err == nil, err
}

func goneForRelease(cause error) error {
	return &Refusal{Code: ReasonUnreadable, Field: "id", Hint: "its content was erased here: ask its sender to send it again, and return this one", cause: cause}
}

// releasable checks what is said, and that the pli is one that this party
// received here.
func (b *Broker) releasable(r Release) (Header, string, error) {
	switch {
	case !r.Actor.valid():
		return Header{}, "", &Refusal{Code: RefusedActor, Field: "actor", Hint: hintActor}
	case strings.TrimSpace(r.Reason) == "":
		return Header{}, "", &Refusal{Code: RefusedDetail, Field: "reason", Hint: "say who confirmed it, and when, by which number"}
	case !someLines(r.Reason):
		return Header{}, "", &Refusal{Code: RefusedDetail, Field: "reason", Hint: hintText}
	}
	if err := claimable(r.Basis, nil); err != nil {
		return Header{}, "", err
	}
	h, rec, err := b.record(r.ID)
	if err != nil {
		return h, "", err
	}
	if _, received := b.state(r.ID, r.Party); !b.atHome(r.Party) || !h.Addresses(r.Party) || !received {
		return h, "", ErrNotFound
	}
	return h, rec.Header, nil
}

// stillReadable opens the pli once more: nobody is told that it is at the
// recipient's disposal if it is not.
func (b *Broker) stillReadable(ctx context.Context, r Release) error {
	c, err := b.Read(ctx, r.ID, r.Party)
	if err == nil {
		return c.Close()
	}
	var refusal *Refusal
	switch err = unreadable(err); {
	case errors.Is(err, ErrNotFound):
		return goneForRelease(err)
	case errors.As(err, &refusal):
		return &Refusal{Code: ReasonUnreadable, Field: "id", Hint: "it cannot be read any more: return it, and ask its sender to send it again", cause: err}
	}
	return temporary("reading a withheld pli", err)
}

// signRelease makes what is committed: the evidence, and the reason sealed to
// the party alone.
func (b *Broker) signRelease(ctx context.Context, r Release, h Header, digest string) (*releaseInput, error) {
	now := b.now()
	for _, encrypt := range []bool{false, true} {
		if err := b.keys.Usable(string(r.Party), now, encrypt); err != nil {
			return nil, keyRefusal("party", err)
		}
	}
	salt, err := b.newSalt()
	if err != nil {
		return nil, err
	}
	d := Detail{
		V: version, Salt: salt, Event: Consigned, ID: r.ID, Recipient: r.Party, HeaderSHA256: digest,
		Actor: r.Actor, Basis: r.Basis, Reason: r.Reason,
	}
	text := d.Encode()
	if _, err := ParseDetail(text); err != nil {
		return nil, &Refusal{Code: RefusedDetail, Field: "detail", Hint: "give the reason in UTF-8, 64 KiB at most", cause: err}
	}
	sealed, err := b.sealDetail(ctx, string(r.Party), text)
	if err != nil {
		return nil, temporary("sealing the reason", err)
	}
	e := Evidence{Event: Consigned, ID: r.ID, Recipient: r.Party, HeaderSHA256: digest, Prev: b.heads(r.ID, r.Party)}
	se, err := b.sign(ctx, e, string(r.Party), now)
	if err != nil {
		return nil, temporary("signing the release", err)
	}
	return &releaseInput{evidenceInput{evidence: se, travel: b.toSender(h.From)}, h.BodySHA256, Digest(text), sealed}, nil
}

// sealDetail seals detail.json alone by and to one party, in the form of
// evidence.pgp.
func (b *Broker) sealDetail(ctx context.Context, party string, detail []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := b.keys.Seal(ctx, &out, party, []string{party}, b.now())
	if err != nil {
		return nil, err
	}
	ew := newEntityWriter(w)
	if _, err := ew.bytes(PartDetail, typeJSON, detail); err != nil {
		return nil, err
	}
	if _, err := ew.finish(false); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// releaseInput is a withheld pli that a person lets through.
type releaseInput struct {
	evidenceInput
	body   string // digest of the body
	detail string // digest of detail.json
	sealed []byte // detail.json, sealed to the recipient
}

func (in *releaseInput) step(s reader, now time.Time) (journal.Batch, error) {
	e := in.evidence.Evidence
	pair := stateKey(e.ID, e.Recipient)
	if _, done := s.Get(spaceRelease, pair); done {
		return journal.Batch{}, errKnown
	}
	if st, _ := get[State](s, spaceState, pair); !st.Has(FlagQuarantined) {
		return journal.Batch{}, errNotNeeded
	}
	if !s.HasBlob(journal.BodyName(in.body)) {
		return journal.Batch{}, errBodyGone
	}
	batch, err := in.evidenceInput.step(s, now)
	if err != nil {
		return batch, err
	}
	blob := (&signedEvidence{Sealed: in.sealed}).blob()
	value := in.evidence.digest() + " " + Digest(in.evidence.Sig) + " " + blob.Name
	note := journal.Event{Type: journal.TypeNoted, At: now, ID: e.ID, Digest: in.detail}
	note.Blobs = []journal.Blob{blob}
	note.Puts = []journal.Put{{Space: spaceRelease, Key: pair, Value: []byte(value)}}
	batch.Events = append(batch.Events, note)
	return batch, nil
}

// releasedBefore answers a release that was said before: ErrNotFound when none
// was, ErrAlready when it was said in other words, or nobody can tell any more.
func (b *Broker) releasedBefore(ctx context.Context, r Release) (Acted, error) {
	d, done, err := b.released(ctx, r.ID, r.Party)
	switch {
	case err != nil:
		return Acted{}, err
	case d == nil || d.Actor != r.Actor || d.Basis != r.Basis || d.Reason != r.Reason:
		return Acted{}, ErrAlready
	}
	return done, nil
}

// Released opens what a person said who let a withheld pli through, for the
// recipient, which lives here. It is nil once that was erased, and ErrNotFound
// when nobody did.
func (b *Broker) Released(ctx context.Context, id string, p PartyID) (*Detail, error) {
	if !b.atHome(p) {
		return nil, ErrNotFound
	}
	d, _, err := b.released(ctx, id, p)
	return d, err
}

func (b *Broker) released(ctx context.Context, id string, p PartyID) (d *Detail, done Acted, err error) {
	var sealed []byte
	err = b.journal.View(func(v journal.View) error {
		value, ok := v.Get(spaceRelease, stateKey(id, p))
		said := strings.Fields(string(value))
		if !ok || len(said) != 3 {
			return ErrNotFound
		}
		done.Digest = said[0]
		if done.Evidence, err = v.Object(said[0]); err != nil {
			return err
		}
		if done.Sig, err = v.Object(said[1]); err != nil {
			return err
		}
		sealed, _ = v.Blob(said[2]) // absent once erased
		return nil
	})
	if err != nil || sealed == nil {
		return nil, done, err
	}
	d, err = b.openDetail(ctx, sealed, string(p))
	return d, done, err
}

// openDetail opens what sealDetail sealed.
func (b *Broker) openDetail(ctx context.Context, sealed []byte, party string) (*Detail, error) {
	o, err := b.keys.Open(ctx, bytes.NewReader(sealed), int64(len(sealed)), party, party)
	if err != nil {
		return nil, fmt.Errorf("opening the reason of a release: %w", err)
	}
	r, err := o.Reader(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the reason of a release: %w", err)
	}
	defer r.Close()
	e, err := newEntityReader(r)
	if err != nil {
		return nil, err
	}
	part, err := e.next()
	if err != nil || part.Name != PartDetail {
		return nil, fmt.Errorf("%w: reason of a release", errors.Join(ErrFormat, err))
	}
	text, err := part.Body.all(maxSealed)
	if err != nil {
		return nil, err
	}
	if _, err := e.next(); err != io.EOF {
		return nil, fmt.Errorf("%w: reason of a release", ErrFormat)
	}
	d, err := ParseDetail(text)
	return &d, err
}
