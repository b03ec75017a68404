package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// deadLetter is one line of `journal list --letters --json`.
type deadLetter struct {
	Seq         uint64 `json:"seq"`
	Topic       string `json:"topic"`
	Destination string `json:"destination"`
	ID          string `json:"id"`
	Entered     string `json:"entered"`
	Attempts    int    `json:"attempts"`
	Reason      string `json:"reason"`
	Explanation string `json:"explanation"`
}

// waitingAlarm is one line of `journal list --alarms --json`.
type waitingAlarm struct {
	ID        string `json:"id"`
	Recipient string `json:"recipient"`
	Cause     string `json:"cause"`
	Label     string `json:"label"`
	Since     string `json:"since"`
}

// listLetters prints what was given up, page by page: one read transaction
// each, which must be short.
func (t *terminal) listLetters(ctx context.Context, j *journal.Journal) error {
	for from := uint64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var page []broker.Letter
		err := j.View(func(v journal.View) (err error) {
			page, err = broker.ReadLetters(v, from, listPage)
			return err
		})
		if err != nil {
			return err
		}
		for _, l := range page {
			if err := t.printLetter(l); err != nil {
				return err
			}
			from = l.Seq + 1
		}
		if len(page) < listPage {
			return nil
		}
	}
}

func (t *terminal) printLetter(l broker.Letter) error {
	why := broker.ExplainCode(l.Reason)
	if t.json {
		return t.answer(deadLetter{
			Seq: l.Seq, Topic: l.Topic, Destination: string(l.Dest), ID: l.ID, Entered: l.Entered,
			Attempts: l.Attempts, Reason: l.Reason, Explanation: why,
		})
	}
	t.print("%8d  %s  %-8s  %s  to %s, tried again %d times", l.Seq, l.Entered, l.Topic, l.ID, l.Dest, l.Attempts)
	t.print("          %s: %s", l.Reason, why)
	return nil
}

// listAlarms prints what waits for somebody. An alarm that waits for another
// cause than those of the table is shown under its own name.
func (t *terminal) listAlarms(j *journal.Journal) error {
	var alarms []broker.Alarm
	err := j.View(func(v journal.View) error {
		alarms = broker.ReadAlarms(v)
		return nil
	})
	if err != nil {
		return err
	}
	for _, a := range alarms {
		label := string(a.Cause)
		if row, ok := broker.LookupEvent(a.Cause); ok {
			label = row.Label
		}
		if !t.json {
			t.print("%s  %s  %s: %s", a.Since, a.ID, a.Recipient, label)
			continue
		}
		err := t.answer(waitingAlarm{ID: a.ID, Recipient: string(a.Recipient), Cause: string(a.Cause), Label: label, Since: a.Since})
		if err != nil {
			return err
		}
	}
	return nil
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
			return t.withNode(c.Context(), data, func(_ *wiring.Data, n *wiring.Node) error {
				if err := n.Broker.Requeue(c.Context(), seq); err != nil {
					return err
				}
				if t.json {
					return t.answer(map[string]any{"seq": seq, "requeued": true})
				}
				t.print("%d: in the queue again", seq)
				return nil
			})
		},
	}
	dataFlag(c, &data)
	return c
}
