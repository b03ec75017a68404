package broker_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// Plis with as many recipients as there may be, all of the broker that was
// restored: what is carried again is more than one event of the journal takes.
func TestResendOfManyRecipients(t *testing.T) {
	ctx := context.Background()
	to := []broker.PartyID{parquet}
	tn := newTown(t, func(p *wiring.Plan) {
		at := slices.IndexFunc(p.Parties, func(q directory.Party) bool { return q.ID == parquet })
		for n := 2; n <= broker.MaxRecipients; n++ {
			q := p.Parties[at]
			q.ID = broker.PartyID(fmt.Sprintf("%s-%d", parquet, n))
			p.Parties = append(p.Parties, q)
			to = append(to, q.ID)
		}
	})
	since := tn.Plan.Now()
	const plis = 20
	for n := range plis {
		accept(t, tn.at(nord), transmission(t, fmt.Sprint(n), noise(1000), to...))
	}
	n, err := tn.at(nord).Resend(ctx, justice, since.Add(-time.Minute))
	if err != nil || n.Plis != plis*len(to) {
		t.Errorf("resent %+v, %v; want %d", n, err, plis*len(to))
	}
}
