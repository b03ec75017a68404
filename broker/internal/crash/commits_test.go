package crash

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/internal/runs"
)

// TestEveryCommit breaks every commit of a fixed exchange, on each broker, in
// both ways.
func TestEveryCommit(t *testing.T) {
	ctx := context.Background()
	calm := newPlay(t, 1)
	calm.exchange(ctx)
	commits := map[broker.BrokerID][]string{nord: calm.fuses[nord].points, justice: calm.fuses[justice].points}
	if f, faults := calm.conclude(ctx); len(faults) > 0 {
		t.Fatalf("without any crash: %s\n%+v", strings.Join(faults, "\n"), f)
	}
	for _, b := range both {
		t.Logf("%s: %d commits: %s", b, len(commits[b]), histogram(commits[b]))
		wantPoints(t, b, commits[b])
	}
	runs, step := 0, 1
	if testing.Short() {
		step = 5
	}
	t.Run("crash", func(t *testing.T) {
		for _, b := range both {
			for k := 1; k <= len(commits[b]); k += step {
				for _, m := range []mode{before, after} {
					runs++
					where := fmt.Sprintf("%s, commit %d (%s), %s it", b, k, commits[b][k-1], m)
					t.Run(fmt.Sprintf("%s-%d-%s", b, k, m), func(t *testing.T) {
						t.Parallel()
						breakOne(t, b, k, m, where)
					})
				}
			}
		}
	})
	t.Logf("%d crashes: commits of both brokers, before and after", runs)
}

// breakOne plays the exchange with one crash.
func breakOne(t *testing.T, b broker.BrokerID, k int, m mode, where string) {
	ctx := context.Background()
	p := newPlay(t, 1)
	p.fuses[b].blow(k, m)
	p.exchange(ctx)
	if p.fuses[b].crashes != 1 {
		t.Errorf("%s: %d crashes", where, p.fuses[b].crashes)
	}
	if f, faults := p.conclude(ctx); len(faults) > 0 {
		t.Errorf("%s:\n%s\n%+v", where, strings.Join(faults, "\n"), f)
	}
}

// wantPoints wants the exchange to go through every kind of commit on each
// broker, so that a shorter one does not look complete.
func wantPoints(t *testing.T, b broker.BrokerID, points []string) {
	t.Helper()
	for what, types := range map[string]string{
		"accept": "pli+accepted", "receive": "pli+accepted+consigned", "receive again at the same home": "consigned",
		"settle": "delivered", "act": "taken_in_charge", "purge": "purged", "overdue": "overdue", "directory": "noted",
	} {
		if !slices.Contains(points, types) {
			t.Errorf("%s has no commit of %s (%s)", b, what, types)
		}
	}
}

func histogram(points []string) string {
	count := map[string]int{}
	for _, p := range points {
		count[p]++
	}
	var out []string
	for _, p := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprintf("%d %s", count[p], p))
	}
	return strings.Join(out, ", ")
}

// TestSeededCrashes crashes both brokers again and again at commits drawn from
// a seed, with a carrier that loses parcels and answers, repeats parcels and brings them
// late and out of order.
// VAGUEMESTRE_SEEDS says how many seeds (12 when unset), VAGUEMESTRE_SEED the
// first.
func TestSeededCrashes(t *testing.T) {
	ctx := context.Background()
	first, n := uint64(runs.Number(t, "VAGUEMESTRE_SEED", 1)), runs.Number(t, "VAGUEMESTRE_SEEDS", 12)
	crashes, late := 0, 0
	var total figures
	for seed := first; seed < first+uint64(n); seed++ {
		p := newPlay(t, seed)
		draw := rand.New(rand.NewPCG(seed, 0))
		budget := 10
		p.rearm = func(b broker.BrokerID) {
			if budget--; budget > 0 {
				p.fuses[b].blow(1+draw.IntN(20), []mode{before, after}[draw.IntN(2)])
			}
		}
		p.rearm(nord)
		p.rearm(justice)
		weather := brokertest.NewWeather(seed)
		p.Plan.Wrap = func(_ broker.BrokerID, c broker.Carrier) broker.Carrier {
			rough := &brokertest.Carrier{Next: c, Weather: weather}
			p.roads = append(p.roads, rough)
			return rough
		}
		p.exchange(ctx)
		f, faults := p.conclude(ctx)
		if len(faults) > 0 {
			t.Errorf("seed %d:\n%s", seed, strings.Join(faults, "\n"))
		}
		late += p.late
		crashes += p.fuses[nord].crashes + p.fuses[justice].crashes
		total.Plis, total.Consigned, total.Acts = total.Plis+f.Plis, total.Consigned+f.Consigned, total.Acts+f.Acts
	}
	t.Logf("%d seeds, %d crashes, %d parcels late and out of order: %d plis, %d consigned, %d acts", n, crashes, late, total.Plis, total.Consigned, total.Acts)
	if crashes < 2*n || late == 0 {
		t.Errorf("too few crashes: nothing was shown")
	}
}
