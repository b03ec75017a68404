package broker_test

import (
	"context"
	"testing"
	"time"

	"vaguemestre/broker"
)

// A sealed act that the relay gave up, because its destination was down for
// longer than a week, is carried when its home says it again: what the relay
// answers well to, it carries.
func TestRelayCarriesAGivenUpActAgain(t *testing.T) {
	ctx := context.Background()
	tn, clock := relayed(t, nil)
	since := tn.Plan.Now()
	r := accept(t, tn.at(nord), transmission(t, "k", noise(1000), parquet))
	tn.drain()
	tn.Net.Join(nord, nil)
	if _, err := tn.at(justice).Acknowledge(ctx, takeInCharge(r.ID)); err != nil {
		t.Fatal(err)
	}
	for range 9 * 24 {
		clock.advance(time.Hour)
		tn.drain()
	}
	if n := len(tn.letters(relais)); n != 1 {
		t.Fatalf("%d dead letters at the relay", n)
	}
	tn.Net.Join(nord, tn.at(nord))
	if n, err := tn.at(justice).Resend(ctx, nord, since.Add(-time.Minute)); err != nil || n.Evidences == 0 {
		t.Fatalf("resent %+v, %v", n, err)
	}
	for range 5 {
		tn.drain()
		clock.advance(3 * time.Hour)
	}
	if st := tn.progress(nord, r.ID, parquet); st.Progress != broker.TakenInCharge {
		t.Errorf("said again, and the sender sees %+v", st)
	}
	if n := len(tn.letters(relais)); n != 0 {
		t.Errorf("%d dead letters are left at the relay", n)
	}
	tn.carriesNothing()
	if list, err := tn.at(relais).Alarms(); err != nil || len(list) > 0 {
		t.Errorf("alarms at the relay: %v, %v", list, err)
	}
}
