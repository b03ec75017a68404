package broker_test

import (
	"context"
	"errors"
	"testing"

	"vaguemestre/broker"
)

// A home erases for every recipient that lives there, and says so of each; a
// second time it was said already. What was proven stays.
func TestPurgeNamesEveryRecipient(t *testing.T) {
	tn := newTown(t, nil)
	tn.run()
	ctx := context.Background()
	r := accept(t, tn.at(nord), signalement(t, "k"))
	both := []broker.PartyID{parquet, juge}
	for _, p := range both {
		eventually(t, "consigned", func() bool { return tn.progress(nord, r.ID, p).Progress == broker.Consigned })
	}
	if err := tn.at(justice).Purge(ctx, r.ID); err != nil {
		t.Fatal(err)
	}
	for _, p := range both {
		eventually(t, "purged at the sender's", func() bool { return tn.progress(nord, r.ID, p).Has(broker.FlagPurged) })
		if _, err := tn.at(justice).Read(ctx, r.ID, p); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("%s still reads it: %v", p, err)
		}
	}
	if err := tn.at(justice).Purge(ctx, r.ID); !errors.Is(err, broker.ErrAlready) {
		t.Errorf("purged twice: %v", err)
	}
	if d, err := tn.at(nord).Dossier(r.ID); err != nil || len(d.Evidences) != 4 {
		t.Errorf("proof after the purge: %v", err)
	}
}
