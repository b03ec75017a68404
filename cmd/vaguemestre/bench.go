package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"vaguemestre/cmd/vaguemestre/bench"
)

func newBenchCommand(t *terminal) *cobra.Command {
	var seconds float64
	c := &cobra.Command{
		Use:     "bench",
		Short:   "Measure complete exchanges against cryptography alone, in one run",
		Example: "  vaguemestre bench --seconds 5 --json",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if seconds < 0.1 || seconds > 3600 {
				return &usageError{text: "--seconds: from 0.1 to 3600", hint: seeHelp(c)}
			}
			r, ops, err := bench.Measure(c.Context(), time.Duration(seconds*float64(time.Second)), t.talk)
			if err != nil {
				return err
			}
			if t.json {
				return t.answer(r)
			}
			return t.measured(r, ops)
		},
	}
	c.Flags().Float64Var(&seconds, "seconds", 3, "length of each measurement")
	return c
}

func (t *terminal) measured(r bench.Result, ops []bench.Operation) error {
	rows := [][]string{{"OPERATION", "IN AN EXCHANGE", "EACH", "WHERE"}}
	for _, op := range ops {
		rows = append(rows, []string{op.Name, fmt.Sprintf("%.0f", op.Count), op.Each.Round(time.Microsecond).String(), op.Origin})
	}
	rows = append(rows, []string{}, []string{"", "PER SECOND", "OF THE BOUND", "P50, P99"},
		[]string{"cryptography alone (bound)", fmt.Sprintf("%.0f", r.Bound), "1.00"})
	for _, run := range r.Runs {
		rows = append(rows, []string{fmt.Sprintf("exchanges, %d submitters", run.Submitters), fmt.Sprintf("%.0f", run.PerS),
			fmt.Sprintf("%.2f", run.Ratio), fmt.Sprintf("%.1f ms, %.1f ms", run.P50, run.P99)})
	}
	rows = append(rows,
		[]string{"one commit per operation", fmt.Sprintf("%.0f", r.Naive), fmt.Sprintf("%.2f", r.Naive/r.Bound)},
		[]string{"storage alone", fmt.Sprintf("%.0f", r.Storage), "", fmt.Sprintf("%.1f times one by one", r.Storage/r.StorageNaive)},
		[]string{"storage alone, one by one", fmt.Sprintf("%.0f", r.StorageNaive)})
	return t.table(rows)
}
