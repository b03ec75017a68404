package broker_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// Content whose time is over goes by itself once its addressees have acted, and
// not before; what was proven stays proven, in an export made afterwards.
func TestRetention(t *testing.T) {
	ctx := context.Background()
	clock := newSteppedClock()
	tn := newTown(t, func(p *wiring.Plan) { clock.plan(p); p.Retention = 60 * 24 * time.Hour })
	clock.advance(time.Hour)
	acted := accept(t, tn.at(nord), signalement(t, "suivi"))
	silent := accept(t, tn.at(nord), signalement(t, "sans suite"))
	for range 3 {
		tn.deliver(nord)
		tn.deliver(justice)
	}
	act := broker.Act{ID: acted.ID, Party: parquet, Event: broker.TakenInCharge, Actor: broker.Actor{Name: "SPÉCIMEN Dominique", Function: "substitut"}, Basis: broker.Declared, Reason: "suivi"}
	if _, err := tn.at(justice).Acknowledge(ctx, act); err != nil {
		t.Fatal(err)
	}
	tn.deliver(justice)
	held := func(b broker.BrokerID, id string) bool {
		d, err := tn.at(b).Dossier(id)
		if err != nil {
			t.Fatal(err)
		}
		r, err := d.Body(ctx)
		if err == nil {
			r.Close()
		} else if !errors.Is(err, broker.ErrNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	clock.advance(59 * 24 * time.Hour)
	tn.run()
	eventually(t, "the day before is looked at", func() bool { return rearmed(t, tn, clock) })
	tn.halt()
	if !held(nord, acted.ID) || !held(justice, acted.ID) {
		t.Fatal("erased before its time")
	}
	clock.advance(2 * 24 * time.Hour)
	tn.run()
	eventually(t, "the content goes", func() bool { return !held(nord, acted.ID) && !held(justice, acted.ID) })
	eventually(t, "the day is looked at", func() bool { return rearmed(t, tn, clock) })
	tn.halt()
	for _, b := range []broker.BrokerID{nord, justice} {
		if !held(b, silent.ID) {
			t.Errorf("%s erased what nobody has acted on", b)
		}
		out := filepath.Join(t.TempDir(), "out")
		if _, err := export.Write(ctx, tn.at(b), acted.ID, out, export.Options{}); err != nil {
			t.Errorf("export at %s: %v", b, err)
		}
		if err := tn.Nodes[b].Close(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := boltstore.Verify(ctx, tn.Dir(b), nil); err != nil {
			t.Errorf("verify %s: %v", b, err)
		}
		if _, err := tn.OpenNode(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
}

// rearmed says whether the next look of both brokers is in the future.
func rearmed(t *testing.T, tn *town, clock *steppedClock) bool {
	t.Helper()
	for _, n := range tn.Nodes {
		ok := false
		err := n.Journal.View(func(v journal.View) error {
			var tm journal.Timer
			tm, ok = v.Timer("retention")
			ok = ok && tm.Due.After(clock.Now())
			return nil
		})
		if err != nil || !ok {
			return false
		}
	}
	return true
}
