package broker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// takenInCharge is the parquet's act on a pli.
func takenInCharge(id string) broker.Act {
	return broker.Act{ID: id, Party: parquet, Event: broker.TakenInCharge, Actor: broker.Actor{Name: "SPÉCIMEN Dominique"}, Basis: broker.Declared}
}

func (tn *town) holds(at broker.BrokerID, blob string) (held bool) {
	_ = tn.Nodes[at].Journal.View(func(v journal.View) error { held = v.HasBlob(blob); return nil })
	return held
}

// wantLater checks that an error is a refusal that says what to do.
func wantLater(t *testing.T, err error) {
	t.Helper()
	var r *broker.Refusal
	if !errors.As(err, &r) || r.Hint == "" {
		t.Fatalf("no word of when to come back: %v", err)
	}
}

func TestPurgeWaitsForAnActToBeCarried(t *testing.T) {
	tn, _, r := deposited(t)
	ctx := context.Background()
	tn.deliver(nord)
	tn.deliver(justice)
	if _, err := tn.at(justice).Acknowledge(ctx, takenInCharge(r.ID)); err != nil {
		t.Fatal(err)
	}
	wantLater(t, tn.at(justice).Purge(ctx, r.ID))
	if c, err := tn.at(justice).Read(ctx, r.ID, parquet); err != nil {
		t.Errorf("refused, and erased: %v", err)
	} else {
		c.Close()
	}
	tn.deliver(justice)
	if !tn.progress(nord, r.ID, parquet).Acted {
		t.Error("the sender never hears the act")
	}
	if err := tn.at(justice).Purge(ctx, r.ID); err != nil {
		t.Error(err)
	}
}

// A purge names every recipient of its home: it waits until each has the pli,
// for whom the body would come back otherwise.
func TestPurgeWaitsForEveryRecipient(t *testing.T) {
	ctx := context.Background()
	closed, clock := true, newSteppedClock()
	tn := newTown(t, func(p *wiring.Plan) {
		clock.plan(p)
		scripted(func(_ broker.BrokerID, to broker.PartyID, p broker.Parcel) (bool, error) {
			if closed && to == juge && p.Pli != nil {
				return false, brokertest.ErrLost
			}
			return true, nil
		})(p)
	})
	r := accept(t, tn.at(nord), signalement(t, "k"))
	d, err := tn.at(nord).Dossier(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	tn.deliver(nord)
	wantLater(t, tn.at(justice).Purge(ctx, r.ID))
	closed = false
	clock.advance(time.Hour)
	tn.deliver(nord)
	tn.deliver(justice)
	if st := tn.progress(nord, r.ID, juge); st.Progress != broker.Consigned {
		t.Fatalf("%+v", st)
	}
	if err := tn.at(justice).Purge(ctx, r.ID); err != nil {
		t.Fatal(err)
	}
	if tn.holds(justice, journal.BodyName(d.Header.BodySHA256)) {
		t.Error("the body is still there")
	}
}

// A pli that never comes for a recipient does not keep its content for ever.
func TestPurgeAfterTheLastReception(t *testing.T) {
	tn, clock := stepped(t)
	p, d := tn.forgery(nil)
	if err := tn.receive(p); err != nil {
		t.Fatal(err)
	}
	wantLater(t, tn.at(justice).Purge(context.Background(), d.h.ID))
	clock.advance(broker.MaxAge + time.Hour)
	tn.deliver(justice) // an evidence of a pli that nord never had: given up
	if err := tn.at(justice).Purge(context.Background(), d.h.ID); err != nil {
		t.Error(err)
	}
}

func TestPurgeErasesWhatCameSince(t *testing.T) {
	tn, _, r := deposited(t)
	ctx := context.Background()
	tn.deliver(nord)
	tn.deliver(justice)
	if err := tn.at(nord).Purge(ctx, r.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := tn.at(justice).Acknowledge(ctx, takenInCharge(r.ID)); err != nil {
		t.Fatal(err)
	}
	tn.deliver(justice)
	if err := tn.at(nord).Purge(ctx, r.ID); err != nil {
		t.Errorf("second purge: %v", err)
	}
	d, err := tn.at(nord).Dossier(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	acts := 0
	for _, e := range d.Evidences {
		if e.Evidence.Event == broker.TakenInCharge {
			acts++
		}
		if e.Sealed != nil {
			t.Errorf("%s: the detail is still held", e.Evidence.Event)
		}
	}
	if acts != 1 {
		t.Errorf("%d acts", acts)
	}
	if err := tn.at(nord).Purge(ctx, r.ID); !errors.Is(err, broker.ErrAlready) {
		t.Errorf("nothing is left: %v", err)
	}
}

func TestPurgeErasesDoubtfulDetails(t *testing.T) {
	tn, clock, r := deposited(t)
	s, p := tn.tell(r.ID, r.HeaderSHA256, broker.TakenInCharge, nil)
	clock.advance(time.Hour)
	tn.revokeAtNord("parquet-lille", s.signedAt.Add(time.Minute), true)
	if err := tn.hear(s, p); err != nil {
		t.Fatal(err)
	}
	name := "sealed/" + broker.Digest(p.Sealed)
	if !tn.holds(nord, name) {
		t.Fatal("not kept")
	}
	if err := tn.at(nord).Purge(context.Background(), r.ID); err != nil {
		t.Fatal(err)
	}
	if tn.holds(nord, name) {
		t.Error("the sealed detail of a doubtful evidence survives the purge")
	}
}
