package broker_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"vaguemestre/broker"
)

// A refusal that a relay caused, then the whole pli: consigned, and nothing of
// the refusal stays but its evidence. The states are what the evidences say.
func TestConsignFailedThenSuccess(t *testing.T) {
	tn, _ := stepped(t)
	p, d := tn.forgery(nil)
	if err := tn.at(nord).Plant(context.Background(), p, d.body); err != nil {
		t.Fatal(err)
	}
	bad := *p
	bad.DepositSig = nil
	if err := tn.receive(&bad); err != nil {
		t.Fatal(err)
	}
	tn.deliver(justice)
	if !tn.progress(nord, d.h.ID, parquet).Has(broker.FlagConsignFailed) {
		t.Fatal("the sender does not see the refusal")
	}
	tn.deliver(nord)
	tn.deliver(justice)
	for _, b := range []broker.BrokerID{nord, justice} {
		st := tn.progress(b, d.h.ID, parquet)
		if st.Progress != broker.Consigned || st.Flags != 0 || len(tn.alarms(b, d.h.ID, parquet)) != 0 {
			t.Errorf("at %s: %+v", b, st)
		}
		dossier, err := tn.at(b).Dossier(d.h.ID)
		if err != nil {
			t.Fatal(err)
		}
		if fold := tn.at(b).Fold(dossier, parquet); !equal(fold, st) {
			t.Errorf("at %s: fold %+v, stored %+v", b, fold, st)
		}
	}
}

// Clocks four minutes apart, either way.
func TestClocksFourMinutesApart(t *testing.T) {
	for _, apart := range []time.Duration{4 * time.Minute, -4 * time.Minute} {
		tn, _ := stepped(t)
		p, d := tn.forgery(func(d *draft) {
			d.signedAt, d.innerAt, d.stampedAt = d.signedAt.Add(apart), d.innerAt.Add(apart), d.stampedAt.Add(apart)
		})
		if err := tn.at(nord).Plant(context.Background(), p, d.body); err != nil {
			t.Fatal(err)
		}
		if err := tn.receive(p); err != nil {
			t.Fatal(err)
		}
		tn.deliver(justice)
		if st := tn.progress(nord, d.h.ID, parquet); st.Progress != broker.Consigned || st.Flags != 0 {
			t.Errorf("%s: %+v; %v", apart, st, tn.at(nord).Refusals())
		}
	}
}

// Evidences of one pair in any order end in the same state and alarms.
func TestEvidencesInAnyOrder(t *testing.T) {
	events := []broker.Event{broker.ConsignFailed, broker.Consigned, broker.Opened, broker.Returned, broker.TakenInCharge, broker.Alerted}
	var want broker.State
	for round, order := range [][]int{{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}, {2, 0, 4, 1, 5, 3}} {
		tn, clock, r := deposited(t)
		var list []*told
		var parcels []*broker.EvidenceParcel
		for i, e := range events {
			clock.advance(time.Minute)
			s, p := tn.tell(r.ID, r.HeaderSHA256, e, func(s *told) {
				if i > 0 {
					s.e.Prev = []string{parcels[i-1].Digest}
				}
			})
			list, parcels = append(list, s), append(parcels, p)
		}
		for _, i := range order {
			if err := tn.hear(list[i], parcels[i]); err != nil {
				t.Fatalf("%s: %v", events[i], err)
			}
		}
		st := tn.progress(nord, r.ID, parquet)
		if st.Progress != broker.TakenInCharge || st.Closure != broker.Returned || st.Flags != broker.FlagAlerted || len(st.Heads) != 2 {
			t.Errorf("order %v: %+v", order, st)
		}
		if a := tn.alarms(nord, r.ID, parquet); len(a) != 0 {
			t.Errorf("order %v: alarms %v", order, a)
		}
		if round == 0 {
			want = st
		}
		if len(want.Named) != len(st.Named) {
			t.Errorf("order %v: %+v, want %+v", order, st, want)
		}
	}
}

// An act that comes before a quarantine leaves no alarm that nobody could end;
// overdue that comes after the act is kept, and says nothing.
func TestFailureAfterTheAct(t *testing.T) {
	tn, clock, r := deposited(t)
	for _, e := range []broker.Event{broker.Returned, broker.Quarantined} {
		if err := tn.hear(tn.tell(r.ID, r.HeaderSHA256, e, nil)); err != nil {
			t.Fatal(err)
		}
	}
	if a := tn.alarms(nord, r.ID, parquet); len(a) != 0 {
		t.Errorf("alarms: %v", a)
	}
	tn.deliver(nord)
	if _, err := tn.at(justice).Acknowledge(t.Context(), broker.Act{ID: r.ID, Party: parquet, Event: broker.TakenInCharge, Actor: broker.Actor{Name: "SPÉCIMEN"}, Basis: broker.Declared}); err != nil {
		t.Fatal(err)
	}
	clock.advance(5 * 24 * time.Hour)
	if err := tn.hear(tn.tell(r.ID, r.HeaderSHA256, broker.Overdue, nil)); err != nil {
		t.Fatal(err)
	}
	d, err := tn.at(justice).Dossier(r.ID)
	if err != nil || !slices.ContainsFunc(d.Evidences, func(e broker.DossierEvidence) bool { return e.Evidence.Event == broker.Overdue }) {
		t.Errorf("overdue was not kept: %v", err)
	}
	if st := tn.progress(justice, r.ID, parquet); st.Flags != 0 || len(tn.alarms(justice, r.ID, parquet)) != 0 {
		t.Errorf("%+v", st)
	}
}
