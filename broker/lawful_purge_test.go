package broker_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"vaguemestre/broker"
)

// What was refused to one recipient is not shown to it because another one
// at the same home has it.
func TestRefusedToOneAndConsignedToTheOther(t *testing.T) {
	tn, _ := stepped(t)
	// A judge may have a copy of a signalement, and not be its addressee.
	p, d := tn.forgery(func(d *draft) {
		d.h.To, d.h.Cc = []broker.PartyID{juge, parquet}, nil
		d.inner.To, d.inner.Cc, d.acte.To, d.acte.Cc = d.h.To, nil, d.h.To, nil
	})
	ctx := context.Background()
	for _, to := range []broker.PartyID{parquet, juge} {
		if err := tn.at(justice).Receive(ctx, nord, to, broker.Parcel{Pli: p}); err != nil {
			t.Fatal(err)
		}
	}
	if e := tn.reception(d.h.ID, juge); e.ReasonCode != broker.ReasonForbidden {
		t.Fatalf("%s %s", e.Event, e.ReasonCode)
	}
	c, err := tn.at(justice).Read(ctx, d.h.ID, parquet)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := tn.at(justice).Read(ctx, d.h.ID, juge); !errors.Is(err, broker.ErrNotYet) {
		t.Errorf("the judge reads what was refused: %v", err)
	}
}

// Purging a refused pli that names the body of another erases nothing of it;
// purging a pli ends what still waits to be carried with a dead letter.
func TestPurgeOfARefusedPli(t *testing.T) {
	tn, _ := stepped(t)
	ctx := context.Background()
	p, first := tn.forgery(func(d *draft) {
		d.parts[3].b = noise(200_000)
		d.acte.PiecesSHA256 = []string{broker.Digest(d.parts[3].b)}
	})
	again := *first
	again.h.ID = uuid7(first.signedAt)
	for _, p := range []*broker.PliParcel{p, tn.sign(&again)} {
		for _, to := range []broker.PartyID{parquet, juge} {
			if err := tn.at(justice).Receive(ctx, nord, to, broker.Parcel{Pli: p}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if e := tn.reception(again.h.ID, parquet); e.ReasonCode != broker.ReasonHeaderDiffers {
		t.Fatalf("%s %s", e.Event, e.ReasonCode)
	}
	if err := tn.at(justice).Purge(ctx, again.h.ID); err != nil {
		t.Fatal(err)
	}
	c, err := tn.at(justice).Read(ctx, first.h.ID, parquet)
	if err != nil {
		t.Fatalf("the other pli: %v", err)
	}
	c.Close()
	if err := tn.at(justice).Purge(ctx, first.h.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := tn.at(justice).Read(ctx, first.h.ID, parquet); !errors.Is(err, broker.ErrNotFound) || len(tn.bodyFiles(justice)) != 0 {
		t.Errorf("after the purge: %v, %d files", err, len(tn.bodyFiles(justice)))
	}
}

func TestPurgeBeforeDelivery(t *testing.T) {
	tn, _, r := deposited(t)
	if err := tn.at(nord).Purge(context.Background(), r.ID); err != nil {
		t.Fatal(err)
	}
	tn.deliver(nord)
	letters := tn.letters(nord)
	if len(letters) != 2 || letters[0].Reason != "contenu_efface" {
		t.Errorf("letters: %+v", letters)
	}
	if a := tn.alarms(nord, r.ID, parquet); !slices.Equal(a, []broker.Event{broker.RelayFailed}) {
		t.Errorf("alarms: %v", a)
	}
	again := signalement(t, "k")
	again.Urgency = broker.U1
	if got := accept(t, tn.at(nord), again); !got.Repeated || got.ID != r.ID {
		t.Errorf("the receipt, after the purge: %+v", got)
	}
}
