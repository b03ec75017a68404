package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"vaguemestre/cmd/vaguemestre/serving"
)

// The lines of `journal list --letters --json` and `--alarms --json`.
type (
	deadLetter   = serving.Letter
	waitingAlarm = serving.Alarm
)

// listLetters prints what was given up.
func (t *terminal) listLetters(ctx context.Context, b *client) error {
	return each(ctx, b, "/admin/v1/journal/letters", func(l deadLetter) error {
		if t.json {
			return t.answer(l)
		}
		t.print("%8d  %s  %-8s  %s  to %s, tried again %d times", l.Seq, l.Entered, l.Topic, l.ID, l.Destination, l.Attempts)
		t.print("          %s: %s", l.Reason, l.Explanation)
		return nil
	})
}

// listAlarms prints what waits for somebody.
func (t *terminal) listAlarms(ctx context.Context, b *client) error {
	return each(ctx, b, "/admin/v1/journal/alarms", func(a waitingAlarm) error {
		if t.json {
			return t.answer(a)
		}
		t.print("%s  %s  %s: %s", a.Since, a.ID, a.Recipient, a.Label)
		return nil
	})
}

func newJournalRequeueCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "requeue SEQ --data DIR",
		Short: "Take a dead letter up again",
		Long: "Put a dead letter back in the queue, as if it had just been handed in: the broker\n" +
			"tries it when it runs. Remove the cause first: journal list --letters names it.\n" +
			"The decision is journaled.",
		Example: "  vaguemestre journal requeue 3072 --data ./data",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			seq, err := strconv.ParseUint(args[0], 10, 63)
			if err != nil {
				return &usageError{text: "SEQ is the number of a dead letter", hint: "vaguemestre journal list --letters --data DIR shows them"}
			}
			return t.ask(c.Context(), data, func(b *client) error {
				var done map[string]any
				if err := b.call(c.Context(), http.MethodPost, fmt.Sprintf("/admin/v1/letters/%d/requeue", seq), nil, &done); err != nil {
					return err
				}
				if t.json {
					return t.answer(done)
				}
				t.print("%d: in the queue again", seq)
				return nil
			})
		},
	}
	dataFlag(c, &data)
	return c
}
