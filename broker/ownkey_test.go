package broker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"vaguemestre/broker"
)

// The broker's own key was revoked: a silence raises its alarm although it cannot be signed.
func TestOwnKeyDoesNotServe(t *testing.T) {
	clock := newSteppedClock()
	tn := newTown(t, clock.plan)
	tn.run()
	r := accept(t, tn.at(nord), signalement(t, "k"))
	eventually(t, "consigned", func() bool { return tn.progress(nord, r.ID, parquet).Progress == broker.Consigned })
	cert, err := tn.Identities[string(nord)].Revoke(clock.Now(), false)
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour)
	tn.Ring(nord).AddCert(string(nord), cert)
	tn.at(nord).Wake()
	eventually(t, "an alarm", func() bool {
		a, _ := tn.at(nord).Alarms()
		return len(a) == 1 && a[0].Cause == broker.Overdue && a[0].Recipient == parquet
	})
	tn.halt()
	if err := tn.Nodes[nord].Close(context.Background()); err == nil {
		t.Error("a last checkpoint that cannot be signed must be told")
	}
	delete(tn.Nodes, nord)
}

func TestDepositWithoutABrokerKey(t *testing.T) {
	clock := newSteppedClock()
	tn := newTown(t, clock.plan)
	cert, err := tn.Identities[string(nord)].Revoke(clock.Now(), false)
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour)
	tn.Ring(nord).AddCert(string(nord), cert)
	var refusal *broker.Refusal
	if _, err := tn.at(nord).Accept(context.Background(), signalement(t, "k2")); !errors.As(err, &refusal) || refusal.Code != broker.RefusedKey || refusal.Hint == "" {
		t.Errorf("a deposit that cannot be stamped: %v", err)
	}
	_ = tn.Nodes[nord].Close(context.Background())
	delete(tn.Nodes, nord)
}
