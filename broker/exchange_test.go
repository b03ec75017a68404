package broker_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
)

// A U0 signalement of an unidentified child, with eight fields and one PDF,
// goes out, is consigned by both recipients, and an act of a person comes back
// sealed.
func TestExchange(t *testing.T) {
	tn := newTown(t, nil)
	tn.run()
	ctx := context.Background()
	r := accept(t, tn.at(nord), signalement(t, "key-1"))
	eventually(t, "consigned by the parquet and the greffe", func() bool {
		return tn.progress(nord, r.ID, parquet).Progress == broker.Consigned && tn.progress(nord, r.ID, juge).Progress == broker.Consigned
	})
	c, err := tn.at(justice).Read(ctx, r.ID, parquet)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Inner.Thread != r.Thread || len(c.Pieces) != 1 || !strings.Contains(string(c.Text.Bytes()), "MODÈLE") {
		t.Errorf("the opened pli is not what was deposited: thread %s, %d pieces", c.Inner.Thread, len(c.Pieces))
	}
	var pdf string
	err = c.EachPart(ctx, func(name, _ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if name == "piece-01.pdf" {
			pdf = string(b)
		}
		return err
	})
	if err != nil || !strings.HasPrefix(pdf, "%PDF-1.4 note") {
		t.Errorf("the piece did not come through: %v", err)
	}
	act := broker.Act{ID: r.ID, Party: parquet, Event: broker.TakenInCharge, Actor: broker.Actor{Name: "SPÉCIMEN Dominique", Function: "substitut"}, Basis: broker.Declared, Reason: "suivi"}
	if _, err := tn.at(justice).Acknowledge(ctx, act); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the act at the sender's", func() bool { return tn.progress(nord, r.ID, parquet).Acted })
	if _, err := tn.at(justice).Acknowledge(ctx, act); !errors.Is(err, broker.ErrAlready) {
		t.Errorf("the same act twice: %v", err)
	}
	d, err := tn.at(nord).Dossier(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(d.Evidences, func(e broker.DossierEvidence) bool { return e.Evidence.Event == broker.TakenInCharge })
	if i < 0 {
		t.Fatal("no evidence of the act")
	}
	o, err := tn.at(nord).OpenEvidence(ctx, d.Evidences[i].Sealed, ase)
	if err != nil || o.Detail.Actor.Name != "SPÉCIMEN Dominique" {
		t.Errorf("the sender cannot read who acted: %v", err)
	}
	if s := tn.progress(justice, r.ID, parquet); s.Progress != broker.TakenInCharge || s.Flags != 0 {
		t.Errorf("state at the recipient's: %+v", s)
	}
}

// The same key gives the stored receipt; the same key with another submission
// is a conflict.
func TestAcceptIsIdempotent(t *testing.T) {
	tn := newTown(t, nil)
	first := accept(t, tn.at(nord), signalement(t, "same"))
	again := accept(t, tn.at(nord), signalement(t, "same"))
	if !again.Repeated || again.ID != first.ID || string(again.Deposit) != string(first.Deposit) || string(again.DepositSig) != string(first.DepositSig) {
		t.Errorf("another receipt: %+v", again)
	}
	if again.Thread != first.Thread {
		t.Errorf("another thread %q", again.Thread)
	}
	other := signalement(t, "same")
	other.Pieces = []io.Reader{strings.NewReader("%PDF-1.4 another\n")}
	if _, err := tn.at(nord).Accept(context.Background(), other); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("another submission under the same key: %v", err)
	}
	if sent, _, _ := tn.at(nord).Plis(ase); len(sent) != 1 {
		t.Errorf("%d plis for one submission", len(sent))
	}
}

// No act within the patience of a party: overdue is signed, raises an alarm at
// both ends, and an act lowers it.
func TestOverdueUntilAnAct(t *testing.T) {
	clock := newSteppedClock()
	ctx := context.Background()
	tn := newTown(t, clock.plan)
	tn.run()
	r := accept(t, tn.at(nord), signalement(t, "k"))
	eventually(t, "consigned", func() bool { return tn.progress(nord, r.ID, parquet).Progress == broker.Consigned })
	if tn.progress(nord, r.ID, parquet).Has(broker.FlagOverdue) {
		t.Fatal("overdue before the time")
	}
	clock.advance(16 * time.Minute)
	tn.at(nord).Wake()
	eventually(t, "overdue at both ends", func() bool {
		return tn.progress(nord, r.ID, parquet).Has(broker.FlagOverdue) && tn.progress(justice, r.ID, parquet).Has(broker.FlagOverdue)
	})
	if tn.progress(nord, r.ID, juge).Has(broker.FlagOverdue) {
		t.Error("a copy is overdue")
	}
	for _, b := range []broker.BrokerID{nord, justice} {
		if a, _ := tn.at(b).Alarms(); len(a) != 1 || a[0].Cause != broker.Overdue {
			t.Errorf("alarms at %s: %+v", b, a)
		}
	}
	act := broker.Act{ID: r.ID, Party: parquet, Event: broker.TakenInCharge, Actor: broker.Actor{Name: "SPÉCIMEN Dominique"}, Basis: broker.Declared}
	if _, err := tn.at(justice).Acknowledge(ctx, act); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the alarm goes", func() bool {
		a, _ := tn.at(nord).Alarms()
		b, _ := tn.at(justice).Alarms()
		return len(a)+len(b) == 0
	})
}
