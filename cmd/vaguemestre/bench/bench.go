// Package bench measures complete exchanges, and what they could be at best.
//
// An exchange is complete when a submission was accepted, sealed, journaled,
// delivered, opened and consigned, and when its consigned evidence came back,
// was verified and is durable in the sender's journal. Two brokers with their
// own journals and keys run in this process, joined by the in-process carrier.
//
// The bound is the same cryptography and nothing else, with the same warmed
// certificates and sizes, on all cores: what the machine could do if storage,
// queues, MIME, JSON and validation cost nothing. Every ratio is between
// figures of one run: absolute figures on a shared machine mean little.
//
// Storage alone is the same path with cryptography replaced by stored results;
// naive is the same path with one commit per operation instead of one per
// group.
package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"vaguemestre/cmd/vaguemestre/wiring"
)

// Result is what `bench --json` prints.
type Result struct {
	Bound        float64 `json:"bound_per_s"`         // cryptography alone, all cores
	Naive        float64 `json:"naive_per_s"`         // one commit per operation, 64 submitters
	Storage      float64 `json:"storage_per_s"`       // stored results instead of cryptography, 64 submitters
	StorageNaive float64 `json:"storage_naive_per_s"` // and one commit per operation
	Runs         []Run   `json:"runs"`
}

// Run is one measurement of complete exchanges.
type Run struct {
	Submitters int     `json:"submitters"`
	PerS       float64 `json:"per_s"`
	Ratio      float64 `json:"ratio"` // to the bound of the same run
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
}

// Operation is the count and the cost of one kind of cryptographic operation
// in an exchange.
type Operation struct {
	Name   string
	Count  float64       // in one exchange
	Each   time.Duration // alone, one core, warmed
	Origin string
}

const reference = 64 // submitters of the comparisons

// Measure runs everything, each measurement for d, and tells its progress on
// talk.
func Measure(ctx context.Context, d time.Duration, talk io.Writer) (Result, []Operation, error) {
	var r Result
	defer wiring.Tune()() // as the broker itself runs
	fmt.Fprintln(talk, "cryptography alone…")
	ops, err := operations(ctx, d)
	if err != nil {
		return r, nil, err
	}
	if r.Bound, err = bound(ctx, d); err != nil {
		return r, nil, err
	}
	for _, n := range []int{1, 16, reference, 256} {
		fmt.Fprintf(talk, "complete exchanges, %d submitters…\n", n)
		run, err := measure(ctx, d, setting{submitters: n})
		if err != nil {
			return r, nil, err
		}
		run.Ratio = run.PerS / r.Bound
		r.Runs = append(r.Runs, run)
	}
	for _, m := range []struct {
		what string
		into *float64
		set  setting
	}{
		{"one commit per operation", &r.Naive, setting{submitters: reference, naive: true}},
		{"storage alone", &r.Storage, setting{submitters: reference, stored: true}},
		{"storage alone, one commit per operation", &r.StorageNaive, setting{submitters: reference, stored: true, naive: true}},
	} {
		fmt.Fprintf(talk, "%s…\n", m.what)
		run, err := measure(ctx, d, m.set)
		if err != nil {
			return r, nil, err
		}
		*m.into = run.PerS
	}
	return r, ops, nil
}

// setting is one measurement to make.
type setting struct {
	submitters int
	naive      bool
	stored     bool
}

func tempDir() (string, func(), error) {
	dir, err := os.MkdirTemp("", "vaguemestre-bench-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}
