package broker_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/clock"
	"vaguemestre/broker/export"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// restore gives a broker the copy of its own journal: a new log begins.
func restore(t *testing.T, tn *town, id broker.BrokerID) {
	t.Helper()
	ctx := context.Background()
	var copied bytes.Buffer
	if err := tn.Nodes[id].Journal.Backup(ctx, &copied); err != nil {
		t.Fatal(err)
	}
	if err := tn.Nodes[id].Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tn.Dir(id), "journal.db"), copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tn.OpenNode(ctx, id); err != nil {
		t.Fatal(err)
	}
}

// After a restored backup the numbers of the leaves begin again: an evidence
// of the new log takes the place of none of the old one, and comes after them.
func TestEvidencesOfTwoLogs(t *testing.T) {
	ctx := context.Background()
	tn := newTown(t, nil)
	r := accept(t, tn.at(nord), signalement(t, "k"))
	tn.deliver(nord)
	tn.deliver(justice)
	before, err := tn.at(nord).Dossier(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	first := before.Evidences[0]
	restore(t, tn, nord)
	for tn.Nodes[nord].Journal.Head().Size < first.Position {
		if err := tn.at(nord).Note(ctx, "", "filler"); err != nil {
			t.Fatal(err)
		}
	}
	act := broker.Act{ID: r.ID, Party: parquet, Event: broker.TakenInCharge, Actor: broker.Actor{Name: "SPÉCIMEN Dominique", Function: "substitut"}, Basis: broker.Declared, Reason: "suivi"}
	if _, err := tn.at(justice).Acknowledge(ctx, act); err != nil {
		t.Fatal(err)
	}
	for _, it := range tn.due(justice) { // one by one: no leaf in between
		if err := tn.at(justice).Deliver(ctx, it); err != nil {
			t.Fatal(err)
		}
	}
	after, err := tn.at(nord).Dossier(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(after.Evidences), len(before.Evidences)+1; got != want {
		t.Fatalf("%d evidences, want %d", got, want)
	}
	if last := after.Evidences[len(after.Evidences)-1].Evidence.Event; last != broker.TakenInCharge {
		t.Errorf("the last evidence is %s", last)
	}
	if got := tn.at(nord).Fold(after, parquet); !equal(got, tn.progress(nord, r.ID, parquet)) {
		t.Errorf("fold %+v, stored %+v", got, tn.progress(nord, r.ID, parquet))
	}
	_, err = export.Write(ctx, tn.at(nord), r.ID, filepath.Join(t.TempDir(), "out"), export.Options{})
	if !errors.Is(err, export.ErrSpread) {
		t.Errorf("export of a pli in two logs: %v", err)
	}
	later := accept(t, tn.at(nord), signalement(t, "k2"))
	if _, err := export.Write(ctx, tn.at(nord), later.ID, filepath.Join(t.TempDir(), "out"), export.Options{}); err != nil {
		t.Errorf("export of a pli of the new log: %v", err)
	}
	if err := tn.Nodes[nord].Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Verify(ctx, tn.Dir(nord), nil); err != nil {
		t.Errorf("verify: %v", err)
	}
	if _, err := tn.OpenNode(ctx, nord); err != nil {
		t.Fatal(err)
	}
}

// What was accepted goes at once, also when the wall clock is set back: it does
// not wait for an hour that comes a second time. By less than broker.Skew, or
// the deposit would be in the future.
func TestDeliveryAfterTheClockWasSetBack(t *testing.T) {
	tn, clock := stepped(t)
	clock.advance(time.Hour) // the keys are older
	accept(t, tn.at(nord), signalement(t, "k"))
	clock.advance(-4 * time.Minute)
	tn.run()
	eventually(t, "the work is done", func() bool {
		left := 0
		err := tn.Nodes[nord].Journal.View(func(v journal.View) error { left = v.Pending(broker.TopicPli); return nil })
		return err == nil && left == 0
	})
	tn.halt()
}

// A retry may be put off as long as the backoff says: the journal takes what
// is farther away for due.
func TestBackoffWithinTheLongestDelay(t *testing.T) {
	for _, urgent := range []bool{false, true} {
		if most := clock.Backoff(1000, urgent, 0); most >= journal.LongestDelay(urgent) {
			t.Errorf("urgent %v: backoff %v, longest delay %v", urgent, most, journal.LongestDelay(urgent))
		}
	}
}
