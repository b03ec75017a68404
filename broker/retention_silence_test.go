package broker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// A retention that cannot sign that it erased keeps no silence from raising its
// alarm.
func TestRetentionHidesNoSilence(t *testing.T) {
	ctx := context.Background()
	clock := newSteppedClock()
	tn := newTown(t, func(p *wiring.Plan) { clock.plan(p); p.Retention = 60 * 24 * time.Hour })
	acted := accept(t, tn.at(nord), transmission(t, "suivi", noise(1000), parquet))
	for range 3 {
		tn.deliver(nord)
		tn.deliver(justice)
	}
	if _, err := tn.at(justice).Acknowledge(ctx, takeInCharge(acted.ID)); err != nil {
		t.Fatal(err)
	}
	tn.deliver(justice)
	clock.advance(61 * 24 * time.Hour)
	silent := accept(t, tn.at(nord), signalement(t, "sans suite"))
	cert, err := tn.Identities[string(nord)].Revoke(clock.Now(), false)
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour)
	tn.Ring(nord).AddCert(string(nord), cert)
	tn.run()
	eventually(t, "the alarm of a silence", func() bool {
		return len(tn.alarms(nord, silent.ID, parquet)) > 0
	})
	tn.halt()
	if err := tn.Nodes[nord].Close(ctx); err == nil {
		t.Error("a last checkpoint that cannot be signed must be told")
	}
	delete(tn.Nodes, nord)
}

// What was said late is not erased with the content whose time is over: it is
// kept as long, from its own date on, and then goes although the content is gone.
func TestRetentionOfALateAct(t *testing.T) {
	ctx := context.Background()
	clock := newSteppedClock()
	const days = 24 * time.Hour
	tn := newTown(t, func(p *wiring.Plan) { clock.plan(p); p.Retention = 60 * days })
	r := accept(t, tn.at(nord), transmission(t, "suivi", noise(1000), parquet))
	for range 3 {
		tn.deliver(nord)
		tn.deliver(justice)
	}
	look := func() {
		t.Helper()
		tn.run()
		eventually(t, "the day is looked at", func() bool { return rearmed(t, tn, clock) })
		tn.halt()
	}
	said := func(b broker.BrokerID) (n int) {
		t.Helper()
		d, err := tn.at(b).Dossier(r.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range d.Evidences {
			if e.Sealed != nil {
				n++
			}
		}
		return n
	}
	say := func(event broker.Event) {
		t.Helper()
		a := takeInCharge(r.ID)
		a.Event, a.DoneAt = event, clock.Now()
		if _, err := tn.at(justice).Acknowledge(ctx, a); err != nil && !errors.Is(err, broker.ErrAlready) {
			t.Fatal(err)
		}
		tn.deliver(justice)
	}
	clock.advance(61 * days)
	say(broker.TakenInCharge)
	clock.advance(2 * days)
	look()
	for _, b := range []broker.BrokerID{nord, justice} {
		if n := said(b); n != 1 {
			t.Errorf("%s: %d details two days after the act", b, n)
		}
	}
	clock.advance(60 * days)
	look()
	say(broker.Executed)
	for _, b := range []broker.BrokerID{nord, justice} {
		if n := said(b); n != 1 {
			t.Errorf("%s: %d details after the content was erased and another act came", b, n)
		}
	}
	clock.advance(61 * days)
	look()
	for _, b := range []broker.BrokerID{nord, justice} {
		if n := said(b); n != 0 {
			t.Errorf("%s: %d details are kept for ever", b, n)
		}
	}
}
