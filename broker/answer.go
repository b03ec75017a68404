package broker

import (
	"context"
	"errors"

	"vaguemestre/schemas"
)

// tie holds a submission against the pli that it answers: one that its party
// sent, or received and may read, and of the same situation, which is taken
// over when the call names none. Either fault refuses, whatever the urgency: an
// answer under another child's situation is worse than a second call. That the
// table of kinds does not expect such an answer is a réserve, which never
// refuses. A pli that was erased since, or cannot be read any more, ties
// nothing. It returns a *Refusal, or ErrTemporary.
func (b *Broker) tie(ctx context.Context, s *submission) error {
	if s.ReplyTo == "" {
		return nil
	}
	kind, thread, err := b.situation(ctx, s.ReplyTo, s.From)
	switch {
	case errors.Is(err, ErrNotFound):
		return &Refusal{Code: RefusedThread, Field: "in_reply_to", Hint: "this party neither sent nor received that pli: correct in_reply_to, or leave it out", cause: err}
	case err != nil:
		return temporary("the pli that is answered", err)
	case thread == "":
		return nil
	case !s.isNew && s.thread != thread:
		return &Refusal{Code: RefusedThread, Field: "thread", Hint: "the pli that is answered belongs to another situation: leave thread out to take its own, or correct in_reply_to"}
	}
	s.thread, s.doc = thread, s.doc.Answering(kind)
	return nil
}

// situation finds kind and thread of a pli that a party of this home may know
// of. Both are inside it; both are empty when nobody can tell any more.
func (b *Broker) situation(ctx context.Context, id string, p PartyID) (schemas.Kind, string, error) {
	h, rec, err := b.record(id)
	if err != nil {
		return "", "", err
	}
	st, _ := b.state(id, p)
	if sent := rec.Sent && h.From == p; !b.atHome(p) || !sent && !(h.Addresses(p) && st.Readable()) {
		return "", "", ErrNotFound
	}
	c, err := b.Read(ctx, id, p)
	switch {
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case err != nil:
		return "", "", nil
	}
	defer c.Close()
	return c.Inner.Kind, c.Inner.Thread, nil
}
