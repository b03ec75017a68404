package load

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/internal/served"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

const (
	anonBound = 256 << 20 // of the process's own memory, bytes

	// slopeBound is by how much it may grow in ten minutes, once it has what it
	// remembers: judged on a run that is long enough to tell.
	slopeBound = 1 << 20
	slopeFrom  = 20 * time.Minute
	slopeLong  = 50 * time.Minute
)

// TestLoad sends what a large département would, and ten times that.
func TestLoad(t *testing.T) {
	pl := plan{rate: runs.Number(t, "VAGUEMESTRE_RATE", 40), calm: 4 * time.Second, anonBound: anonBound, settle: patience}
	if s := runs.Number(t, "VAGUEMESTRE_SECONDS", 0); s > 0 {
		pl.calm = time.Duration(s) * time.Second
	}
	pl.storm = max(pl.calm/6, time.Second)
	s := serve(t, build(t))
	began := time.Now()
	o := run(t, s, pl)
	s.stop(t)
	for _, fault := range o.faults(t, s, pl) {
		t.Error(fault)
	}
	rec := o.record(t, pl, time.Since(began))
	t.Log(rec)
	if o.calm.refused.Load() > 0 {
		t.Logf("refused in the calm: %d", o.calm.refused.Load())
	}
	rec.write(t)
}

// faults holds what came against what was promised.
func (o *outcome) faults(t *testing.T, s *site, pl plan) (out []string) {
	t.Helper()
	say := func(bad bool, format string, args ...any) {
		if bad {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	accepted := int(o.calm.accepted.Load() + o.storm.accepted.Load())
	say(accepted == 0, "nothing was accepted: nothing was shown")
	say(len(o.ids) != accepted, "%d receipts name %d messages", accepted, len(o.ids))
	say(o.calm.broken.Load()+o.storm.broken.Load() > 0, "%d and %d answers are neither receipts nor refusals", o.calm.broken.Load(), o.storm.broken.Load())
	say(o.calm.mute.Load()+o.storm.mute.Load() > 0, "%d refusals do not say when to come back", o.calm.mute.Load()+o.storm.mute.Load())
	anon, fds := o.watch.most()
	say(anon > pl.anonBound, "the process's own memory reached %d MB", anon>>20)
	say(pl.calm >= slopeLong && o.watch.slope(slopeFrom, pl.calm) > slopeBound, "its memory grows by %.1f MB in ten minutes", o.watch.slope(slopeFrom, pl.calm)/(1<<20))
	say(o.rested.fds > o.idle.fds+2, "%d descriptors at the end, %d before, %d at most", o.rested.fds, o.idle.fds, fds)
	say(o.routines[1] > o.routines[0]+16, "%v goroutines at the end, %v before", o.routines[1], o.routines[0])
	held, letters := o.facts(t, s)
	say(letters > 0, "%d dead letters", letters)
	say(len(held.Plis) != len(o.ids), "%d plis in the journal, %d receipts", len(held.Plis), len(o.ids))
	lost, twice, unconsigned := 0, 0, 0
	for id := range o.ids {
		switch held.Plis[id] {
		case 0:
			lost++
		case 1:
		default:
			twice++
		}
		if len(held.Events[brokertest.Fact{Event: broker.Consigned, ID: id, Recipient: served.Parquet}]) == 0 {
			unconsigned++
		}
	}
	say(lost+twice > 0, "%d messages lost, %d twice", lost, twice)
	say(unconsigned > 0, "%d messages never consigned", unconsigned)
	return out
}

// facts reads the journal of the broker that has stopped.
func (o *outcome) facts(t *testing.T, s *site) (held brokertest.Facts, letters int) {
	t.Helper()
	store, err := boltstore.OpenReadOnly(s.Data)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.New(store, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close(t.Context())
	if held, err = brokertest.ReadFacts(j); err != nil {
		t.Fatal(err)
	}
	err = j.View(func(v journal.View) error {
		letters = len(v.Letters(0, 1000))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return held, letters
}

// tenMinutes is the slope of the anonymous memory in bytes, 0 for a run too
// short to tell.
func (o *outcome) tenMinutes(pl plan) float64 {
	if pl.calm < 10*time.Minute {
		return 0
	}
	return o.watch.slope(min(slopeFrom, pl.calm/3), pl.calm)
}

// quantile is of the accepted ones, in milliseconds.
func (p *phase) quantile(q float64) float64 {
	if len(p.took) == 0 {
		return 0
	}
	slices.Sort(p.took)
	return float64(p.took[int(q*float64(len(p.took)-1))].Microseconds()) / 1000
}

// record is what a run leaves for whoever asks what was run.
type record struct {
	runs.Head
	Rate          int     `json:"rate_per_s"`
	Accepted      int64   `json:"accepted"`
	Refused       int64   `json:"refused"`
	P50           float64 `json:"p50_ms"`
	P99           float64 `json:"p99_ms"`
	StormSent     int64   `json:"storm_sent"`
	StormAccepted int64   `json:"storm_accepted"`
	StormRefused  int64   `json:"storm_refused"`
	StormP99      float64 `json:"storm_p99_ms"`
	Consigned     int64   `json:"consigned"`
	Purged        int64   `json:"purged"`
	Anon          float64 `json:"anon_mb_most"`
	Slope         float64 `json:"anon_mb_per_10_min"`
	Journal       float64 `json:"journal_mb"`
	FDs           int     `json:"descriptors_most"`
	FDsLeft       int     `json:"descriptors_left"`
	Routines      int     `json:"goroutines_left"`
}

func (o *outcome) record(t *testing.T, pl plan, took time.Duration) record {
	t.Helper()
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	command := fmt.Sprintf("VAGUEMESTRE_RATE=%d VAGUEMESTRE_SECONDS=%d go test ./broker/internal/load -run TestLoad -timeout 4h -v", pl.rate, int(pl.calm.Seconds()))
	h, err := runs.NewHead(root, command, 0, took)
	if err != nil {
		t.Fatal(err)
	}
	anon, fds := o.watch.most()
	const mb = 1 << 20
	return record{
		Head: h, Rate: pl.rate, Accepted: o.calm.accepted.Load(), Refused: o.calm.refused.Load(),
		P50: o.calm.quantile(0.50), P99: o.calm.quantile(0.99),
		StormSent: o.storm.sent.Load(), StormAccepted: o.storm.accepted.Load(), StormRefused: o.storm.refused.Load(), StormP99: o.storm.quantile(0.99),
		Consigned: int64(o.consigned), Purged: o.purged.Load(), Anon: float64(anon / mb), Slope: o.tenMinutes(pl) / mb,
		Journal: float64(int(o.journal[1]-o.journal[0]) / mb), FDs: fds, FDsLeft: o.rested.fds, Routines: int(o.routines[1]),
	}
}

// String is the line that every run prints.
func (r record) String() string {
	return fmt.Sprintf("%d/s: %d accepted, %d refused, p50 %.1f ms, p99 %.1f ms; ten times that: %d sent, %d accepted, %d refused, p99 %.0f ms; "+
		"%d consigned, %d purged; own memory at most %.0f MB, %+.2f MB in ten minutes; journal %+.0f MB; at most %d descriptors, %d left; %d goroutines left; %.0f s",
		r.Rate, r.Accepted, r.Refused, r.P50, r.P99, r.StormSent, r.StormAccepted, r.StormRefused, r.StormP99,
		r.Consigned, r.Purged, r.Anon, r.Slope, r.Journal, r.FDs, r.FDsLeft, r.Routines, r.Seconds)
}

// write leaves the record when VAGUEMESTRE_RECORD is set.
func (r record) write(t *testing.T) {
	t.Helper()
	runs.Keep(t, sabotage.Root, "load", r.Date, r)
}
