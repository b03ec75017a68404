package main

import "github.com/spf13/cobra"

// newDeadCommand is the short way to the dead letters of journal list and
// journal requeue.
func newDeadCommand(t *terminal) *cobra.Command {
	again := newJournalRequeueCommand(t)
	again.Long = "Put a dead letter back in the queue, as if it had just been handed in: the broker\n" +
		"tries it when it runs. Remove the cause first: dead list names it. The decision is\n" +
		"journaled."
	again.Example = "  vaguemestre dead requeue 3072 --data ./data"
	return group("dead", "List what was given up, and take it up again", newDeadListCommand(t), again)
}

func newDeadListCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "list --data DIR",
		Short: "List what was given up and waits for a person",
		Long: "List the dead letters: number, hour, pli, destination, and why it was given up. With\n" +
			"--json, one object a line.",
		Example: "  vaguemestre dead list --data ./data",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := present(data); err != nil {
				return err
			}
			return t.askJournal(c.Context(), data, func(b *client) error { return t.listLetters(c.Context(), b) })
		},
	}
	dataFlag(c, &data)
	return c
}
