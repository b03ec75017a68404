package broker_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal/boltstore"
)

// A journal is restored from a backup that is older than what others saw of
// it. The range that it lacks is named before it serves, stays as an alarm
// until a person settles it, and the peer carries again what was lost.
func TestResendToARestoredBroker(t *testing.T) {
	ctx := context.Background()
	tn := newTown(t, nil)
	first := accept(t, tn.at(nord), signalement(t, "avant"))
	exchange := func() {
		for range 4 {
			tn.deliver(nord)
			tn.deliver(justice)
		}
	}
	exchange()
	var copied bytes.Buffer
	if err := tn.Nodes[justice].Journal.Backup(ctx, &copied); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	var lost []string
	for _, key := range []string{"perdu 1", "perdu 2", "perdu 3"} {
		lost = append(lost, accept(t, tn.at(nord), signalement(t, key)).ID)
	}
	exchange()
	for _, id := range lost {
		if got := tn.progress(justice, id, parquet).Progress; got != broker.Consigned {
			t.Fatalf("before the loss: %s", got)
		}
	}
	seen, err := tn.at(nord).Heads(justice)
	if err != nil || len(seen) != 1 {
		t.Fatalf("heads: %v, %v", seen, err)
	}

	if err := tn.Nodes[justice].Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tn.Dir(justice), "journal.db"), copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var missing *boltstore.MissingError
	_, err = boltstore.Verify(ctx, tn.Dir(justice), nil, boltstore.SignedHead{Text: seen[0].Checkpoint()})
	if !errors.As(err, &missing) || missing.Head != seen[0] || missing.From == 0 || missing.From >= seen[0].Size {
		t.Fatalf("the copy, held against what the peer saw: %v", err)
	}
	if _, err := tn.OpenNode(ctx, justice); err != nil {
		t.Fatal(err)
	}
	m := broker.MissingRange{Origin: missing.Head.Origin, From: missing.From, To: missing.Head.Size}
	if err := tn.at(justice).Missing(ctx, m); err != nil {
		t.Fatal(err)
	}
	alarms, err := tn.at(justice).Alarms()
	named := false
	for _, a := range alarms {
		named = named || a.Cause == "journal_incomplet" && strings.Contains(a.ID, strings.ReplaceAll(m.Origin, "/", ":"))
	}
	if err != nil || !named {
		t.Errorf("alarms %v, %v", alarms, err)
	}

	n, err := tn.at(nord).Resend(ctx, justice, since)
	if err != nil || n.Plis != 2*len(lost) { // each has two recipients there
		t.Fatalf("resent %+v, %v", n, err)
	}
	exchange()
	for _, id := range append(lost, first.ID) {
		for _, b := range []broker.BrokerID{justice, nord} {
			for _, p := range []broker.PartyID{parquet, juge} {
				if got := tn.progress(b, id, p).Progress; got != broker.Consigned {
					t.Errorf("%s at %s for %s after the resend: %s", id, b, p, got)
				}
			}
		}
	}
	// Once more changes nothing.
	before := tn.Nodes[justice].Journal.Head().Size
	if _, err := tn.at(nord).Resend(ctx, justice, since); err != nil {
		t.Fatal(err)
	}
	exchange()
	_, received, err := tn.at(justice).Plis(parquet)
	if err != nil || len(received) != len(lost)+1 {
		t.Errorf("%d plis of the parquet, %v (%d leaves, then %d)", len(received), err, before, tn.Nodes[justice].Journal.Head().Size)
	}
	if err := tn.at(justice).Settled(ctx); err != nil {
		t.Error(err)
	}
	if err := tn.at(justice).Settled(ctx); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("settled twice: %v", err)
	}
	if _, err := tn.at(nord).Resend(ctx, nord, since); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("to itself: %v", err)
	}
}
