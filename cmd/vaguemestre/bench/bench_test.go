package bench

import (
	"context"

	"testing"
	"time"
)

// Every measurement of the command ends with figures; the ratios are printed,
// not asserted: the machine is shared.
func TestMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("short: the benchmark runs real exchanges for seconds")
	}
	r, ops, err := Measure(context.Background(), 1500*time.Millisecond, talk{t})
	if err != nil {
		t.Fatal(err)
	}
	if r.Bound <= 0 || r.Naive <= 0 || r.Storage <= 0 || r.StorageNaive <= 0 || len(r.Runs) != 4 || len(ops) != 5 {
		t.Errorf("figures are missing: %+v", r)
	}
	t.Logf("bound %.0f/s, naive %.0f/s, storage %.0f/s, naive storage %.0f/s", r.Bound, r.Naive, r.Storage, r.StorageNaive)
	for _, run := range r.Runs {
		t.Logf("%3d submitters: %.0f/s, ratio %.2f, p50 %.1f ms, p99 %.1f ms", run.Submitters, run.PerS, run.Ratio, run.P50, run.P99)
	}
	for _, op := range ops {
		t.Logf("%s x%.0f: %s", op.Name, op.Count, op.Each)
	}
}

// talk is progress on the test's log.
type talk struct{ t *testing.T }

func (w talk) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}
