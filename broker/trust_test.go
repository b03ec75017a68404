package broker_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// Nobody can prepare an act for a passkey to sign yet: what comes with the
// call signed something else, and is not believed.
func TestPasskeyIsRefusedHere(t *testing.T) {
	tn, _, r := deposited(t)
	tn.deliver(nord)
	var refusal *broker.Refusal
	for _, assertion := range [][]byte{nil, []byte("not an assertion")} {
		a := takenInCharge(r.ID)
		a.Basis, a.Assertion = broker.Passkey, assertion
		if _, err := tn.at(justice).Acknowledge(context.Background(), a); !errors.As(err, &refusal) || refusal.Field != "basis" || refusal.Hint == "" {
			t.Errorf("act: %v", err)
		}
		s := signalement(t, "p")
		s.Basis, s.Assertion = broker.Passkey, assertion
		if _, err := tn.at(nord).Accept(context.Background(), s); !errors.As(err, &refusal) || refusal.Field != "basis" || refusal.Hint == "" {
			t.Errorf("deposit: %v", err)
		}
	}
	a := takenInCharge(r.ID)
	a.Assertion = []byte("without a passkey")
	if _, err := tn.at(justice).Acknowledge(context.Background(), a); !errors.As(err, &refusal) || refusal.Field != "basis" {
		t.Errorf("an assertion of a declared act: %v", err)
	}
}

// A sender whose journal is an older backup carries its plis again: it hears
// again what was signed, refusals and acts too, once.
func TestRestoredSenderHearsAgain(t *testing.T) {
	ctx := context.Background()
	tn, clock := stepped(t)
	r := accept(t, tn.at(nord), signalement(t, "k"))
	var backup bytes.Buffer
	if err := tn.Nodes[nord].Journal.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	tn.deliver(nord)
	if _, err := tn.at(justice).Acknowledge(ctx, takenInCharge(r.ID)); err != nil {
		t.Fatal(err)
	}
	tn.deliver(justice)
	before := tn.progress(nord, r.ID, parquet)
	if err := tn.Nodes[nord].Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tn.Dir(nord), "journal.db"), backup.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tn.OpenNode(ctx, nord); err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Minute)
	again := tn.due(nord)
	tn.deliver(nord)
	for _, it := range again { // once more, while the answers wait
		p, err := tn.at(nord).ParcelOf(it)
		if err != nil {
			t.Fatal(err)
		}
		if err := tn.at(justice).Receive(ctx, nord, broker.PartyID(it.Dest), p); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(tn.due(justice)); n != 3 { // consigned twice, and the act
		t.Errorf("%d evidences wait", n)
	}
	tn.deliver(justice)
	if st := tn.progress(nord, r.ID, parquet); !equal(st, before) || !st.Acted {
		t.Errorf("%+v, before the restore %+v", st, before)
	}
	if st := tn.progress(nord, r.ID, juge); st.Progress != broker.Consigned {
		t.Errorf("the judge: %+v", st)
	}
}

func TestRefusalIsSaidAgain(t *testing.T) {
	tn, _ := stepped(t)
	p, d := tn.forgery(func(d *draft) { d.inner.Urgency = broker.U2 })
	for i := range 2 {
		if err := tn.receive(p); err != nil {
			t.Fatal(err)
		}
		items := tn.due(justice)
		if len(items) != 1 {
			t.Fatalf("time %d: %d items", i, len(items))
		}
		if e := tn.reception(d.h.ID, parquet); e.Event != broker.ConsignFailed {
			t.Errorf("time %d: %s", i, e.Event)
		}
		tn.deliver(justice) // the sender's broker never had it: refused there
	}
}

// What is withheld is released by a person's act or a good reception: not by a
// machine that fetches, nor by somebody who looks.
func TestOnlyAnActReleasesAQuarantine(t *testing.T) {
	tn, clock := stepped(t)
	ctx := context.Background()
	p, d := tn.forgery(nil)
	if err := tn.at(nord).Plant(ctx, p, d.body); err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour)
	c, err := tn.Identities["ase-59"].Revoke(clock.Now().Add(-time.Minute), true)
	if err != nil {
		t.Fatal(err)
	}
	tn.Ring(justice).AddCert("ase-59", c)
	if err := tn.receive(p); err != nil {
		t.Fatal(err)
	}
	tn.Ring(justice).AddCert("ase-59", tn.identity(clock.Now().Add(-time.Minute), 0).Cert())
	a := takenInCharge(d.h.ID)
	a.Event = broker.Fetched
	var refusal *broker.Refusal
	if _, err := tn.at(justice).Acknowledge(ctx, a); !errors.As(err, &refusal) || refusal.Hint == "" {
		t.Errorf("fetched: %v", err)
	}
	withheld := func() bool {
		alarm := slices.Contains(tn.alarms(justice, d.h.ID, parquet), broker.Quarantined)
		if flag := tn.progress(justice, d.h.ID, parquet).Has(broker.FlagQuarantined); flag != alarm {
			t.Errorf("flag %v, alarm %v", flag, alarm)
		}
		return alarm
	}
	a.Event = broker.Opened
	if _, err := tn.at(justice).Acknowledge(ctx, a); err != nil {
		t.Fatal(err)
	}
	if !withheld() {
		t.Error("released by an opening")
	}
	if _, err := tn.at(justice).Acknowledge(ctx, takenInCharge(d.h.ID)); err != nil {
		t.Fatal(err)
	}
	if withheld() {
		t.Error("still withheld after an act")
	}
}

// A quarantine cleared in one order of arrival is cleared in every other.
func TestQuarantineInAnyOrder(t *testing.T) {
	e := func(event broker.Event) broker.Evidence { return broker.Evidence{Event: event} }
	for _, c := range []struct {
		events []broker.Event
		up     bool
	}{
		{[]broker.Event{broker.Quarantined}, true},
		{[]broker.Event{broker.Quarantined, broker.Fetched, broker.Opened}, true},
		{[]broker.Event{broker.Quarantined, broker.Opened, broker.Consigned}, false},
		{[]broker.Event{broker.Quarantined, broker.Returned}, false},
	} {
		for _, reverse := range []bool{false, true} {
			if reverse {
				slices.Reverse(c.events)
			}
			st := broker.State{}
			for _, event := range c.events {
				st = st.Apply(e(event), string(event))
			}
			if st.Has(broker.FlagQuarantined) != c.up {
				t.Errorf("%v: %v", c.events, st.FlagWords())
			}
		}
	}
}

func TestEvidencesOfAU0AreUrgent(t *testing.T) {
	for _, u := range []broker.Urgency{broker.U0, broker.U1} {
		tn, _ := stepped(t)
		s := signalement(t, "k")
		s.Urgency = u
		r := accept(t, tn.at(nord), s)
		tn.deliver(nord)
		if _, err := tn.at(justice).Acknowledge(context.Background(), takenInCharge(r.ID)); err != nil {
			t.Fatal(err)
		}
		items := tn.due(justice)
		if len(items) != 3 {
			t.Fatalf("%d evidences", len(items))
		}
		for _, it := range items {
			if it.Urgent != (u == broker.U0) {
				t.Errorf("%s: urgent %v", u, it.Urgent)
			}
		}
	}
}

func TestOverdueBeforeTheTimeIsRefused(t *testing.T) {
	tn, clock, r := deposited(t)
	tn.deliver(nord)
	clock.advance(time.Second)
	err := tn.hear(tn.tell(r.ID, r.HeaderSHA256, broker.Overdue, nil))
	var refusal *broker.Refusal
	if !errors.As(err, &refusal) || refusal.Code != broker.ReasonBackDated || len(tn.alarms(justice, r.ID, parquet)) != 0 {
		t.Errorf("%v, alarms %v", err, tn.alarms(justice, r.ID, parquet))
	}
	clock.advance(5 * 24 * time.Hour)
	if err := tn.hear(tn.tell(r.ID, r.HeaderSHA256, broker.Overdue, nil)); err != nil {
		t.Error(err)
	}
}

// A party moves while its evidence travels: the home that the directory gave
// when the pli was deposited still speaks for it, of that pli. One that was
// never its home does not.
func TestPartyMovesWhileItsEvidenceTravels(t *testing.T) {
	tn, _, r := deposited(t)
	ctx := context.Background()
	tn.deliver(nord)
	move := func(p broker.PartyID, home broker.BrokerID) {
		d := tn.at(nord).Directory()
		l := directory.Listing{Self: nord, Demonstration: true, Policy: wiring.Policy(), Brokers: d.Brokers(), Parties: d.Parties()}
		for i := range l.Brokers {
			l.Brokers[i].Hosting = directory.HostingShared
		}
		for i := range l.Parties {
			if l.Parties[i].ID == p {
				l.Parties[i].Home = home
			}
		}
		next, err := directory.New(l)
		if err != nil {
			t.Fatal(err)
		}
		if err := tn.at(nord).SetDirectory(ctx, next); err != nil {
			t.Fatal(err)
		}
	}
	move(parquet, nord)
	tn.deliver(justice)
	if st := tn.progress(nord, r.ID, parquet); st.Progress != broker.Consigned {
		t.Errorf("%+v, refusals %v", st, tn.at(nord).Refusals())
	}
	later := signalement(t, "later")
	later.To, later.Cc = []broker.PartyID{parquet}, nil
	second := accept(t, tn.at(nord), later)
	err := tn.hear(tn.tell(second.ID, second.HeaderSHA256, broker.Consigned, nil))
	var refusal *broker.Refusal
	if !errors.As(err, &refusal) || refusal.Code != broker.RefusedSigner {
		t.Errorf("of a pli deposited after the move: %v", err)
	}
}
