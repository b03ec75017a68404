package broker_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/schemas"
)

// news is what the parquet makes known of a pli to the ASE.
func news(t *testing.T, key, thread, answers string) broker.Submission {
	return broker.Submission{
		From: parquet, Kind: schemas.Suites, To: []broker.PartyID{ase}, Thread: thread, ReplyTo: answers,
		Document: schemas.NewPlain(readFile(t, "../cmd/vaguemestre/papers/05-suites.json")),
		Actor:    broker.Actor{Name: "GABARIT Sacha"}, Basis: broker.Declared, Key: key,
	}
}

func hasReserve(list []schemas.Field) bool {
	return slices.ContainsFunc(list, func(f schemas.Field) bool { return f.Path == schemas.ReplyPath })
}

// An answer goes on with the situation of what it answers, and with no other:
// what the party does not know of, or another thread, is refused, and leaves
// nothing.
func TestAnswerKeepsToItsSituation(t *testing.T) {
	tn, _ := stepped(t)
	ctx := context.Background()
	first := accept(t, tn.at(nord), signalement(t, "first"))
	second := accept(t, tn.at(nord), signalement(t, "second"))
	other := signalement(t, "other")
	other.Kind, other.To, other.Cc, other.Pieces = schemas.Transmission, []broker.PartyID{juge}, nil, nil
	other.Document = schemas.NewPlain(readFile(t, "../schemas/testdata/good/transmission_correction.json"))
	unseen := accept(t, tn.at(nord), other)
	tn.deliver(nord)
	b := tn.at(justice)
	for name, c := range map[string]struct {
		sub   broker.Submission
		field string
	}{
		"no such pli":         {news(t, "a", "", uuid7(time.Now())), "in_reply_to"},
		"between two others":  {news(t, "b", "", unseen.ID), "in_reply_to"},
		"another situation":   {news(t, "c", first.Thread, second.ID), "thread"},
		"a thread of nothing": {news(t, "d", uuid7(time.Now()), first.ID), "thread"},
	} {
		size := tn.Nodes[justice].Journal.Head().Size
		c.sub.Urgency = broker.U0 // a fault of the call refuses whatever the urgency
		_, err := b.Accept(ctx, c.sub)
		var r *broker.Refusal
		if !errors.As(err, &r) || r.Code != broker.RefusedThread || r.Field != c.field || r.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
		if now := tn.Nodes[justice].Journal.Head().Size; now != size+1 { // the refusal itself
			t.Errorf("%s: %d leaves", name, now-size)
		}
	}
	for key, thread := range map[string]string{"taken over": "", "given": first.Thread} {
		r := accept(t, b, news(t, key, thread, first.ID))
		again := accept(t, b, news(t, key, thread, first.ID))
		if r.Thread != first.Thread || hasReserve(r.Reserves) || !again.Repeated || again.ID != r.ID || again.Thread != r.Thread {
			t.Errorf("%s: thread %v, repeated %v, réserves %v", key, r.Thread == first.Thread, again.Repeated, r.Reserves)
		}
	}
	// The sender answers its own, to complete it; what was erased ties nothing.
	own := signalement(t, "own")
	own.ReplyTo = first.ID
	if r := accept(t, tn.at(nord), own); r.Thread != first.Thread || !hasReserve(r.Reserves) {
		t.Errorf("its own: %v", r.Reserves)
	}
	if err := b.Purge(ctx, second.ID); err != nil {
		t.Fatal(err)
	}
	if r := accept(t, b, news(t, "erased", "", second.ID)); r.Thread == "" || hasReserve(r.Reserves) {
		t.Errorf("what was erased: %v", r.Reserves)
	}
}

// An answer that nobody expects goes all the same, a U0 too: the sender is told,
// again when it repeats, and the recipient finds it in the text.
func TestUnexpectedAnswerIsAReserve(t *testing.T) {
	tn, _ := stepped(t)
	first := accept(t, tn.at(nord), signalement(t, "k"))
	tn.deliver(nord)
	made := accept(t, tn.at(justice), news(t, "first", "", first.ID))
	sub := news(t, "second", "", made.ID)
	sub.Urgency = broker.U0
	r := accept(t, tn.at(justice), sub)
	again := accept(t, tn.at(justice), sub)
	if !hasReserve(r.Reserves) || !hasReserve(again.Reserves) || !again.Repeated || r.Thread != first.Thread {
		t.Errorf("réserves %v, then %v", r.Reserves, again.Reserves)
	}
	tn.deliver(justice)
	c, err := tn.at(nord).Read(context.Background(), r.ID, ase)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !strings.Contains(strings.Join(strings.Fields(string(c.Text.Bytes())), " "), "ne répond pas d'ordinaire") {
		t.Error("the recipient is not told")
	}
}
